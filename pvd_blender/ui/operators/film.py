"""Operators for films: cameras that move, rendering a film, opening it."""

import itertools
from pathlib import Path

import bpy
from bpy.props import BoolProperty, EnumProperty, FloatProperty, IntProperty, StringProperty
from bpy.types import Context, Event, Object

from ... import api
from ...api.film import CAMERAS_PER_SECOND, SECONDS, viewpoints_of
from ...errors import ConvertFieldError
from ...jobs.session import session
from ...jobs.tasks.filming import SUFFIXES
from ...scene.cameras import is_dataset_camera
from ...scene.turntable import STEEPEST
from ...state.properties import active_field, active_frame
from .base import FieldJobOperator, GuardedOperator, why_no_capture
from .convert import why_no_camera

CAMERAS = (
    ("TRAIN", "Training", "The capture's training cameras, in the order of their names"),
    ("SELECTED", "Selected", "The selected cameras, in the order of their names"),
)


class MoveOperator(GuardedOperator):
    """An operator that adds a camera that moves."""

    seconds: FloatProperty(
        name="Duration",
        description="Time that the move takes, at the scene's frame rate",
        default=SECONDS,
        min=0.1,
        max=3600.0,
        subtype="TIME_ABSOLUTE",
    )

    def told(self, context: Context, camera: Object) -> None:
        """Report what was made; the scene's frame range has changed."""
        end = context.scene.frame_end
        self.report({"INFO"}, f"'{camera.name}' moves from frame 1 to {end}, the scene's range now")


class CONVERT_FIELD_OT_turntable(MoveOperator):
    """Add a camera that turns around the selected field."""

    bl_idname = "convert_field.turntable"
    bl_label = "Turntable"
    bl_description = (
        "Add a camera that turns once around the selected field, at the distance and height of the "
        "capture's cameras, and set the scene's frame range to the turn"
    )
    bl_options = {"REGISTER", "UNDO"}

    distance: FloatProperty(
        name="Distance",
        description="Distance of the camera from the middle, in units of the capture",
        default=1.0,
        min=1e-6,
        soft_max=1000.0,
        subtype="DISTANCE",
        options={"SKIP_SAVE"},
    )
    elevation: FloatProperty(
        name="Elevation",
        description="Angle of the camera above the middle",
        min=-STEEPEST,
        max=STEEPEST,
        subtype="ANGLE",
        options={"SKIP_SAVE"},
    )

    @classmethod
    def why_not(cls, context: Context) -> str | None:
        """Return why there is nothing to turn around."""
        return why_no_capture(context)

    def invoke(self, context: Context, _event: Event) -> set[str]:
        """Add it as the cameras stand; the values can be changed afterwards."""
        try:
            seen = viewpoints_of(active_frame(context))
        except ConvertFieldError as error:
            self.report({"ERROR"}, str(error))
            return {"CANCELLED"}
        if not self.properties.is_property_set("distance"):
            self.distance = seen.distance
        if not self.properties.is_property_set("elevation"):
            self.elevation = seen.elevation
        return self.execute(context)

    def act(self, context: Context) -> None:
        """Add it."""
        given = self.properties.is_property_set
        camera = api.turntable(
            active_frame(context),
            self.seconds,
            self.distance if given("distance") else None,
            self.elevation if given("elevation") else None,
            context.scene,
        )
        self.told(context, camera)


