"""The state that a .blend keeps: one property group per ID type, with paths, ids and settings."""

import uuid
from pathlib import Path

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

from ..engine.checked import is_file
from ..errors import ConvertFieldError, SceneError
from ..scene import edit_properties
from ..scene.edit_properties import OPERATIONS, EditShape, tag_owner
from ..scene.frame import frame_of, is_frame
from . import settings
from .engine_options import AUTO, option_property
from .figures import FieldFigure
from .settings import StudentSettings, TeacherSettings

ROLES = (
    ("TEACHER", "Teacher", "Trained from the capture's images"),
    ("EDITED", "Edited", "A field with edits applied"),
    ("STUDENT", "Student", "Converted from another field"),
    ("MERGED", "Merged", "Several fields in one, each at its position"),
    ("LIGHT", "Light Field", "Converted into a light field, which has no density"),
)
NO_MEASURE = -1.0
"""Value of a time that was not measured."""

IMAGE_SIZES = (
    (
        AUTO,
        "Automatic",
        "The size that the field was trained with; in training at most 800 pixels wide or high "
        "on a CPU, 2400 on a GPU",
    ),
    ("1", "Full", "The images in full size"),
    ("2", "Half", "Half the width and height; four times faster to load and to measure"),
    ("4", "Quarter", "A quarter of the width and height"),
    ("8", "Eighth", "An eighth of the width and height"),
)

AUTO_SCENE = "auto"
"""The kind of scene that is found from the capture."""


class FieldItem(PropertyGroup):
    """A field file that belongs to a capture."""

    path: StringProperty(name="File", description="The field's .safetensors file", update=tag_owner)
    role: EnumProperty(name="Role", description="Origin of the field", items=ROLES)
    psnr_to_images: PointerProperty(
        name="PSNR to Images",
        description="Likeness of renders to the capture's images",
        type=FieldFigure,
    )
    psnr_to_source: PointerProperty(
        name="PSNR to Source",
        description="Likeness of renders to those of the field that this one was made from",
        type=FieldFigure,
    )
    parent: StringProperty(
        name="Made From", description="File of the field that this one was made from"
    )
    architecture: StringProperty(
        name="Architecture", description="Name of the field's architecture"
    )
    seconds: FloatProperty(
        name="Time", description="Seconds that it took to make the field", default=NO_MEASURE
    )
    volume: PointerProperty(
        name="Volume", description="The Volume object that shows the field", type=Object
    )
    splats: PointerProperty(
        name="Splats", description="The object that shows the field as splats", type=Object
    )
    picture: StringProperty(
        name="Picture",
        description="The last picture of the field while it was made",
    )
    report: StringProperty(
        name="Report",
        description="Page with figures, pictures and curves of the field's conversion",
    )


class ConvertFieldObject(PropertyGroup):
    """An object's part in the add-on: the frame of a capture, a field's volume, an edit shape."""

    uid: StringProperty(
        name="Identity",
        description="Identity of this capture, whatever its objects are called",
        options={"HIDDEN"},
    )
    summary: StringProperty(name="Summary", description="Contents of the capture's files")
    notes: StringProperty(
        name="Notes", description="Guesses and omissions while the capture was read"
    )
    fields: CollectionProperty(
        name="Fields", description="The capture's fields: teachers, edited fields, students",
        type=FieldItem,
    )  # fmt: skip
    active_field: IntProperty(
        name="Field",
        description="The field that volume, render, edit and convert use",
        update=tag_owner,
    )
    reference: StringProperty(
        name="Compare With",
        description="Field to compare the selected one with; when empty, the one that it was "
        "made from",
    )
    scene: option_property("train", "scene")
    scene_found: StringProperty(
        name="Found", description="Kind of scene that Automatic found, with the reason"
    )
    downscale: EnumProperty(
        name="Image Size",
        description="Size of the images that fields learn from and are measured on",
        items=IMAGE_SIZES,
    )
    linear_light: BoolProperty(
        name="Linear Light",
        description="The capture has OpenEXR or Radiance HDR images",
        options={"HIDDEN"},
    )
    exposure: option_property("train", "exposure")
    shown_field: StringProperty(
        name="Field File",
        description="File of the field that this Volume object, or a copy of it, shows",
        options={"HIDDEN"},
    )
    shape: PointerProperty(
        name="Edit Shape",
        description="Effect of this object as an edit shape",
        type=EditShape,
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
        update=tag_owner,
    )
    teacher: PointerProperty(
        name="Teacher", description="Settings of training", type=TeacherSettings
    )
    student: PointerProperty(
        name="Student", description="Settings of conversion", type=StudentSettings
    )
    edit_operation: EnumProperty(
        name="Effect",
        description="Effect of a new shape on the field inside it",
        items=OPERATIONS,
    )
    volume_resolution: option_property("volume", "resolution", min=8, soft_max=512)
    splats: IntProperty(
        name="Splats",
        description="Number of splats that a field is shown as, at most; 0 leaves it to the engine",
        default=0,
        min=0,
        soft_max=1_000_000,
    )
    live_edits: BoolProperty(
        name="Show Edits",
        description="Render the selected field with the edits as they are now, before they are "
        "applied; those that the field already has in it are not applied again",
        default=True,
        update=tag_owner,
    )
    show_photographs: BoolProperty(
        name="Show Photographs",
        description="Show the photograph of the camera that a view looks through over the rendered "
        "field as well, to compare them",
        default=False,
    )
    show_volume: BoolProperty(
        name="Show When Done",
        description="Extract the volume of each new field",
        default=True,
    )


