"""Paths that the add-on keeps in a `.blend`: relative in the file, absolute while it is open.

Blender does so for its own images and volumes, but not for properties of add-ons. A project that is
moved as a whole finds its captures and fields again.
"""

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import bpy
from bpy.app.handlers import persistent
from bpy.types import ID, Object

from ..scene.cameras import DATASET_CAMERA, is_dataset_camera
from ..scene.frame import CAPTURE

ITEM_PATHS = ("path", "parent", "picture", "report")
CHANGES = ("save_post_fail", "blend_import_post")
"""Names of handlers that not every Blender from 4.2 on has."""


def make_relative(blend_file: Path) -> None:
    """Make every path relative to the folder of a `.blend` file."""
    start = str(blend_file.parent)
    _change(lambda path, _owner: bpy.path.relpath(path, start=start))
    # Blender keeps these relative by itself once they are.
    for item in _objects():
        if item.type == "VOLUME" and item.convert_field.shown_field and item.data.filepath:
            item.data.filepath = bpy.path.relpath(item.data.filepath, start=start)
        elif is_dataset_camera(item):
            for background in item.data.background_images:
                if background.image is not None and not background.image.packed_file:
                    path = bpy.path.relpath(background.image.filepath, start=start)
                    background.image.filepath_raw = path


def make_absolute() -> None:
    """Make every path absolute, those of linked objects from their library's file."""

    def whole(path: str, owner: ID) -> str:
        return os.path.normpath(bpy.path.abspath(path, library=owner.library))

    _change(whole, linked=True)


def _change(changed: Callable[[str, ID], str], linked: bool = False) -> None:
    for item in _objects(linked):
        state = item.convert_field
        for values, names in ((state, ("shown_field",)), *((f, ITEM_PATHS) for f in state.fields)):
            for name in names:
                _set(values, name, changed, item)
        if isinstance(item.get(CAPTURE), str) and item[CAPTURE]:
            item[CAPTURE] = changed(item[CAPTURE], item)
        if is_dataset_camera(item):
            camera = item.data[DATASET_CAMERA]
            path = camera.get("image_path") if hasattr(camera, "get") else None
            if path and isinstance(path, str):
                camera["image_path"] = changed(path, item.data)


def _set(values: object, name: str, changed: Callable[[str, ID], str], owner: ID) -> None:
    old = getattr(values, name)
    if old and (new := changed(old, owner)) != old:
        setattr(values, name, new)


def _objects(linked: bool = False) -> Iterator[Object]:
    return (item for item in bpy.data.objects if linked or item.library is None)


@persistent
def _before_save(file: str, *_arguments: object) -> None:
    if file and bpy.context.preferences.filepaths.use_relative_paths:
        make_relative(Path(file))


@persistent
def _afterwards(*_arguments: object) -> None:
    make_absolute()


def _handlers() -> list[list]:
    names = ("load_post", "save_post", *CHANGES)
    return [getattr(bpy.app.handlers, name) for name in names if hasattr(bpy.app.handlers, name)]


def register() -> None:
    """Listen for files that are opened and saved."""
    bpy.app.handlers.save_pre.append(_before_save)
    for handlers in _handlers():
        handlers.append(_afterwards)


def unregister() -> None:
    """Stop listening; an open file keeps absolute paths."""
    bpy.app.handlers.save_pre.remove(_before_save)
    for handlers in _handlers():
        handlers.remove(_afterwards)