class CONVERT_FIELD_OT_path_through_cameras(MoveOperator):
    """Add a camera that moves through those of the capture."""

    bl_idname = "convert_field.path_through_cameras"
    bl_label = "Path Through Cameras"
    bl_description = (
        "Add a camera that moves smoothly through cameras of the capture, with a keyframe at each, "
        "and set the scene's frame range to the way"
    )
    bl_options = {"REGISTER", "UNDO"}

    cameras: EnumProperty(
        name="Cameras",
        description="Cameras that the way goes through; where their order jumps about, the nearest "
        "comes next",
        items=CAMERAS,
        options={"SKIP_SAVE"},
    )
    most: IntProperty(
        name="Most",
        description="Most cameras that the way goes through, evenly chosen; with more of them it "
        "is less steady",
        default=round(CAMERAS_PER_SECOND * SECONDS),
        min=2,
        soft_max=200,
    )

    @classmethod
    def why_not(cls, context: Context) -> str | None:
        """Return why there is no way."""
        reason = why_no_capture(context)
        if reason is None and len(_selected(context)) < 2:
            ours = filter(is_dataset_camera, active_frame(context).children)
            if len(list(itertools.islice(ours, 2))) < 2:  # not all, at each redraw
                return "Select two cameras or more"
        return reason

    def invoke(self, context: Context, _event: Event) -> set[str]:
        """Add it; through the selected cameras, if there are several."""
        if len(_selected(context)) > 1 and not self.properties.is_property_set("cameras"):
            self.cameras = "SELECTED"
        return self.execute(context)

    def act(self, context: Context) -> None:
        """Add it."""
        camera = api.path_through_cameras(
            active_frame(context),
            _selected(context) if self.cameras == "SELECTED" else None,
            self.seconds,
            self.most,
            context.scene,
        )
        self.told(context, camera)


def _selected(context: Context) -> list[Object]:
    items = [item for item in context.selected_objects if item.type == "CAMERA"]
    return sorted(items, key=lambda item: item.name)


class CONVERT_FIELD_OT_render_film(FieldJobOperator):
    """Render a film of the selected field."""

    bl_idname = "convert_field.render_film"
    bl_label = "Render Film"
    bl_options = {"REGISTER"}

    choose: BoolProperty(
        name="Choose File",
        description="Ask for the film's file",
        options={"HIDDEN", "SKIP_SAVE"},
    )
    filepath: StringProperty(
        name="Film",
        description="File that ends in .mp4 or .webm",
        subtype="FILE_PATH",
        options={"SKIP_SAVE"},
    )
    check_existing: BoolProperty(default=True, options={"HIDDEN"})
    filter_glob: StringProperty(
        default=";".join(f"*{suffix}" for suffix in SUFFIXES), options={"HIDDEN"}
    )

    @classmethod
    def description(cls, _context: Context, properties: bpy.types.OperatorProperties) -> str:
        """Return the tooltip of each of the two buttons."""
        where = "a file that you choose" if properties.choose else "the work folder"
        return (
            "Render the selected field through the scene's camera, at each frame of its range, "
            f"into a film in {where}"
        )

    @classmethod
    def why_not(cls, context: Context) -> str | None:
        """Return why nothing can be rendered."""
        return why_no_camera(context) or super().why_not(context)

    def invoke(self, context: Context, _event: Event) -> set[str]:
        """Render, or ask for the file first."""
        if not self.choose or self.filepath:
            return self.execute(context)
        name = active_field(active_frame(context)).name
        folder = bpy.path.abspath("//") or str(Path.home())
        self.filepath = str(Path(folder) / f"{bpy.path.clean_name(name)}{SUFFIXES[0]}")
        context.window_manager.fileselect_add(self)
        return {"RUNNING_MODAL"}

    def act(self, context: Context) -> None:
        """Render."""
        path = Path(bpy.path.abspath(self.filepath)) if self.filepath else None
        if path is not None and not path.suffix:
            path = path.with_suffix(SUFFIXES[0])
        api.render_film(self.frame(context), path=path, wait=self.wait)


class CONVERT_FIELD_OT_open_film(GuardedOperator):
    """Open the film that was rendered last."""

    bl_idname = "convert_field.open_film"
    bl_label = "Open Film"
    bl_description = "Open the film that was just rendered in the program that shows films"
    bl_options = {"REGISTER"}

    @classmethod
    def why_not(cls, _context: Context) -> str | None:
        """Return why there is none."""
        return None if made_film() else "No film was rendered just now"

    def act(self, _context: Context) -> None:
        """Open it."""
        bpy.ops.wm.path_open(filepath=str(made_film()))


def made_film() -> Path | None:
    """Return the film that the last job has made, or None if it made something else."""
    made = session().made
    return made if isinstance(made, Path) and made.suffix.lower() in SUFFIXES else None


CLASSES = (
    CONVERT_FIELD_OT_turntable,
    CONVERT_FIELD_OT_path_through_cameras,
    CONVERT_FIELD_OT_render_film,
    CONVERT_FIELD_OT_open_film,
)
