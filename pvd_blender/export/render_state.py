"""Keeping a scene's render settings while something else is rendered."""

from collections.abc import Iterator
from contextlib import contextmanager, suppress

from bpy.types import Scene, bpy_struct


@contextmanager
def kept_settings(scene: Scene) -> Iterator[None]:
    """Give a scene its camera and all its render settings back at the end, whatever happens."""
    parts = [
        scene.render,
        scene.render.image_settings,
        scene.view_settings,
        scene.display_settings,
        *(getattr(scene, name) for name in ("cycles", "eevee") if hasattr(scene, name)),
    ]
    camera = scene.camera
    before = [(part, _values(part)) for part in parts]
    try:
        yield
    finally:
        scene.camera = camera
        for part, values in before:
            _restore(part, values)


def _values(part: bpy_struct) -> dict:
    """Return the plain settings of a part: numbers, texts, choices and short lists of those."""
    values = {}
    for item in part.bl_rna.properties:
        if item.is_readonly or item.type in ("POINTER", "COLLECTION"):
            continue
        value = getattr(part, item.identifier)
        values[item.identifier] = tuple(value) if getattr(item, "is_array", False) else value
    return values


def _restore(part: bpy_struct, values: dict) -> None:
    # Which values a choice allows depends on other choices (a colour depth on the file format),
    # so what does not go in the first round goes in the second.
    for _ in range(2):
        for key, value in values.items():
            now = getattr(part, key)
            if (tuple(now) if isinstance(value, tuple) else now) != value:
                with suppress(TypeError, AttributeError):
                    setattr(part, key, value)
