"""Tasks for the engine: one function for each step of the user."""

from .capturing import importing
from .converting import converting
from .editing import editing, finding_floaters, merging
from .filming import filming
from .making import FieldSettings
from .splats import saving_splats, showing_splats, using_splats
from .task import Task, capture_folder, capture_work_folder
from .training import training
from .viewing import comparing, extracting, rendering, undistorting

__all__ = [
    "FieldSettings",
    "Task",
    "capture_folder",
    "capture_work_folder",
    "comparing",
    "converting",
    "editing",
    "extracting",
    "filming",
    "finding_floaters",
    "importing",
    "merging",
    "rendering",
    "saving_splats",
    "showing_splats",
    "training",
    "undistorting",
    "using_splats",
]