def frame_state(frame: Object) -> ConvertFieldObject:
    """Return a frame's state; a frame without an identity is given one."""
    state = frame.convert_field
    if not state.uid:
        state.uid = uuid.uuid4().hex
    return state


def find_frame(uid: str) -> Object | None:
    """Return the frame with an identity, or None if there is none."""
    for item in bpy.data.objects:
        if is_frame(item) and item.convert_field.uid == uid:
            return item
    return None


def active_frame(context: bpy.types.Context) -> Object | None:
    """Return the frame that the panels work on: the scene's, or that of the active object."""
    return scene_frame(context.scene) or frame_of(context.active_object)


def scene_frame(scene: Scene) -> Object | None:
    """Return the frame that a scene names, or None."""
    frame = scene.convert_field.frame
    # A deleted object stays in the pointer until the file is saved, but is in no scene.
    return frame if is_frame(frame) and frame.users_scene else None


def rendered_frame(scene: Scene) -> Object:
    """Return the frame whose field a scene shows: the one that it names, or its only one.

    Raises
    ------
    SceneError
        When there is none, or there are several and none is named.
    """
    named = scene_frame(scene)
    if named is not None:
        return named
    frames = [item for item in scene.objects if is_frame(item)]
    if len(frames) == 1:
        return frames[0]
    raise SceneError(
        "The scene has no capture; import one first."
        if not frames
        else "The scene has several captures; choose one in the tab Convert Field."
    )


def active_field(frame: Object | None) -> FieldItem | None:
    """Return the field that is selected in a frame's list, or None."""
    if frame is None:
        return None
    state = frame.convert_field
    if 0 <= state.active_field < len(state.fields):
        return state.fields[state.active_field]
    return None


def source_field(frame: Object | None, for_edits: bool = False) -> Path:
    """Return the file of the field that is selected in the list.

    Parameters
    ----------
    frame : Object or None
    for_edits : bool
        Return the field that an edited field was made from: shapes apply to the whole field, so
        that moving a shape and applying again brings back what it had erased.

    Raises
    ------
    ConvertFieldError
        When there is none, or its file does not exist.
    """
    if not is_frame(frame):
        raise ConvertFieldError("There is no capture; import one first.")
    item = active_field(frame)
    if item is None:
        raise ConvertFieldError("There is no field yet; train a teacher first.")
    path = item.parent if for_edits and item.role == "EDITED" and item.parent else item.path
    if not is_file(path):
        raise ConvertFieldError(
            f"The field's file is missing: {path}; put it back, or remove the field from the list."
        )
    return Path(path)


def find_field(frame: Object, path: str) -> FieldItem | None:
    """Return the list entry of a field file, or None."""
    return next((item for item in frame.convert_field.fields if item.path == path), None)


def list_field(frame: Object, path: str, role: str) -> FieldItem:
    """Add a field file to a frame's list under a new name, and select it."""
    state = frame.convert_field
    taken = {item.name for item in state.fields}
    base = {key: label for key, label, _ in ROLES}[role]
    if role in ("TEACHER", "STUDENT"):
        base = f"{base} {Path(path).stem}"
    number = sum(name.startswith(base) for name in taken) + 1
    item = state.fields.add()
    item.name = base if number == 1 else f"{base} {number}"
    item.path = path
    item.role = role
    state.active_field = len(state.fields) - 1
    return item


CLASSES = (
    *settings.CLASSES,
    *edit_properties.CLASSES,
    FieldFigure,
    FieldItem,
    ConvertFieldObject,
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
