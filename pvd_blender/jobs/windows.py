"""Blender's open windows: redrawing panels, and showing results in open editors."""

from collections.abc import Iterator

import bpy
from bpy.types import Area, Image


def redraw_panels() -> None:
    """Have every window draw the panels of its 3D views and its preferences again."""
    for area in _areas("VIEW_3D", "PREFERENCES"):
        area.tag_redraw()


def show_image(image: Image) -> None:
    """Show an image in every open image editor."""
    for area in _areas("IMAGE_EDITOR"):
        area.spaces.active.image = image


def hide_relationship_lines() -> None:
    """Switch off the dotted line from every camera to the frame, which would cover the view."""
    for area in _areas("VIEW_3D"):
        area.spaces.active.overlay.show_relationship_lines = False


def _areas(*kinds: str) -> Iterator[Area]:
    for window in bpy.context.window_manager.windows:
        yield from (area for area in window.screen.areas if area.type in kinds)
