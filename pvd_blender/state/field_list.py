"""Field files that already exist, in a capture's list."""

from pathlib import Path

from bpy.types import Object

from ..texts import FIGURES
from .field_file import FieldFacts
from .figures import store
from .properties import NO_MEASURE, FieldItem, find_field, list_field


def list_field_file(frame: Object, path: Path, facts: FieldFacts) -> FieldItem:
    """Add a field file to a frame's list with its facts, and select it; a known one is selected."""
    known = find_field(frame, str(path))
    if known is not None:
        state = frame.convert_field
        state.active_field = list(state.fields).index(known)
        return known
    item = list_field(frame, str(path), facts.role)
    item.architecture = facts.architecture
    item.seconds = NO_MEASURE if facts.seconds is None else facts.seconds
    for key in FIGURES:
        store(getattr(item, key), facts.figures[key])
    return item
