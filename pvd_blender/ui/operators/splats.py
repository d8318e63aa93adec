"""Operators for Gaussian splats: showing, using, importing and saving them."""

from pathlib import Path

import bpy
from bpy.props import BoolProperty, EnumProperty, StringProperty
from bpy.types import Context, Event, Object

from ... import api
from ...api.splats import CAPTURE_FRAME, UNDIRECTED
from ...jobs.session import session
from ...splats.native import has_native_splats, may_hold_splats
from ...state.properties import active_frame
from .base import (
    DensityJobOperator,
    GuardedOperator,
    JobOperator,
    select_only,
    settings_of,
    why_no_job,
)

AXES = (
    ("BLENDER", "Blender", "Z up: a file lies where Blender's own import puts it"),
    (
        "3DGS",
        "3DGS",
        "X right, Y down, Z forward, as programs that train splats and most viewers have it",
    ),
)
FILE_AXES = (
    *AXES,
    (
        CAPTURE_FRAME,
        "Capture",
        "The dataset frame of the capture that is worked on, in which the engine reads and writes",
    ),
)
FORMATS = (
    (".ply", "PLY", "Everything in full precision; needs no engine. Every program reads it"),
    (".spz", "SPZ", "A tenth of the size with small losses; y up, as the format defines"),
    (".glb", "glTF", "KHR_gaussian_splatting in full precision; y up, as the format defines"),
    (".splat", "SPLAT", "32 bytes a splat, without colours that depend on the direction of view"),
)
USES = (
    ("FIELD", "Field", "A field that converts to everything, in a frame of its own"),
    ("OBJECT", "Object", "An object of splats; before Blender 5.3 points for display. Only .ply"),
)


ANTIALIASED = BoolProperty(
    name="Antialiased",
    description="The splats were trained for antialiased pictures (mip-splatting); drawn so, they "
    "also look most like in Blender",
    default=False,
)


class CONVERT_FIELD_OT_show_splats(DensityJobOperator):
    """Show the selected field as splats."""

    bl_idname = "convert_field.show_splats"
    bl_label = "Show as Splats"
    bl_description = (
        "Show the selected field as Gaussian splats: in Blender 5.3 and later an object that "
        "Workbench, EEVEE and Cycles draw, else points for display. Blender mixes splats in linear "
        "light, fields in display colour, so soft edges are a little brighter"
    )
    bl_options = {"REGISTER"}

    def act(self, context: Context) -> None:
        """Show them."""
        count = settings_of(context).splats or None
        api.show_splats(self.frame(context), count=count, wait=self.wait)


class CONVERT_FIELD_OT_use_as_field(JobOperator):
    """Make a field of the selected splats."""

    bl_idname = "convert_field.use_as_field"
    bl_label = "Use as Field"
    bl_description = (
        "Make a field of the selected splats as they are seen, with their modifiers and "
        "transforms; it converts to everything. With a capture it comes into the capture's list "
        "and its cameras show where to look, else it gets a frame of its own"
    )
    bl_options = {"REGISTER"}

    antialiased: ANTIALIASED

    @classmethod
    def why_not(cls, context: Context) -> str | None:
        """Return why no field can be made."""
        return why_no_splats(context) or super().why_not(context)

    def act(self, context: Context) -> None:
        """Make it."""
        chosen, frame = selected_splats(context), active_frame(context)
        api.use_as_field(chosen, frame, antialiased=self.antialiased, wait=self.wait)


