"""A scene's render settings, kept while something else is rendered."""

from collections.abc import Iterator
from contextlib import contextmanager, suppress

from bpy.types import Scene, bpy_struct


@contextmanager
def kept_settings(scene: Scene) -> Iterator[None]:
    """Restore a scene's camera and render settings at the end, whatever happens."""
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
    # The values of some settings depend on others (the colour depth on the file format), so a
    # value that is refused in the first round is set in the second.
    for _ in range(2):
        for key, value in values.items():
            now = getattr(part, key)
            if (tuple(now) if isinstance(value, tuple) else now) != value:
                with suppress(TypeError, AttributeError):
                    setattr(part, key, value)
