"""The objects that show a capture's fields: one at a time, since their densities would add up."""

from collections.abc import Iterator

from bpy.types import Object

from .properties import FieldItem


def displays(item: FieldItem) -> Iterator[Object]:
    """Yield the objects in the scene that show a field: its volume and its splats."""
    for shown in (item.volume, item.splats):
        # A deleted object stays in the pointer until the file is saved, but is in no scene.
        if shown is not None and shown.users_scene:
            yield shown


def show_only(frame: Object, shown: Object) -> None:
    """Show an object of a field, and no other one of the capture's fields."""
    for item in frame.convert_field.fields:
        for display in displays(item):
            hide(display, display != shown)


def hide(item: Object, hidden: bool) -> None:
    """Hide an object in views and renders, or show it."""
    item.hide_viewport = hidden
    item.hide_render = hidden
