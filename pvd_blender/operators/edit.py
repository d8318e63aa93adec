"""Operators of the third step: erase and keep shapes, and applying them."""

import bpy
from bpy.props import EnumProperty, StringProperty
from bpy.types import Context, Object, OperatorProperties

from .. import api
from ..properties import active_frame
from ..scene.edit_shapes import shape_operation, unmark
from .base import FieldJobOperator, GuardedOperator, settings_of, why_no_capture

OPERATIONS = (
    ("erase", "Erase", "Remove the field inside the shape"),
    ("keep", "Keep", "Remove the field outside all keep shapes"),
)
SHAPES = (
    ("box", "Box", "A box at the 3D cursor"),
    ("sphere", "Sphere", "A sphere at the 3D cursor"),
    ("meshes", "Selected Meshes", "The selected closed meshes"),
)


class CONVERT_FIELD_OT_add_shape(GuardedOperator):
    """Add an erase or keep shape."""

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
    """Take an erase or keep shape out of the edits."""

    bl_idname = "convert_field.remove_shape"
    bl_label = "Remove Edit Shape"
    bl_description = "Delete this box or sphere; a mesh stays in the scene and is only unmarked"
    bl_options = {"REGISTER", "UNDO"}

    name: StringProperty(name="Shape", description="Name of the shape's object")

    def act(self, _context: Context) -> None:
        """Remove it."""
        item = bpy.data.objects.get(self.name)
        if item is None or shape_operation(item) is None:
            raise api.ConvertFieldError(f"There is no edit shape '{self.name}'.")
        if item.type == "EMPTY":
            bpy.data.objects.remove(item)
        else:
            unmark(item)


class CONVERT_FIELD_OT_apply_edits(FieldJobOperator):
    """Apply the shapes to the selected field."""

    bl_idname = "convert_field.apply_edits"
    bl_label = "Apply Edits"
    bl_description = (
        "Make an edited field of the selected one with the erase and keep shapes; nothing is lost, "
        "and applying again after moving a shape starts from the unedited field"
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
    CONVERT_FIELD_OT_apply_edits,
)