class CONVERT_FIELD_OT_import_splats(GuardedOperator):
    """Import a file of splats, as a field or as an object."""

    bl_idname = "convert_field.import_splats"
    bl_label = "Import Splats"
    bl_description = (
        "Import Gaussian splats from a file as a field that converts to everything, or as an object"
    )
    bl_options = {"REGISTER", "UNDO"}

    filepath: StringProperty(name="Splats", subtype="FILE_PATH", options={"SKIP_SAVE"})
    filter_glob: StringProperty(default="*.ply;*.spz;*.splat;*.sog;*.glb", options={"HIDDEN"})
    use: EnumProperty(name="As", description="What the splats become", items=USES)
    axes: EnumProperty(
        name="Axes",
        description="Axes of a file that does not say which way they point (.ply and .splat); "
        "others are brought upright as their formats define",
        items=AXES,
    )
    of_capture: BoolProperty(
        name="Of This Capture",
        description="The splats lie in the dataset frame of the capture that is worked on: the "
        "field comes into its list, and its cameras show where to look",
        default=False,
        options={"SKIP_SAVE"},
    )
    antialiased: ANTIALIASED

    def invoke(self, context: Context, event: Event) -> set[str]:
        """Open the file browser; ask for the options where a file was dropped into the view."""
        if self.filepath:
            return context.window_manager.invoke_props_dialog(self, confirm_text="Import")
        context.window_manager.fileselect_add(self)
        return {"RUNNING_MODAL"}

    def draw(self, context: Context) -> None:
        """Draw the options that apply."""
        layout = self.layout
        layout.use_property_split = True
        layout.use_property_decorate = False
        layout.prop(self, "use", expand=True)
        frame = active_frame(context)
        belongs = self.use == "FIELD" and self.of_capture and frame is not None
        row = layout.row()
        row.active = not belongs and Path(self.filepath).suffix.lower() in ("", *UNDIRECTED)
        row.prop(self, "axes")
        if self.use == "FIELD":
            if frame is not None:
                layout.prop(self, "of_capture")
            layout.prop(self, "antialiased")

    def act(self, context: Context) -> None:
        """Import the file."""
        if self.use == "OBJECT":
            select_only(context, api.import_splats(self.filepath, self.axes))
            return
        problem = why_no_job()
        if problem:
            raise api.ConvertFieldError(f"{problem}.")
        frame = active_frame(context) if self.of_capture else None
        api.use_as_field(
            self.filepath,
            frame,
            axes=self.axes,
            antialiased=self.antialiased,
            wait=bpy.app.background,
        )


class CONVERT_FIELD_OT_save_splats(GuardedOperator):
    """Save the selected splats to a file."""

    bl_idname = "convert_field.save_splats"
    bl_label = "Save Splats"
    bl_description = (
        "Save the selected splats as they are seen to one file, with their modifiers and "
        "transforms; a .ply needs neither a capture nor the engine"
    )
    bl_options = {"REGISTER"}

    filepath: StringProperty(name="File", subtype="FILE_PATH", options={"SKIP_SAVE"})
    check_existing: BoolProperty(default=True, options={"HIDDEN"})
    filter_glob: StringProperty(default="*.ply;*.spz;*.glb;*.splat", options={"HIDDEN"})
    format: EnumProperty(name="Format", description="Format of the file", items=FORMATS)
    axes: EnumProperty(
        name="Axes",
        description="Axes of a .ply or .splat, which do not say which way theirs point",
        items=FILE_AXES,
    )

    @classmethod
    def why_not(cls, context: Context) -> str | None:
        """Return why there is nothing to save."""
        return why_no_splats(context)

    def invoke(self, context: Context, _event: Event) -> set[str]:
        """Open the file browser."""
        if not self.filepath:
            name = bpy.path.clean_name(selected_splats(context)[0].name)
            self.filepath = str(Path(bpy.path.abspath("//")) / f"{name}{self.format}")
        context.window_manager.fileselect_add(self)
        return {"RUNNING_MODAL"}

    def check(self, _context: Context) -> bool:
        """Give the file's name the suffix of the format; return whether it had another."""
        path = Path(self.filepath)
        if path.suffix.lower() == self.format:
            return False
        known = path.suffix.lower() in [suffix for suffix, _, _ in FORMATS]
        self.filepath = str(path.with_suffix(self.format) if known else f"{path}{self.format}")
        return True

    def draw(self, _context: Context) -> None:
        """Draw the options that apply."""
        layout = self.layout
        layout.use_property_split = True
        layout.use_property_decorate = False
        layout.prop(self, "format")
        row = layout.row()
        row.active = self.format in UNDIRECTED
        row.prop(self, "axes")

    def act(self, context: Context) -> None:
        """Save them."""
        frame = active_frame(context)
        if self.axes == CAPTURE_FRAME and frame is None:
            raise api.ConvertFieldError("There is no capture; choose other axes.")
        if not self.filepath:
            raise api.ConvertFieldError("Name the file to save to.")
        chosen = selected_splats(context)
        api.save_splats(self.filepath, chosen, axes=self.axes, frame=frame, wait=bpy.app.background)
        if session().message:
            self.report({"INFO"}, session().message)


def selected_splats(context: Context) -> list[Object]:
    """Return the selected objects that show splats, or may show those that nodes make."""
    return [item for item in context.selected_objects if may_hold_splats(item)]


def why_no_splats(context: Context) -> str | None:
    """Return why there are no splats to use, in one sentence, or None."""
    if not has_native_splats():
        return "Blender 5.3 and later have splat objects; this Blender shows splats as points"
    return None if selected_splats(context) else "Select objects of Gaussian splats"


CLASSES = (
    CONVERT_FIELD_OT_show_splats,
    CONVERT_FIELD_OT_use_as_field,
    CONVERT_FIELD_OT_import_splats,
    CONVERT_FIELD_OT_save_splats,
)
