"""Operators of the third step: edit shapes, applying them, and merging fields."""

import bpy
from bpy.props import EnumProperty, IntProperty, StringProperty
from bpy.types import Context, Object, OperatorProperties

from ... import api
from ...scene.edit_properties import OPERATIONS
from ...scene.edit_shapes import edit_shapes, is_shape, remove_shape
from ...scene.frame import frame_of
from ...state.engine_options import option_property
from ...state.properties import active_frame
from ...volume.field_nodes import nodes_can_edit
from .base import (
    DensityJobOperator,
    GuardedOperator,
    JobOperator,
    select_only,
    settings_of,
    why_no_capture,
    why_no_density,
)

SHAPES = (
    ("box", "Box", "A box at the 3D cursor"),
    ("sphere", "Sphere", "A sphere at the 3D cursor"),
    ("meshes", "Selected Meshes", "The selected closed meshes"),
)


class CONVERT_FIELD_OT_add_shape(GuardedOperator):
    """Add an edit shape."""

    bl_idname = "convert_field.add_shape"
    bl_label = "Add Edit Shape"
    bl_options = {"REGISTER", "UNDO"}

    op: EnumProperty(
        name="Effect", description="Effect of the shape on the field", items=OPERATIONS
    )
    shape: EnumProperty(name="Shape", description="Form of the shape", items=SHAPES)

    @classmethod
    def description(cls, _context: Context, properties: OperatorProperties) -> str:
        """Return the tooltip of each button."""
        effect = next(text for key, _, text in OPERATIONS if key == properties.op)
        form = next(text for key, _, text in SHAPES if key == properties.shape)
        return f"{form}: {effect[0].lower()}{effect[1:]}; it can be moved, rotated and scaled"

    @classmethod
    def why_not(cls, context: Context) -> str | None:
        """Return why no shape can be added."""
        return why_no_capture(context)

    def act(self, context: Context) -> None:
        """Add the shape, or mark the meshes."""
        frame = active_frame(context)
        if self.shape != "meshes":
            select_only(context, api.add_shape(frame, self.op, self.shape))
            return
        meshes = [item for item in context.selected_objects if item.type == "MESH"]
        if not meshes:
            raise api.ConvertFieldError("No mesh is selected; select closed meshes.")
        api.mark_meshes(frame, meshes, self.op)


class CONVERT_FIELD_OT_remove_shape(GuardedOperator):
    """Remove an edit shape."""

    bl_idname = "convert_field.remove_shape"
    bl_label = "Remove Edit Shape"
    bl_description = (
        "Delete this box or sphere with its own target; a mesh stays in the scene and is only "
        "unmarked"
    )
    bl_options = {"REGISTER", "UNDO"}

    name: StringProperty(name="Shape", description="Name of the shape's object")

    def act(self, _context: Context) -> None:
        """Remove it."""
        item = bpy.data.objects.get(self.name)
        if not is_shape(item):
            raise api.ConvertFieldError(
                f"There is no edit shape '{self.name}'; choose one from the list."
            )
        remove_shape(item)


class CONVERT_FIELD_OT_reorder_shape(GuardedOperator):
    """Apply the active edit shape earlier or later."""

    bl_idname = "convert_field.reorder_shape"
    bl_label = "Move Edit Shape"
    bl_options = {"REGISTER", "UNDO"}

    steps: IntProperty(
        name="Steps",
        description="Number of positions that the shape moves in the list; earlier ones are "
        "negative",
        default=1,
    )

    @classmethod
    def description(cls, _context: Context, properties: OperatorProperties) -> str:
        """Return the tooltip of each button."""
        when = "earlier" if properties.steps < 0 else "later"
        return f"Apply the active edit shape {when}; shapes are applied from top to bottom"

    @classmethod
    def why_not(cls, context: Context) -> str | None:
        """Return why no shape can be moved."""
        frame = active_frame(context)
        if frame is None or context.active_object not in edit_shapes(frame, with_off=True):
            return "Select the edit shape that is to move"
        return None

    def act(self, context: Context) -> None:
        """Move it."""
        api.reorder_shape(context.active_object, self.steps)


