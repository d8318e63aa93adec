"""Make a field of a file of Gaussian splats."""

import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from tyro.conf import Positional, arg

from ..errors import UserError
from ..jobs.job import Job
from ..jobs.verb import Verb
from .option_kinds import CapturePath, ComputingArguments, Preset, check_suffix

if TYPE_CHECKING:
    from ..data.capture import Camera, Capture
    from ..data.geometry.poses import PoseDistribution
    from ..exchange.splats.cloud_scene import CloudScene
    from ..fields.splats import Splats

Rules = Literal["inria", "gsplat"]


@dataclass(frozen=True, kw_only=True)
class ImportArguments(ComputingArguments):
    """Make a field of a file of Gaussian splats.

    Reads .ply of 3DGS, .compressed.ply, .spz, .splat, .sog and .glb (KHR_gaussian_splatting). The
    field, of the architecture gaussians, is a teacher like any other: it is rendered, edited,
    merged and converted.

    The cameras of --capture, or else of --cameras, or else of a cameras.json that INRIA's program
    left next to the .ply, are the viewpoints of conversions. Without any, these lie around the
    cloud.

    Example: pvd import point_cloud.ply --out garden.safetensors
    """

    cloud: Positional[Annotated[Path, arg(metavar="CLOUD")]]
    """The file of splats."""

    out: Path
    """The field file to write; ends in .safetensors."""

    capture: CapturePath | None = None
    """The dataset that the splats were trained on, in whose frame they are; it gives the box, the
    kind of scene and the viewpoints."""

    cameras: Path | None = None
    """The cameras.json of the splats' training, in place of a capture."""

    turn_axes: bool = True
    """Turn the axes that an .spz (y up) or .glb (y up) has by definition to those of a .ply of the
    same scene, whose y points down. Not for an .spz with the axes of the .ply, as splat-transform
    writes it."""

    rules: Rules = "inria"
    """Rules that the splats were trained by: those of INRIA's program, or of gsplat, which
    nerfstudio uses."""

    antialiased: bool = False
    """The splats were trained for antialiased pictures; an .spz says so itself."""

    preset: Preset | None = None
    """Fineness of the field's volume. Small on a CPU and full on a GPU when not given."""

    def __post_init__(self) -> None:
        super().__post_init__()
        check_suffix(self.out, ".safetensors")
        if self.capture is not None and self.cameras is not None:
            raise UserError("Give --capture or --cameras, not both.")


def run(arguments: ImportArguments, job: Job) -> dict[str, Any]:
    """Read splats and cameras, and write the field's file.

    Returns
    -------
    dict
        ``out``, ``splats``, their number, ``degree`` of their harmonics, ``scene``, its kind,
        ``size`` (bytes) and ``warnings``.
    """
    import torch

    from .. import __version__
    from ..data.geometry.far_origin import far_origin
    from ..exchange.splats.contract import SplatOptions
    from ..exchange.splats.splat_files import read_splats
    from ..fields.architectures import default_preset, splat_field
    from ..fields.limits import SIZES
    from ..fields.splats import Splats
    from ..fields.storage import content_hash, save_field
    from ..jobs.device import choose_device
    from ..space.maps import map_around

    started, device = time.monotonic(), choose_device(arguments.device)
    imported = read_splats(arguments.cloud, SplatOptions(turn_axes=arguments.turn_axes))
    splats = imported.splats
    if len(splats) > SIZES["splats"]:
        raise UserError(
            f"{arguments.cloud} holds {len(splats)} splats, and a field at most "
            f"{SIZES['splats']}; make a smaller cloud first, with splat-transform for example."
        )
    job.warn(imported.notes)
    capture, cameras = _cameras(arguments, job)
    scene, poses = _scene(splats, capture, cameras, job)
    origin = far_origin(cameras, scene.box)
    space = map_around(scene.form, scene.box, origin).to(device)
    centers = (splats.centers.double() - torch.from_numpy(origin)).float().to(device)
    splats = splats.to(device)
    local = Splats(centers, splats.scales, splats.rotations, splats.opacities, splats.sh)
    beyond = int((~space.contains(centers)).sum())
    if beyond:
        job.warn(
            [
                f"{beyond} of {len(splats)} splats lie outside of the scene's box: pictures show "
                "them, the volume of densities does not."
            ]
        )
    preset = arguments.preset or default_preset(device)
    antialiased = arguments.antialiased or imported.antialiased
    field = splat_field(local, space, preset, arguments.rules, antialiased)
    field.header["provenance"] = {
        "made_by": f"pvd import {__version__}",
        "cloud": {"file": arguments.cloud.name, "hash": content_hash(arguments.cloud)},
        "capture": None if capture is None else capture.name,
        "downscale": 1,
        "seconds": round(time.monotonic() - started, 1),
        "device": str(device),
        "viewpoints": poses.to_json(),
    }
    save_field(arguments.out, field)
    return {
        "out": str(arguments.out),
        "splats": len(splats),
        "degree": splats.degree,
        "scene": scene.form["kind"],
        "size": arguments.out.stat().st_size,
        "warnings": job.warnings,
    }


def _cameras(arguments: ImportArguments, job: Job) -> "tuple[Capture | None, list[Camera]]":
    """Return the capture, if there is one, and the cameras that are known."""
    from ..data.formats.splat_cameras import cameras_near, splat_cameras
    from ..data.readers import open_capture

    if arguments.capture is not None:
        capture = open_capture(arguments.capture)
        return capture, [view.camera for view in capture.split("train")]
    if arguments.cameras is not None:
        return None, splat_cameras(arguments.cameras)
    found = cameras_near(arguments.cloud)
    if found is None:
        return None, []
    try:
        cameras = splat_cameras(found)
    except UserError as error:
        job.warn([f"The cameras next to the cloud were not used: {error}"])
        return None, []
    job.warn([f"The {len(cameras)} cameras of {found} are the viewpoints of conversions."])
    return None, cameras


def _scene(
    splats: "Splats", capture: "Capture | None", cameras: "list[Camera]", job: Job
) -> "tuple[CloudScene, PoseDistribution]":
    """Return the scene of a cloud, and the viewpoints from which it is converted."""
    from ..data.geometry.poses import PoseDistribution
    from ..data.geometry.scene import find_scene
    from ..exchange.splats.cloud_scene import (
        SEEN,
        CloudScene,
        cloud_scene,
        seen_fraction,
        viewpoints_around,
    )

    if capture is None:
        scene = cloud_scene(splats, cameras)
    else:
        scene = CloudScene(find_scene(capture).form, capture.box)
    if not cameras:
        job.warn(
            [
                "No cameras are known, so conversions look at the splats from all round; give "
                "their capture, or the cameras.json of their training."
            ]
        )
        return scene, viewpoints_around(scene)
    seen = seen_fraction(splats, cameras)
    if seen < SEEN:
        job.warn(
            [
                f"The cameras show only {100 * seen:.0f} % of the splats; these may have another "
                "frame than the cameras, so check how the field is placed."
            ]
        )
    return scene, PoseDistribution.from_cameras(cameras)


VERB = Verb("import", ImportArguments, run)
