"""All state that a .blend keeps: one property group per ID type, with paths, ids and settings."""

import uuid

import bpy
from bpy.props import (
    BoolProperty,
    CollectionProperty,
    EnumProperty,
    FloatProperty,
    IntProperty,
    PointerProperty,
    StringProperty,
)
from bpy.types import Object, PropertyGroup, Scene

from .scene.frame import frame_of, is_frame

ARCHITECTURES = (
    ("hash", "Hash Grid", "Instant-NGP: hash tables and a small network; the fastest to train"),
    ("mlp", "Network", "NeRF: one network and nothing else; the smallest file"),
    (
        "sparse_tensor",
        "Sparse Tensor",
        "Plenoxels: values in occupied voxels and spherical harmonics; no network at all",
    ),
)
PRESETS = (
    ("AUTO", "Automatic", "Small on a CPU, full on a GPU"),
    ("SMALL", "Small", "Sizes that suit a CPU"),
    ("FULL", "Full", "The published sizes; want a GPU"),
)
LIMITS = (
    ("TIME", "Time", "Stop after a time"),
    ("STEPS", "Steps", "Stop after a number of steps; repeats exactly with the same seed"),
)
ROLES = (
    ("TEACHER", "Teacher", "Trained from the capture's images"),
    ("EDITED", "Edited", "A field with erase and keep shapes applied"),
    ("STUDENT", "Student", "Converted from another field"),
)
NO_MEASURE = -1.0
"""A PSNR that was not measured."""


class FieldItem(PropertyGroup):
    """A field file that belongs to a capture."""

    path: StringProperty(
        name="File", description="The field's .safetensors file", subtype="FILE_PATH"
    )
    role: EnumProperty(name="Role", description="How the field came to be", items=ROLES)
    psnr: FloatProperty(
        name="PSNR",
        description="Quality in dB: of a teacher on a validation view of the capture, of a student "
        "against its teacher",
        default=NO_MEASURE,
        precision=2,
    )
    parent: StringProperty(
        name="Made From", description="File of the field that this one was made from"
    )
    volume: PointerProperty(
        name="Volume", description="The Volume object that shows the field", type=Object
    )


class ConvertFieldObject(PropertyGroup):
    """What the frame Empty of a capture knows besides the dataset's own numbers."""

    uid: StringProperty(
        name="Identity",
        description="Tells this capture from others, whatever its objects are called",
        options={"HIDDEN"},
    )
    summary: StringProperty(name="Summary", description="What was found in the capture's files")
    notes: StringProperty(name="Notes", description="What was guessed or left out while reading")
    fields: CollectionProperty(
        name="Fields", description="The capture's fields: teachers, edited ones, students",
        type=FieldItem,
    )  # fmt: skip
    active_field: IntProperty(
        name="Field", description="The field that volume, render, edit and convert use"
    )


class _MakingSettings:
    """Size of a field that is to be made, how long that may take, and its random numbers."""

    preset: EnumProperty(name="Size", description="Size of the field", items=PRESETS)
    limit: EnumProperty(name="Limit", description="When the work ends", items=LIMITS)
    seconds: FloatProperty(
        name="Duration",
        description="Time to spend; 90s, 5min and 1h can be typed as well",
        default=180.0,
        min=1.0,
        soft_max=3600.0,
        step=1000,
        precision=1,
        subtype="TIME_ABSOLUTE",
        unit="TIME_ABSOLUTE",
    )
    steps: IntProperty(
        name="Steps", description="Steps to take", default=5000, min=1, soft_max=100000
    )
    seed: IntProperty(name="Seed", description="Start of the random numbers", default=0, min=0)

    def making(self) -> dict:
        """Return the settings as keyword arguments of `api.train` and `api.convert`."""
        in_time = self.limit == "TIME"
        return {
            "preset": None if self.preset == "AUTO" else self.preset.lower(),
            "budget": self.seconds if in_time else None,
            "steps": None if in_time else self.steps,
            "seed": self.seed,
        }


class TeacherSettings(_MakingSettings, PropertyGroup):
    """Settings of training."""

    architecture: EnumProperty(
        name="Architecture",
        description="What the teacher is made of",
        items=ARCHITECTURES,
        default="hash",
    )


class StudentSettings(_MakingSettings, PropertyGroup):
    """Settings of conversion."""

    architecture: EnumProperty(
        name="Architecture",
        description="What the student is made of",
        items=ARCHITECTURES,
        default="mlp",
    )
    inherit: BoolProperty(
        name="Inherit Weights",
        description="Copy the parts of the teacher that fit the student, instead of learning them",
        default=False,
    )
    through_sparse_tensor: BoolProperty(
        name="Via Sparse Tensor",
        description="Distil into a sparse tensor first and from that into the student, which is "
        "the published way; straight conversion is quicker",
        default=False,
    )


def _frames_only(_settings: PropertyGroup, item: Object) -> bool:
    return is_frame(item)


class ConvertFieldScene(PropertyGroup):
    """Settings of the panels."""

    frame: PointerProperty(
        name="Capture",
        description="Frame of the capture to work on: the Empty that holds all its objects",
        type=Object,
        poll=_frames_only,
    )
    teacher: PointerProperty(
        name="Teacher", description="How a teacher is trained", type=TeacherSettings
    )
    student: PointerProperty(
        name="Student", description="How a field is converted", type=StudentSettings
    )
    volume_resolution: IntProperty(
        name="Resolution",
        description="Voxels along the longest side of the capture's box",
        default=128,
        min=8,
        soft_max=512,
        max=2048,
    )
    show_volume: BoolProperty(
        name="Show When Done",
        description="Extract the volume of a new field as soon as it is made",
        default=True,
    )


def frame_state(frame: Object) -> ConvertFieldObject:
    """Return a frame's state; gives the frame its identity when it has none yet."""
    state = frame.convert_field
    if not state.uid:
        state.uid = uuid.uuid4().hex
    return state


def find_frame(uid: str) -> Object | None:
    """Return the frame with an identity, or None when it was deleted."""
    for item in bpy.data.objects:
        if is_frame(item) and item.convert_field.uid == uid:
            return item
    return None


def active_frame(context: bpy.types.Context) -> Object | None:
    """Return the frame that the panels work on: the scene's, or that of the active object."""
    frame = context.scene.convert_field.frame
    # A deleted object stays in the pointer until the file is saved, but is in no scene.
    if is_frame(frame) and frame.users_scene:
        return frame
    return frame_of(context.active_object)


def active_field(frame: Object | None) -> FieldItem | None:
    """Return the field that is selected in a frame's list."""
    if frame is None:
        return None
    state = frame.convert_field
    if 0 <= state.active_field < len(state.fields):
        return state.fields[state.active_field]
    return None


def find_field(frame: Object, path: str) -> FieldItem | None:
    """Return the list entry of a field file."""
    return next((item for item in frame.convert_field.fields if item.path == path), None)


CLASSES = (
    FieldItem,
    ConvertFieldObject,
    TeacherSettings,
    StudentSettings,
    ConvertFieldScene,
)


def register() -> None:
    """Attach the groups to scenes and objects; the classes are registered already."""
    Scene.convert_field = PointerProperty(type=ConvertFieldScene)
    Object.convert_field = PointerProperty(type=ConvertFieldObject)


def unregister() -> None:
    """Detach the groups."""
    del Object.convert_field
    del Scene.convert_field
