"""Train a field from the images of a capture."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, Literal

from tyro.conf import Positional

from ..errors import UserError
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

if TYPE_CHECKING:
    from ..data.capture import Capture
    from ..space.space_map import SpaceMap
    from ..train.training import Training

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

    Of gaussians it first trains a hash field for a part of the time, projects that onto splats, and
    lets these learn from the images.

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
    from ..fields.architectures import default_preset
    from ..fields.registry import GAUSSIANS
    from ..fields.storage import save_field
    from ..jobs.device import choose_device, peak_memory
    from ..space.maps import map_around

    device = choose_device(arguments.device)
    capture = open_at_size(
        arguments.capture, arguments.downscale, device.type, job, exposure=arguments.exposure
    )
    require_trainable(capture)
    job.warn(camera_notes(capture))
    preset = arguments.preset or default_preset(device)
    box = capture.box if arguments.crop is None else crop_box(arguments.crop)
    scene = find_scene(capture, None if arguments.scene == "auto" else arguments.scene)
    space = map_around(scene.form, box, capture_origin(capture)).to(device)
    job.begin_from(capture_fingerprint(capture))
    make = _splats if arguments.arch == GAUSSIANS else _radiance_field
    training, figures = make(arguments, preset, capture, space, job)
    field = training.field
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


def _radiance_field(
    arguments: TrainArguments, preset: str, capture: "Capture", space: "SpaceMap", job: Job
) -> "tuple[Training, dict[str, Any]]":
    """Train a field of block 1 and block 2; return its training, and its quick figures."""
    import torch

    from ..fields.architectures import architecture, make_field
    from ..train.from_images import train_from_images
    from ..train.training import Training

    spec = architecture(arguments.arch, preset, arguments.decoder)
    torch.manual_seed(arguments.seed)
    training = Training.start(make_field(spec, space).to(space.box.device), arguments.seed)
    training.resume(job)
    budget = Budget.parse(arguments.budget, arguments.steps)
    return training, train_from_images(training, capture, budget, job, arguments.until_psnr)


def _splats(
    arguments: TrainArguments, preset: str, capture: "Capture", space: "SpaceMap", job: Job
) -> "tuple[Training, dict[str, Any]]":
    """Train splats; return their training, and their quick figures."""
    from ..distill.splats_from_images import splats_from_images
    from ..fields.sizing import splat_sizes

    if arguments.decoder is not None:
        raise UserError("--decoder means nothing for Gaussian splats; leave it out.")
    sizes = splat_sizes(preset, space, arguments.splats)
    budget = Budget.parse(arguments.budget, arguments.steps)
    return splats_from_images(
        sizes, capture, space, budget, arguments.seed, job, arguments.until_psnr
    )


VERB = Verb("train", TrainArguments, run, resumable=True)
