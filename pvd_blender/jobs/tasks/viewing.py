"""Tasks that show fields (as a volume, from a camera, next to another field) and images."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from bpy.types import Object, Scene

from ...engine.job_folder import safe_name
from ...scene.cameras import camera_to_dict, dataset_camera
from ...scene.frame import NAME
from .task import Task, client_notes


def extracting(
    frame: Object,
    source: Path,
    resolution: int | None,
    computing: Mapping[str, object],
    replaces: Sequence[str] = (),
) -> Task:
    """Return the task that samples a field's density and colour for a Volume object.

    `replaces` names the Volume objects that are hidden once it is there.
    """
    return Task(
        "Extract Volume",
        frame[NAME],
        "volume",
        {"field": str(source), "resolution": resolution, **computing},
        outputs={"out": "volume.npz"},
        client=client_notes(frame) | {"replaces": list(replaces)},
    )


def rendering(
    frame: Object, source: Path, scene: Scene, camera: Object, computing: Mapping[str, object]
) -> Task:
    """Return the task that renders a field from a camera of the scene."""
    entry = camera_to_dict(camera, scene, frame) | {"name": safe_name(camera.name)}
    return Task(
        f"Render from {camera.name}",
        frame[NAME],
        "render",
        {"field": str(source), **computing},
        outputs={"out": "pictures"},
        inputs={"cameras": {"cameras": [entry]}},
        client=client_notes(frame) | {"picture": f"{entry['name']}.png", "camera": camera.name},
    )


def comparing(
    frame: Object,
    source: Path,
    reference: Path,
    scene: Scene,
    camera: Object,
    computing: Mapping[str, object],
) -> Task:
    """Return the task that renders two fields side by side from a camera of the scene."""
    entry = camera_to_dict(camera, scene, frame) | {"name": safe_name(camera.name)}
    return Task(
        f"Compare from {camera.name}",
        frame[NAME],
        "compare",
        {"field": str(source), "reference": str(reference), **computing},
        outputs={"out": "pictures"},
        inputs={"cameras": {"cameras": [entry]}},
        client=client_notes(frame) | {"picture": f"{entry['name']}.png", "camera": camera.name},
    )


def undistorting(camera: Object, copy: Path) -> Task:
    """Return the task that makes the undistorted copy of a dataset camera's image."""
    values = dataset_camera(camera)
    return Task(
        f"Undistort {camera.name}",
        camera.parent[NAME],
        "undistort",
        {"image": values["image_path"], "out": str(copy)},
        inputs={"camera": values},
    )
