"""Operators of the third step: edit shapes, applying them, and merging fields."""

import bpy
from bpy.props import EnumProperty, FloatProperty, StringProperty
from bpy.types import Context, Object, OperatorProperties

from ... import api
from ...scene.edit_properties import OPERATIONS
from ...scene.edit_shapes import is_shape, remove_shape
from ...scene.frame import frame_of
from ...state.properties import active_frame
from ...volume.field_nodes import nodes_can_edit
from .base import (
    DensityJobOperator,
    GuardedOperator,
    JobOperator,
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

    op: EnumProperty(name="Effect", description="What the shape does", items=OPERATIONS)
    shape: EnumProperty(name="Shape", description="The shape's form", items=SHAPES)

    @classmethod
    def description(cls, _context: Context, properties: OperatorProperties) -> str:
        """Return the tooltip of each button."""
        effect = next(text for key, _, text in OPERATIONS if key == properties.op)
        form = next(text for key, _, text in SHAPES if key == properties.shape)
        return f"{form}: {effect.lower()}. Move, turn and scale it as any object"

    @classmethod
    def why_not(cls, context: Context) -> str | None:
        """Return why no shape can be added."""
        return why_no_capture(context)

    def act(self, context: Context) -> None:
        """Add the shape, or mark the meshes."""
        frame = active_frame(context)
        if self.shape != "meshes":
            _select_only(context, api.add_shape(frame, self.op, self.shape))
            return
        meshes = [item for item in context.selected_objects if item.type == "MESH"]
        if not meshes:
            raise api.ConvertFieldError("No mesh is selected; select the closed meshes to use.")
        api.mark_meshes(frame, meshes, self.op)


class CONVERT_FIELD_OT_remove_shape(GuardedOperator):
    """Take a shape out of the edits."""

    bl_idname = "convert_field.remove_shape"
    bl_label = "Remove Edit Shape"
    bl_description = (
        "Delete this box or sphere and its own target; a mesh stays in the scene and is only "
        "unmarked"
    )
    bl_options = {"REGISTER", "UNDO"}

    name: StringProperty(name="Shape", description="Name of the shape's object")

    def act(self, _context: Context) -> None:
        """Remove it."""
        item = bpy.data.objects.get(self.name)
        if not is_shape(item):
            raise api.ConvertFieldError(f"There is no edit shape '{self.name}'.")
        remove_shape(item)


class CONVERT_FIELD_OT_add_field_erase(GuardedOperator):
    """Give the volume of the selected field the node group Field Erase."""

    bl_idname = "convert_field.add_field_erase"
    bl_label = "Erase by Nodes"
    bl_description = (
        "Give the volume of the selected field geometry nodes that erase what lies in a new box; "
        "what any modifiers take away from a field's volume is erased when edits are applied"
    )
    bl_options = {"REGISTER", "UNDO"}

    @classmethod
    def why_not(cls, context: Context) -> str | None:
        """Return why nodes cannot edit the field."""
        if not nodes_can_edit():
            return "Nodes can edit volumes from Blender 5.0 on"
        return why_no_density(context)

    def act(self, context: Context) -> None:
        """Add it, and select the box."""
        _select_only(context, api.add_field_erase(active_frame(context)))


class CONVERT_FIELD_OT_find_floaters(DensityJobOperator):
    """Find what hangs in the air beside a field's large parts."""

    bl_idname = "convert_field.find_floaters"
    bl_label = "Find Floaters"
    bl_description = (
        "Look for small parts of the selected field that hang in the air, and show them as an edit "
        "shape that erases them when edits are applied"
    )
    bl_options = {"REGISTER"}

    below: FloatProperty(
        name="Smaller Than",
        description="Parts smaller than this share of the largest one float",
        default=1.0,
        min=0.001,
        max=100.0,
        subtype="PERCENTAGE",
    )

    def act(self, context: Context) -> None:
        """Look for them."""
        api.find_floaters(self.frame(context), self.below / 100, wait=self.wait)


class CONVERT_FIELD_OT_apply_edits(DensityJobOperator):
    """Apply the shapes to the selected field."""

    bl_idname = "convert_field.apply_edits"
    bl_label = "Apply Edits"
    bl_description = (
        "Make an edited field of the selected one with the shapes in the list, from top to "
        "bottom; nothing is lost, and applying again after moving a shape starts from the "
        "unedited field"
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
    """Make one field of those whose volumes are selected."""

    bl_idname = "convert_field.merge_fields"
    bl_label = "Merge Fields"
    bl_description = (
        "Make one field of those whose volumes are selected, each where its volume stands; "
        "volumes may be moved, turned, scaled on all axes alike and copied. The merged field "
        "belongs to the capture of the active volume"
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
        return "There is no capture that the merged field could belong to; import one first"
    return None


def _selected_volumes(context: Context) -> list[Object]:
    """Return the selected objects that show a field."""
    return [item for item in context.selected_objects if item.convert_field.shown_field]


def _merge_frame(context: Context) -> Object | None:
    """Return the frame of the active volume's capture; of a volume without one, the panels'."""
    return frame_of(context.active_object) or active_frame(context)


def _select_only(context: Context, item: Object) -> None:
    """Make a new object the selection, as Blender's own add operators do."""
    for other in context.selected_objects:
        other.select_set(False)
    context.view_layer.update()
    item.select_set(True)
    context.view_layer.objects.active = item


CLASSES = (
    CONVERT_FIELD_OT_add_shape,
    CONVERT_FIELD_OT_remove_shape,
    CONVERT_FIELD_OT_add_field_erase,
    CONVERT_FIELD_OT_find_floaters,
    CONVERT_FIELD_OT_apply_edits,
    CONVERT_FIELD_OT_merge_fields,
)
