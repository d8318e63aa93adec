"""Operators of the first step: import a capture, look through its cameras."""

from pathlib import Path

import bpy
from bpy.props import BoolProperty, EnumProperty, IntProperty, StringProperty
from bpy.types import Context, Event, Object

from ... import api
from ...scene.cameras import is_dataset_camera
from ...scene.frame import frame_of
from ...state.engine_options import AUTO
from ...state.properties import IMAGE_SIZES, active_frame
from .base import GuardedOperator, JobOperator, why_no_capture

SPLITS = (
    ("train", "Training", "Views that a teacher learns from"),
    ("val", "Validation", "Views for choosing settings"),
    ("test", "Test", "Views that fields are measured on"),
)


class CONVERT_FIELD_OT_import_capture(JobOperator):
    """Import a capture: its cameras with their images, its frame and its crop box."""

    bl_idname = "convert_field.import_capture"
    bl_label = "Import Capture"
    bl_description = (
        "Import the cameras of a capture with their images, from its folder or from the file that "
        "lists its cameras (COLMAP, NeRF-Synthetic, instant-ngp, nerfstudio, LLFF, NSVF, DTU and "
        "others)"
    )
    bl_options = {"REGISTER"}

    filepath: StringProperty(name="Capture", subtype="FILE_PATH", options={"SKIP_SAVE"})
    directory: StringProperty(subtype="DIR_PATH", options={"HIDDEN", "SKIP_SAVE"})
    filter_glob: StringProperty(default="*.json;*.npy;*.npz;*.csv;*.bin;*.txt", options={"HIDDEN"})
    filter_folder: BoolProperty(default=True, options={"HIDDEN"})
    splits: EnumProperty(
        name="Cameras",
        description="Splits whose cameras come into the scene; training uses the capture's files",
        items=SPLITS,
        options={"ENUM_FLAG"},
        default={"train", "val", "test"},
    )
    points: BoolProperty(
        name="Sparse Points",
        description="Show the capture's sparse points in the 3D View, if it has some; they are not "
        "rendered",
        default=True,
    )
    image_size: EnumProperty(
        name="Image Size",
        description="Size of the images that fields learn from and are measured on",
        items=IMAGE_SIZES,
    )

    def invoke(self, context: Context, _event: Event) -> set[str]:
        """Open the file browser, unless a file was dropped into the view."""
        if self.filepath:
            return self.execute(context)
        context.window_manager.fileselect_add(self)
        return {"RUNNING_MODAL"}

    def act(self, context: Context) -> None:
        """Import the chosen file that lists cameras, or the folder."""
        api.import_capture(
            self._chosen(),
            wait=self.wait,
            splits=sorted(self.splits),
            downscale=None if self.image_size == AUTO else int(self.image_size),
            points=self.points,
        )

    def _chosen(self) -> Path:
        path = Path(bpy.path.abspath(self.filepath)) if self.filepath else None
        if path is not None and (path.exists() or not self.directory):
            return path
        return Path(bpy.path.abspath(self.directory))


class CONVERT_FIELD_OT_look_through(GuardedOperator):
    """Look through a camera of the capture."""

    bl_idname = "convert_field.look_through"
    bl_label = "Look Through Camera"
    bl_options = {"REGISTER", "UNDO"}

    offset: IntProperty(
        name="Offset",
        description="Position of the camera after the current one: 1 is the next, -1 the previous "
        "one, 0 the selected one",
        default=0,
    )

    @classmethod
    def description(cls, _context: Context, properties: bpy.types.OperatorProperties) -> str:
        """Return the tooltip of each of the three buttons."""
        which = {-1: "the previous camera", 0: "the selected camera", 1: "the next camera"}
        chosen = which.get(properties.offset, "another camera")
        return f"Look through {chosen} and set the render size and pixel aspect of its image"

    @classmethod
    def why_not(cls, context: Context) -> str | None:
        """Return why there is no camera."""
        return why_no_capture(context)

    def act(self, context: Context) -> None:
        """Look through the selected, the next or the previous camera."""
        camera = self._camera(context)
        if camera is None:
            raise api.ConvertFieldError("The capture has no camera; import it with cameras.")
        api.look_through(camera, wait=bpy.app.background)

    def _camera(self, context: Context) -> Object | None:
        frame = active_frame(context)
        cameras = dataset_cameras(frame)
        selected = context.active_object
        if self.offset == 0 and selected is not None and selected.type == "CAMERA":
            return selected
        if not cameras:
            return None
        current = context.scene.camera
        if current not in cameras:
            return cameras[0]
        return cameras[(cameras.index(current) + self.offset) % len(cameras)]


def dataset_cameras(frame: Object | None) -> list[Object]:
    """Return the cameras that were imported with a capture, in the capture's order."""
    if frame is None:
        return []
    return [item for item in frame.children if is_dataset_camera(item)]


class CONVERT_FIELD_OT_use_capture(GuardedOperator):
    """Work on the capture that the active object belongs to."""

    bl_idname = "convert_field.use_capture"
    bl_label = "Use Active Capture"
    bl_description = "Work on the capture that the active object belongs to"
    bl_options = {"REGISTER", "UNDO"}

    @classmethod
    def why_not(cls, context: Context) -> str | None:
        """Return why there is no such capture."""
        if frame_of(context.active_object) is None:
            return "The active object belongs to no capture"
        return None

    def act(self, context: Context) -> None:
        """Choose the capture."""
        context.scene.convert_field.frame = frame_of(context.active_object)


CLASSES = (
    CONVERT_FIELD_OT_import_capture,
    CONVERT_FIELD_OT_look_through,
    CONVERT_FIELD_OT_use_capture,
)
