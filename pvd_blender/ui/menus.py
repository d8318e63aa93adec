"""Entries in Blender's own menus."""

import bpy
from bpy.types import Context, Menu


def _import(menu: Menu, _context: Context) -> None:
    menu.layout.operator("convert_field.import_splats", text="Gaussian Splats (Convert Field)")


def _export(menu: Menu, _context: Context) -> None:
    menu.layout.operator(
        "convert_field.save_splats", text="Gaussian Splats (.ply/.spz/.glb/.splat)"
    )


def register() -> None:
    """Add the entries of *File > Import* and *File > Export*."""
    bpy.types.TOPBAR_MT_file_import.append(_import)
    bpy.types.TOPBAR_MT_file_export.append(_export)


def unregister() -> None:
    """Remove them."""
    bpy.types.TOPBAR_MT_file_import.remove(_import)
    bpy.types.TOPBAR_MT_file_export.remove(_export)
