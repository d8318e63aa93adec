"""Moving cameras of films: around a field, or through the cameras of its capture."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from ..errors import UserError
from ..jobs.job import Job
from .views import ViewArguments, open_viewed, views_of

if TYPE_CHECKING:
    from ..data.capture import Camera, View
    from ..fields.base import Renderable

KEYS_PER_SECOND = 2
"""Most cameras that a path goes through in each second; with more it is as restless as a hand."""


def orbit_views(
    arguments: ViewArguments, field: "Renderable", count: int, job: Job
) -> tuple["View", ...]:
    """Return the views of a turn around a field, from where its cameras saw it.

    Parameters
    ----------
    arguments : ViewArguments
        Names the capture of a field whose file holds no viewpoints.
    field : Renderable
    count : int
        Number of views.
    job : Job
        Receives a warning where the field was not seen from all round, or nothing tells from where.

    Raises
    ------
    UserError
        The scene is forward-facing.
    """
    import numpy as np

    from ..data.geometry.camera_path import around_box, orbit
    from ..data.geometry.poses import PoseDistribution
    from ..edit.merged_viewpoints import known_viewpoints

    if field.space.kind == "forward_facing":
        raise UserError(
            "The scene was seen from one side only, so nothing can turn around it; use --path with "
            "--capture."
        )
    poses = known_viewpoints(field.header.get("provenance"))
    if poses is None and arguments.capture is not None:
        capture = open_viewed(arguments, arguments.capture, field.device.type, job)
        views = views_of(capture, arguments.chosen_split)
        poses = PoseDistribution.from_cameras([view.camera for view in views])
    if poses is None:
        poses = around_box(field.box.cpu().numpy().astype(np.float64) + field.space.origin)
        job.warn(
            [
                "The field's file does not say from where it was seen, so the camera turns around "
                "its box; --capture names the cameras."
            ]
        )
    if not poses.all_round:
        seen = np.degrees(poses.azimuth[1] - poses.azimuth[0])
        job.warn(
            [
                f"The scene was seen from {seen:.0f} of 360 degrees, so the camera swings there "
                "and back."
            ]
        )
    return _named(orbit(poses, count))


def path_views(
    arguments: ViewArguments, device: str, count: int, seconds: float, job: Job
) -> tuple["View", ...]:
    """Return the views of a way through cameras; of a forward-facing capture, of a spiral.

    Parameters
    ----------
    arguments : ViewArguments
        Names the cameras.
    device : str
        Its type, such as ``"cpu"``.
    count : int
        Number of views.
    seconds : float
        Time that the way takes.
    job : Job
        Receives a warning where cameras are left out or come in another order.

    Raises
    ------
    UserError
        There are no cameras.
    """
    import numpy as np

    from ..data.formats.cameras_json import read_cameras
    from ..data.geometry.camera_path import evenly, path_through, spiral, way_through
    from ..data.geometry.scene import find_scene

    if arguments.capture is None:
        assert arguments.cameras is not None
        views = read_cameras(arguments.cameras)
    else:
        capture = open_viewed(arguments, arguments.capture, device, job)
        views = views_of(capture, arguments.chosen_split)
        form = find_scene(capture).form
        if form["kind"] == "forward_facing":
            cameras = [view.camera for view in views]
            return _named(spiral(cameras, np.array(form["reference"]), form["near"], count))
    cameras = [view.camera for view in views]
    order = way_through(np.stack([camera.camera_to_world[:3, 3] for camera in cameras]))
    if not np.array_equal(order, np.arange(len(cameras))):
        job.warn(["The cameras' order is no way, so the path goes to the nearest one each time."])
    kept = order[evenly(len(order), max(round(KEYS_PER_SECOND * seconds), 2))]
    if len(kept) < len(cameras):
        job.warn(
            [
                f"The path goes through {len(kept)} of {len(cameras)} cameras, for a steady film; "
                "with more --seconds it goes through more."
            ]
        )
    return _named(path_through([cameras[index] for index in kept], count))


def _named(cameras: Sequence["Camera"]) -> tuple["View", ...]:
    from ..data.capture import View

    return tuple(
        View(name=f"frame_{number:04d}", camera=camera, split="test", image_path=None)
        for number, camera in enumerate(cameras, start=1)
    )
