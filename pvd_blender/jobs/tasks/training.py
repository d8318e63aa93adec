"""The task that trains a teacher."""

from collections.abc import Mapping

from bpy.types import Object

from ...errors import ConvertFieldError
from ...scene.crop_box import changed_crop
from ...scene.frame import CAPTURE, NAME, has_photographs
from ...state.engine_options import architecture_label, changed_options
from ...state.properties import frame_state
from .making import FieldSettings
from .task import Task, chosen_downscale, client_notes

NO_PHOTOGRAPHS = "There are no photographs to train from; import a capture."


def training(
    frame: Object,
    settings: FieldSettings,
    computing: Mapping[str, object],
    volume_resolution: int | None = None,
) -> Task:
    """Return the task that trains a teacher from the capture's images.

    Raises
    ------
    ConvertFieldError
        There are no images: the frame is that of fields alone.
    """
    if not has_photographs(frame):
        raise ConvertFieldError(NO_PHOTOGRAPHS)
    state = frame_state(frame)
    given = {"scene": state.scene} | ({"exposure": state.exposure} if state.linear_light else {})
    of_capture = changed_options("train", given)
    arguments = {**computing, **of_capture, **settings.arguments("train")} | {
        "capture": frame[CAPTURE],
        "arch": settings.architecture,
        "crop": changed_crop(frame),
        "downscale": chosen_downscale(frame),
    }
    return Task(
        f"Train {architecture_label(settings.architecture)}",
        frame[NAME],
        "train",
        arguments,
        outputs={"out": settings.file_name()},
        client=client_notes(frame, volume_resolution),
    )
