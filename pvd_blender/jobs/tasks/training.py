"""The task that trains a teacher."""

from bpy.types import Object

from ...scene.crop_box import changed_crop
from ...scene.frame import CAPTURE, NAME
from ...state.properties import frame_state
from ...state.settings import architecture_label
from .making import FieldSettings
from .task import Task, chosen_downscale, client_notes


def training(
    frame: Object, settings: FieldSettings, device: str, volume_resolution: int | None = None
) -> Task:
    """Return the task that trains a teacher from the capture's images."""
    arguments = settings.arguments() | {
        "capture": frame[CAPTURE],
        "arch": settings.architecture,
        "scene": frame_state(frame).scene,
        "crop": changed_crop(frame),
        "downscale": chosen_downscale(frame),
        "device": device,
    }
    return Task(
        f"Train {architecture_label(settings.architecture)}",
        frame[NAME],
        "train",
        arguments,
        outputs={"out": settings.file_name()},
        client=client_notes(frame, volume_resolution),
    )
