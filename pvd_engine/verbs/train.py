"""Train a field from the images of a capture."""

from dataclasses import dataclass
from typing import Annotated, Any, Literal

from tyro.conf import Positional

from ..jobs.budget import Budget
from ..jobs.job import Job
from ..jobs.verb import Verb
from .making import MakingArguments
from .option_kinds import (
    AUTOMATIC_PRESET,
    PRESETS,
    Architecture,
    CapturePath,
    Corners,
    Downscale,
    Exposure,
    Preset,
    Shown,
)

SceneChoice = Annotated[
    Literal["auto", "object", "forward_facing", "unbounded"],
    Shown(
        "Scene",
        (
            ("auto", "Automatic", "Found from the cameras and the images"),
            ("object", "Object", "Everything is in the crop box; nothing is learned outside it"),
            (
                "forward_facing",
                "Forward-Facing",
                "Seen from one side only; detail is finest close to the cameras",
            ),
            (
                "unbounded",
                "Unbounded",
                "The crop box in detail, and its surroundings, coarser with distance",
            ),
        ),
    ),
]


@dataclass(frozen=True, kw_only=True)
class TrainArguments(MakingArguments):
    """Train a field from the images of a capture.

    Reads the train split of a dataset (COLMAP, NeRF-Synthetic, transforms.json, LLFF and others)
    and writes one field file.
    Progress and checkpoints go to the job folder next to the output: stop with Ctrl-C at any time,
    and the same command resumes there.

    Example: pvd train lego --arch hash --budget 120s --out lego.safetensors
    """

    capture: Positional[CapturePath]
    """The dataset: its folder, or the file that lists its cameras."""

    arch: Architecture = "hash"

    preset: Annotated[Preset | None, Shown("Size", PRESETS, AUTOMATIC_PRESET)] = None
    """Size of the field. Small on a CPU and full on a GPU when not given."""

    downscale: Downscale | None = None
    """Divide width and height of the capture's images by this, averaging their pixels. When not
    given, the smallest number that brings their longer side to 800 pixels on a CPU, to 2400 on a
    GPU."""

    exposure: Exposure = 0.0
    """Stops by which images of linear light (OpenEXR, Radiance HDR) are brightened, darkened when
    negative, before they become display colour: values above 1 are clipped, and the curve of sRGB
    is applied. The field is trained in display colour, and its file states curve and exposure."""

    scene: SceneChoice = "auto"
    """Kind of scene in the capture, which decides where a field can have detail. An object is all
    inside its box, a forward_facing scene is seen from one side, an unbounded one has surroundings
    beyond its box; pvd info shows what auto takes, and why."""

    crop: Corners | None = None
    """Corners x0 y0 z0 x1 y1 z1 of a box in the dataset frame, instead of the one that the capture
    states or that was found. Of an object nothing is learned outside it; other scenes go on there,
    with less detail."""


def run(arguments: TrainArguments, job: Job) -> dict[str, Any]:
    """Read a capture, train a field and write its file.

    Returns
    -------
    dict
        ``out``, ``arch``, ``preset``, ``scene``, ``steps``, ``seconds``, ``size`` (bytes),
        ``figures`` as in `measure.figures`, ``downscale`` and ``warnings``.
    """
    import torch

    from .. import __version__
    from ..data.fingerprint import capture_fingerprint
    from ..data.geometry.bounds import crop_box
    from ..data.geometry.camera_notes import camera_notes
    from ..data.geometry.far_origin import capture_origin
    from ..data.geometry.poses import PoseDistribution
    from ..data.geometry.scene import find_scene
    from ..data.images.image_size import open_at_size
    from ..data.images.linear_light import linear_light
    from ..data.readers import require_trainable
    from ..fields.architectures import architecture, default_preset, make_field
    from ..fields.storage import save_field
    from ..jobs.device import choose_device, peak_memory
    from ..space.maps import map_around
    from ..train.from_images import train_from_images
    from ..train.training import Training

    device = choose_device(arguments.device)
    capture = open_at_size(
        arguments.capture, arguments.downscale, device.type, job, exposure=arguments.exposure
    )
    require_trainable(capture)
    job.warn(camera_notes(capture))
    preset = arguments.preset or default_preset(device)
    spec = architecture(arguments.arch, preset, arguments.decoder)
    torch.manual_seed(arguments.seed)
    box = capture.box if arguments.crop is None else crop_box(arguments.crop)
    scene = find_scene(capture, None if arguments.scene == "auto" else arguments.scene)
    origin = capture_origin(capture)
    field = make_field(spec, map_around(scene.form, box, origin)).to(device)
    job.begin_from(capture_fingerprint(capture))
    training = Training.start(field, arguments.seed)
    training.resume(job)
    budget = Budget.parse(arguments.budget, arguments.steps)
    figures = train_from_images(training, capture, budget, job, arguments.until_psnr)
    field.header["provenance"] = {
        "made_by": f"pvd train {__version__}",
        "capture": capture.name,
        "downscale": capture.downscale,
        **linear_light(capture),
        "seed": arguments.seed,
        "steps": training.step,
        "seconds": round(training.elapsed, 1),
        "device": str(device),
        "device_memory": peak_memory(device),
        "figures": figures,
        "viewpoints": PoseDistribution.from_cameras(
            [view.camera for view in capture.split("train")]
        ).to_json(),
    }
    save_field(arguments.out, field)
    return {
        "out": str(arguments.out),
        "arch": arguments.arch,
        "preset": preset,
        "scene": scene.kind,
        "steps": training.step,
        "seconds": training.elapsed,
        "size": arguments.out.stat().st_size,
        "figures": figures,
        "downscale": capture.downscale,
        "warnings": job.warnings,
    }


VERB = Verb("train", TrainArguments, run, resumable=True)
