"""Properties of an object as an edit shape: its effect on the field inside it."""

from bpy.props import (
    EnumProperty,
    FloatProperty,
    FloatVectorProperty,
    PointerProperty,
    StringProperty,
)
from bpy.types import Context, Object, PropertyGroup

OPERATIONS = (
    ("erase", "Erase", "Remove the field inside the shape"),
    ("keep", "Keep", "Remove the field outside all keep shapes"),
    ("move", "Move", "Move the content of the shape to its target"),
    ("duplicate", "Duplicate", "Show the content of the shape at its target as well"),
    ("scale_density", "Scale Density", "Make the field inside the shape denser or thinner"),
    ("tint", "Tint", "Multiply the colours of the field inside the shape"),
)
PLACING = ("move", "duplicate")
"""Operations that show a part of the field somewhere else."""

MOST_FACTOR = 1e6
"""Largest factor of density and of colours."""


def tag_owner(group: PropertyGroup, _context: Context) -> None:
    """Tell Blender that a view or a render must show a changed value.

    Values of an add-on do not do that by themselves, above all not when a script sets them.
    """
    group.id_data.update_tag()


class EditShape(PropertyGroup):
    """The properties of an edit shape."""

    op: EnumProperty(
        name="Effect",
        description="Effect on the field inside the shape",
        items=OPERATIONS,
        update=tag_owner,
    )
    form: StringProperty(
        name="Form",
        description="box, sphere or mesh; empty for an object that is no edit shape",
        options={"HIDDEN"},
        update=tag_owner,
    )
    uid: StringProperty(
        name="Identity",
        description="Identity of this shape, by which a field's file names it",
        options={"HIDDEN"},
        update=tag_owner,
    )
    frame: PointerProperty(
        name="Capture",
        description="Frame of the capture whose fields the shape edits",
        type=Object,
        update=tag_owner,
    )
    target: PointerProperty(
        name="To",
        description="Object that the content goes to: it lies in this object as it lies in the "
        "shape, so an object of the shape's own scale keeps the size",
        type=Object,
        update=tag_owner,
    )
    factor: FloatProperty(
        name="Factor",
        description="Factor of the density; 0 erases",
        default=0.5,
        min=0.0,
        soft_max=10.0,
        max=MOST_FACTOR,
        update=tag_owner,
    )
    color: FloatVectorProperty(
        name="Tint",
        description="Factors of red, green and blue; white changes nothing",
        subtype="COLOR_GAMMA",
        size=3,
        default=(1.0, 1.0, 1.0),
        min=0.0,
        soft_max=1.0,
        max=MOST_FACTOR,
        update=tag_owner,
    )
    soft: FloatProperty(
        name="Soft Edge",
        description="Width, beyond the shape's border, over which the effect fades out",
        default=0.0,
        min=0.0,
        soft_max=10.0,
        subtype="DISTANCE",
        update=tag_owner,
    )


def shape_of(item: Object) -> EditShape:
    """Return an object's properties as an edit shape."""
    return item.convert_field.shape


CLASSES = (EditShape,)
