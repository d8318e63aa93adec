"""The layout of a binary glTF file: its JSON, its bytes, and the arrays that accessors name."""

import contextlib
import json
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from ...errors import UserError
from ...files.file_input import opened
from ...files.json_input import decoded_json

MAGIC = b"glTF"
MAX_BYTES = (1 << 32) - 1
"""Largest file that the format can state."""

CHUNK = struct.Struct("<I4s")
"""Length and kind of a chunk."""

JSON_AT = 20
"""First byte of the JSON."""

MAX_JSON_BYTES = 1 << 25
MAX_JSON_VALUES = 1_000_000
"""Most commas and brackets of the JSON; a cloud of splats has about 500."""

FLOAT = 5126
"""Code of the component type float32."""

_COMPONENTS = {
    5120: np.dtype("<i1"),
    5121: np.dtype("<u1"),
    5122: np.dtype("<i2"),
    5123: np.dtype("<u2"),
    FLOAT: np.dtype("<f4"),
}
_WIDTHS = {"SCALAR": 1, "VEC2": 2, "VEC3": 3, "VEC4": 4}


@dataclass(frozen=True)
class Glb:
    """An open binary glTF file.

    Attributes
    ----------
    path : Path
    content : dict
        The decoded JSON.
    file : binary file
        Open; arrays are read from it when they are asked for.
    begin, size : int
        First byte of the binary chunk, and its length.
    """

    path: Path
    content: dict[str, Any]
    file: BinaryIO
    begin: int
    size: int

    def item(self, kind: str, index: Any) -> dict[str, Any]:
        """Return an entry of a list of the file, such as an accessor.

        Raises
        ------
        UserError
            There is no such entry.
        """
        entries = self.content.get(kind)
        if (
            not isinstance(entries, list)
            or not isinstance(index, int)
            or not 0 <= index < len(entries)
            or not isinstance(entries[index], dict)
        ):
            raise self.damaged(f"it names an entry of {kind} that it does not have")
        return entries[index]

    def array(self, index: Any, width: int) -> np.ndarray:
        """Return the values (count, width) float32 of an accessor, normalised ones as fractions.

        Raises
        ------
        UserError
            The accessor is of another kind, or reaches beyond the file.
        """
        accessor = self.item("accessors", index)
        kind = _COMPONENTS.get(_whole(accessor.get("componentType")))
        count, offset = _whole(accessor.get("count")), _whole(accessor.get("byteOffset", 0))
        if kind is None or _WIDTHS.get(str(accessor.get("type"))) != width or count < 1:
            raise self.damaged("an array has another type than its splats need")
        if "sparse" in accessor or "bufferView" not in accessor:
            raise self.damaged("an array is sparse, which splats are not")
        view = self.item("bufferViews", accessor["bufferView"])
        row = kind.itemsize * width
        stride = _whole(view.get("byteStride", row))
        start, size = _whole(view.get("byteOffset", 0)), _whole(view.get("byteLength"))
        fits = 0 <= start <= start + size <= self.size
        if view.get("buffer") != 0 or not fits or stride < row or offset < 0:
            raise self.damaged("an array reaches beyond its end")
        span = stride * (count - 1) + row
        if offset + span > size:
            raise self.damaged("an array reaches beyond its end")
        self.file.seek(self.begin + start + offset)
        data = self.file.read(span)
        if len(data) < span:
            raise self.damaged("an array reaches beyond its end")
        stored = np.ndarray((count, width), kind, data, 0, (stride, kind.itemsize))
        if kind.kind == "f":
            return stored.astype(np.float32)
        if accessor.get("normalized") is not True:
            raise self.damaged("an array has whole numbers where it needs fractions")
        return np.maximum(stored / np.float32(np.iinfo(kind).max), -1).astype(np.float32)

    def damaged(self, reason: str) -> UserError:
        """Return the error that the file is damaged."""
        return UserError(f"{self.path} is damaged: {reason}; export it again.")


@contextlib.contextmanager
def opened_glb(path: Path) -> Iterator[Glb]:
    """Open a binary glTF file of version 2 with one buffer of its own; only its JSON is read.

    Raises
    ------
    UserError
        The file cannot be read or is damaged.
    """
    with opened(path, MAX_BYTES) as file:
        length = file.seek(0, 2)
        file.seek(0)
        head = file.read(JSON_AT)
        if not head.startswith(MAGIC) or len(head) < JSON_AT:
            raise UserError(f"{path} is not a .glb file; save glTF as one binary file.")
        version, total, json_bytes, kind = struct.unpack_from("<II I4s", head, 4)
        if version != 2 or kind != b"JSON" or total > length or json_bytes > length - JSON_AT:
            raise UserError(f"{path} is cut off, or not of glTF version 2; export it again.")
        if json_bytes > MAX_JSON_BYTES:
            raise UserError(
                f"{path} holds too much JSON for splats; check that it is the right file."
            )
        content = _content(file.read(json_bytes), path)
        begin, size = JSON_AT + json_bytes + CHUNK.size, 0
        head = file.read(CHUNK.size)
        if len(head) == CHUNK.size:
            stated, kind = CHUNK.unpack(head)
            size = stated if kind == b"BIN\0" and stated <= length - begin else 0
        yield Glb(path, content, file, begin, size)


def _content(data: bytes, path: Path) -> dict[str, Any]:
    """Return the decoded JSON of a file."""
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError as error:
        raise UserError(f"{path} is damaged: its JSON is not text; export it again.") from error
    content = decoded_json(text, path, MAX_JSON_VALUES)
    if not isinstance(content, dict):
        raise UserError(f"{path} is damaged: its JSON is not an object; export it again.")
    return content


def glb_bytes(content: dict[str, Any], binary: bytes) -> bytes:
    """Return a binary glTF file of its JSON and its binary chunk."""
    text = json.dumps(content, separators=(",", ":"), allow_nan=False).encode()
    text += b" " * (-len(text) % 4)
    binary += b"\0" * (-len(binary) % 4)
    total = 12 + 8 + len(text) + 8 + len(binary)
    return b"".join(
        [
            MAGIC + struct.pack("<II", 2, total),
            struct.pack("<I4s", len(text), b"JSON") + text,
            struct.pack("<I4s", len(binary), b"BIN\0") + binary,
        ]
    )


def _whole(value: Any) -> int:
    """Return a whole number, or -1, which no number of a sound file is."""
    return value if isinstance(value, int) and not isinstance(value, bool) else -1
