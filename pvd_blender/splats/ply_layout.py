"""The layout of a binary ``.ply``: its elements and their properties, checked against its size."""

import re
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import numpy as np

from ..errors import ConvertFieldError
from ..texts import printable

MAX_HEADER_BYTES = 1 << 16
"""Most bytes of a header; that of 3DGS has about 1500."""

LONGEST_QUOTE = 60
"""Longest part of a file that a message quotes, characters."""

TYPES = {
    **dict.fromkeys(("char", "int8"), "i1"),
    **dict.fromkeys(("uchar", "uint8"), "u1"),
    **dict.fromkeys(("short", "int16"), "<i2"),
    **dict.fromkeys(("ushort", "uint16"), "<u2"),
    **dict.fromkeys(("int", "int32"), "<i4"),
    **dict.fromkeys(("uint", "uint32"), "<u4"),
    **dict.fromkeys(("float", "float32"), "<f4"),
    **dict.fromkeys(("double", "float64"), "<f8"),
}


@dataclass(frozen=True)
class Element:
    """An element of the file: `count` rows of `dtype`, from byte `offset` on."""

    count: int
    dtype: np.dtype
    offset: int


def read_layout(file: BinaryIO, path: Path) -> dict[str, Element]:
    """Read the header of a binary little-endian ``.ply``.

    Parameters
    ----------
    file : binary file
        At its start.
    path : Path
        For messages.

    Returns
    -------
    dict
        The elements up to the first one with a list, which splats do not have, by name. All their
        bytes are there.

    Raises
    ------
    ConvertFieldError
        The header is damaged, the file is of another kind, or shorter than its header states.
    """
    head = file.read(MAX_HEADER_BYTES)
    end = re.search(rb"\nend_header\r?\n", head)
    if not head.startswith(b"ply") or end is None:
        raise ConvertFieldError(
            f"{path} has no complete .ply header; it is damaged, so get it again."
        )
    lines = [line.split() for line in head[: end.start()].decode("latin-1").splitlines()[1:]]
    lines = [words for words in lines if words and words[0] not in ("comment", "obj_info")]
    if not lines or lines[0] != ["format", "binary_little_endian", "1.0"]:
        raise ConvertFieldError(
            f"{path} is not a binary little-endian .ply; save it again as one, as programs for "
            "splats do."
        )
    start, size = end.end(), file.seek(0, 2)
    elements: dict[str, Element] = {}
    for name, count, fields in _stated(lines[1:], path):
        if fields is None:
            break
        dtype = np.dtype(fields)
        if count * dtype.itemsize > size - start:
            raise ConvertFieldError(
                f"{path} is shorter than its header states: {count} rows of {_quoted(name)}; it is "
                "cut off, so get it again."
            )
        elements[name] = Element(count, dtype, start)
        start += count * dtype.itemsize
    return elements


def _stated(
    lines: list[list[str]], path: Path
) -> list[tuple[str, int, list[tuple[str, str]] | None]]:
    """Return name, count and fields of each element; None where it has a list."""
    stated: list[tuple[str, int, list[tuple[str, str]] | None]] = []
    for words in lines:
        match words:
            case ["element", name, count] if re.fullmatch("[0-9]{1,12}", count):
                stated.append((name, int(count), []))
            case ["property", "list", _, _, _] if stated:
                stated[-1] = (*stated[-1][:2], None)
            case ["property", kind, name] if stated and kind in TYPES:
                fields = stated[-1][2]
                if fields is not None:
                    fields.append((name, TYPES[kind]))
            case _:
                raise _damaged(path, " ".join(words))
    names = [name for name, _, _ in stated]
    for name, _, fields in stated:
        properties = [one for one, _ in fields or ()]
        if len(set(properties)) < len(properties) or names.count(name) > 1:
            raise _damaged(path, f"element {name}")
    return stated


def header(count: int, names: list[str]) -> bytes:
    """Return the header of a file with one element of vertices, all of whose values are float32."""
    lines = ["ply", "format binary_little_endian 1.0", f"element vertex {count}"]
    lines += [f"property float {name}" for name in names]
    return "\n".join([*lines, "end_header", ""]).encode("ascii")


def _damaged(path: Path, line: str) -> ConvertFieldError:
    return ConvertFieldError(
        f"{path} has a damaged header at '{_quoted(line)}'; it is damaged, so get it again."
    )


def _quoted(text: str) -> str:
    shown = printable(text).encode("ascii", "backslashreplace").decode("ascii")
    return shown if len(shown) <= LONGEST_QUOTE else f"{shown[:LONGEST_QUOTE]}…"