class CONVERT_FIELD_OT_add_field_erase(GuardedOperator):
    """Give the volume of the selected field the node group Field Erase."""

    bl_idname = "convert_field.add_field_erase"
    bl_label = "Add Erase Nodes"
    bl_description = (
        "Give the volume of the selected field geometry nodes that erase the inside of a new box; "
        "density that modifiers remove is erased from the field when edits are applied"
    )
    bl_options = {"REGISTER", "UNDO"}

    @classmethod
    def why_not(cls, context: Context) -> str | None:
        """Return why nodes cannot edit the field."""
        if not nodes_can_edit():
            return "Nodes can edit volumes only in Blender 5.0 and later"
        return why_no_density(context)

    def act(self, context: Context) -> None:
        """Add the nodes, and select the box."""
        select_only(context, api.add_field_erase(active_frame(context)))


class CONVERT_FIELD_OT_find_floaters(DensityJobOperator):
    """Find small parts of a field that float in the air."""

    bl_idname = "convert_field.find_floaters"
    bl_label = "Find Floaters"
    bl_description = (
        "Find small parts of the selected field that float in the air, and show them as an edit "
        "shape that erases them when edits are applied"
    )
    bl_options = {"REGISTER"}

    below: option_property("floaters", "below", min=0.00001, max=1.0, subtype="FACTOR", precision=4)

    def act(self, context: Context) -> None:
        """Find them."""
        api.find_floaters(self.frame(context), self.below, wait=self.wait)


class CONVERT_FIELD_OT_apply_edits(DensityJobOperator):
    """Apply the shapes to the selected field."""

    bl_idname = "convert_field.apply_edits"
    bl_label = "Apply Edits"
    bl_description = (
        "Make an edited field with the shapes in the list, from top to bottom and without loss; "
        "applying again starts from the unedited field"
    )
    bl_options = {"REGISTER"}

    def act(self, context: Context) -> None:
        """Apply."""
        values = settings_of(context)
        api.apply_edits(
            self.frame(context),
            volume_resolution=values.volume_resolution if values.show_volume else None,
            wait=self.wait,
        )


class CONVERT_FIELD_OT_merge_fields(JobOperator):
    """Make one field of the fields whose volumes are selected."""

    bl_idname = "convert_field.merge_fields"
    bl_label = "Merge Fields"
    bl_description = (
        "Make one field of the fields whose volumes are selected, each with the transform of its "
        "volume, in the capture of the active volume"
    )
    bl_options = {"REGISTER"}

    @classmethod
    def why_not(cls, context: Context) -> str | None:
        """Return why nothing can be merged."""
        return why_no_merge(context) or super().why_not(context)

    def act(self, context: Context) -> None:
        """Merge."""
        api.merge(
            _merge_frame(context),
            _selected_volumes(context),
            volume_resolution=settings_of(context).volume_resolution,
            wait=self.wait,
        )


def why_no_merge(context: Context) -> str | None:
    """Return why there is nothing to merge, in one sentence, or None."""
    if len(_selected_volumes(context)) < 2:
        return "Select two or more field volumes"
    if _merge_frame(context) is None:
        return "There is no capture for the merged field; import one first"
    return None


def _selected_volumes(context: Context) -> list[Object]:
    """Return the selected objects that show a field."""
    return [item for item in context.selected_objects if item.convert_field.shown_field]


def _merge_frame(context: Context) -> Object | None:
    """Return the frame of the active volume's capture, or else that of the panels."""
    return frame_of(context.active_object) or active_frame(context)


CLASSES = (
    CONVERT_FIELD_OT_add_shape,
    CONVERT_FIELD_OT_remove_shape,
    CONVERT_FIELD_OT_reorder_shape,
    CONVERT_FIELD_OT_add_field_erase,
    CONVERT_FIELD_OT_find_floaters,
    CONVERT_FIELD_OT_apply_edits,
    CONVERT_FIELD_OT_merge_fields,
)
