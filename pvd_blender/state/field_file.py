"""Facts about a field from the header of its file."""

import functools
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ..engine.checked import Checked, decode_json, is_file, read_json_object
from ..engine.job import LONGEST_SECONDS
from ..errors import ConvertFieldError
from ..scene.cameras import MOST_SIDE, SMALLEST_FOCAL
from ..scene.intrinsics import Intrinsics
from ..scene.turntable import Viewpoints
from .figures import checked_figures

METADATA_KEY = "pvd_field"
"""Key of the engine's header in the metadata of a safetensors file."""

MOST_HEADER = 10_000_000
"""Largest header of a field file that is read, bytes."""

ROLES = {"edited_field": "EDITED", "merged_field": "MERGED", "light_field": "LIGHT"}
"""Roles of fields by their kind; a plain field is a teacher or a student."""


@dataclass(frozen=True)
class FieldFacts:
    """Facts that the list of a capture's fields shows about a field.

    Attributes
    ----------
    role : str
        Origin of the field, a key of `properties.ROLES`.
    architecture : str
        The engine's name of the architecture; empty for a field without one.
    seconds : float or None
        Time that it took to make the field.
    box : (2, 3) float64 array or None
        Corners of what the field shows, dataset frame.
    figures : dict of str to Checked or None
        The engine's figures by their keys: those of the report next to the file, or those that the
        file holds; of what was not measured None.
    """

    role: str
    architecture: str
    seconds: float | None
    box: np.ndarray | None
    figures: dict[str, Checked | None]


def field_facts(path: Path) -> FieldFacts:
    """Return the facts that a field file holds about its field.

    Raises
    ------
    ConvertFieldError
        When the file is no field.
    """
    header = _header(path)
    architecture, provenance = header.part("architecture"), header.part("provenance")
    made_by = provenance.text("made_by", "")
    plain = "STUDENT" if made_by.startswith("pvd convert") else "TEACHER"
    return FieldFacts(
        role=ROLES.get(header.text("kind"), plain),
        architecture=architecture.text("name", ""),
        seconds=provenance.number("seconds", None, 0.0, LONGEST_SECONDS),
        box=header.numbers("box", (2, 3), None),
        figures=_reported(path, provenance) or checked_figures(provenance.part("figures")),
    )


def _reported(path: Path, provenance: Checked) -> dict[str, Checked | None] | None:
    """Return the figures of the report next to a field file, if it is on that very field."""
    page = path.with_name(f"{path.with_suffix('').name}.report.json")
    try:
        report = read_json_object(page)
        if report.part("provenance").values == provenance.values:
            return checked_figures(report.part("figures"))
    except ConvertFieldError:  # none, or not the engine's: the field's own figures are there
        pass
    return None


def field_viewpoints(path: Path) -> Viewpoints | None:
    """Return where a field was seen from, or None where its file does not tell.

    Raises
    ------
    ConvertFieldError
        When the file is no field, or holds wrong values.
    """
    provenance = _header(path).part("provenance")
    if "viewpoints" not in provenance:
        return None
    seen = provenance.part("viewpoints")
    camera = seen.part("camera")
    up, distance = seen.numbers("up", (3,)), seen.numbers("distance", (2,))
    if not 1e-6 < abs(up).max() < 1e6 or distance.mean() <= 0:
        raise seen.wrong("up", "and the distance must not be zero")
    return Viewpoints(
        center=seen.numbers("center", (3,)),
        distance=float(distance.mean()),
        elevation=float(seen.numbers("elevation", (2,)).mean()),
        azimuth=tuple(seen.numbers("azimuth", (2,)).tolist()),
        up=up,
        lens=Intrinsics(
            width=camera.whole("width", low=1, high=MOST_SIDE),
            height=camera.whole("height", low=1, high=MOST_SIDE),
            **{key: camera.number(key, low=SMALLEST_FOCAL) for key in ("fx", "fy")},
            **{key: camera.number(key) for key in ("cx", "cy")},
        ),
    )


def contained_edits(path: Path) -> frozenset[str]:
    """Return the identities of the edits that a field, or any field that it comes from, has in it.

    Raises
    ------
    ConvertFieldError
        When the file is no field.
    """
    stamp = path.stat() if is_file(path) else None
    return _contained(path, *((stamp.st_mtime_ns, stamp.st_size) if stamp else (0, 0)))


@functools.lru_cache(maxsize=64)
def _contained(path: Path, _time: int, _size: int) -> frozenset[str]:
    return frozenset(_edit_ids(_header(path).values))


def _edit_ids(header: dict) -> Iterator[str]:
    """Yield the ids of all edits in a header, its provenance and the headers within."""
    waiting: list = [header]
    while waiting:
        value = waiting.pop()
        if isinstance(value, list):
            waiting.extend(value)
        elif isinstance(value, dict):
            waiting.extend(value.values())
            if "op" in value and isinstance(value.get("id"), str):
                yield value["id"]


def _header(path: Path) -> Checked:
    """Read the header; a safetensors file begins with its length and JSON."""
    blame = f"{path} is no field file, choose a .safetensors that this add-on or pvd has written"
    if not is_file(path):
        raise ConvertFieldError(f"{blame}: there is no such file.")
    try:
        with path.open("rb") as file:
            length = int.from_bytes(file.read(8), "little")
            if not 2 <= length <= min(MOST_HEADER, path.stat().st_size):
                raise ConvertFieldError(f"{blame}: its header is too long.")
            data = file.read(length)
    except OSError as error:
        raise ConvertFieldError(f"{blame}: it cannot be read ({error.strerror}).") from error
    metadata = Checked(decode_json(data, blame), blame).part("__metadata__")
    return Checked(decode_json(metadata.bytes(METADATA_KEY), blame), blame)
