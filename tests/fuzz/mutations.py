"""Ways to break a file: its bytes, its numbers, what its JSON or archive holds, what it is."""

import io
import json
import os
import re
import shutil
import struct
import tokenize
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from hypothesis import strategies as st
from PIL import Image

DEEP: list[Any] = []
for _ in range(60):
    DEEP = [DEEP]

NASTY: tuple[Any, ...] = (
    *(float("nan"), float("inf"), -float("inf"), 1e308, -1e308, 1e30, 1e-308, -0.0, 0, 1, -1),
    *(0.5, 1e-6, 3.5, 90, 1000, 65536, 2**31, 2**63, 2**64, 10**400, True, False, None),
    *("", " ", "0", "nan", "1e999", "../../../etc/passwd", "/etc/passwd", "C:\\x.png", "é ü.png"),
    *("a\0b", "\ud800", "\u2028", "x" * 5000, "images/000.png", "OPENCV_FISHEYE", "FOV"),
    *([], {}, [0], [[0]], [1e308] * 3, [[-1, -1, -1], [1, 1, 1]], [[0] * 4] * 4, {"k1": 1}),
    *([1e-30] * 3, [[1, 0, 0, 0], [0, 1, 0, 0], [0, 0, 1, 0], [0, 0, 0, 1]], DEEP),
)
"""Values that a careless reader believes."""

KEYS = (
    *("fl_x", "fl_y", "cx", "cy", "w", "h", "k1", "k2", "k3", "k4", "p1", "camera_angle_x"),
    *("x_fov", "camera_model", "is_fisheye", "aabb_scale", "scale", "offset", "aabb", "file_path"),
    *("applied_transform", "applied_scale", "transform_matrix", "frames", "train_filenames"),
    *("ply_file_path", "mask_path", "resolution", "depth_range", "view_cell_size", "soft", "to"),
)
NUMBERS = (0, 1, 2, 7, 255, 256, 2**16, 2**31 - 1, 2**31, 2**32 - 1, 2**63 - 1, 2**64 - 1)
FLOATS = (float("nan"), float("inf"), 1e308, -1e308, 1e30, 1e-308, 0.0, -1.0, 1e12)
NAMES = ("IMG_1.JPG", "Ünïcode 例.png", "a b.png", ".hidden.png", "-x.png", "'.png", "x" * 200)
PICTURES = ("I;16", "F", "CMYK", "LA", "P", "1", "L", "RGBA", "YCbCr", "OpenEXR", "wide", "dot")
PICTURE_ENDINGS = (".png", ".jpg", ".jpeg", ".webp", ".tif", ".bmp")
TEXT_ENDINGS = (".txt", ".csv", ".ply")


@dataclass(frozen=True)
class Mutation:
    """One change of one file of a folder.

    The numbers are taken modulo what there is to choose from, so that every mutation fits every
    folder.

    Attributes
    ----------
    file, way, place, extra : int
        Which file, what is done with it, where, and how much.
    value : Any
        Of `NASTY`.
    patch : bytes
    """

    file: int
    way: int
    place: int
    extra: int
    value: Any
    patch: bytes


ANY = st.integers(0, 2**20)
MUTATIONS = st.lists(
    st.builds(Mutation, ANY, ANY, ANY, ANY, st.sampled_from(NASTY), st.binary(max_size=12)),
    min_size=1,
    max_size=2,
)
"""What is done to one input."""


def mutate(folder: Path, mutations: list[Mutation]) -> None:
    """Change files of a folder; pictures less often than what describes them."""
    for mutation in mutations:
        files = sorted(path for path in folder.rglob("*") if path.is_file())
        described = [path for path in files if path.suffix.lower() not in PICTURE_ENDINGS]
        chosen = files if mutation.way % 5 == 0 or not described else described
        if chosen:
            _change(_pick(chosen, mutation.file), mutation)


def _pick(choices, number: int):
    return choices[number % len(choices)]


def _change(path: Path, mutation: Mutation) -> None:
    ways: list[Callable[[Path, Mutation], None]] = [_bytes, _bytes, _numbers]
    suffix = path.suffix.lower()
    if mutation.way % 16 == 0:
        ways = [_file]
    elif suffix == ".json":
        ways += [_json] * 9
    elif suffix == ".safetensors":
        ways += [_header] * 9
    elif suffix in TEXT_ENDINGS:
        ways += [_words] * 6
    elif suffix in (".npz", ".npy"):
        ways += [_arrays] * 6
    elif suffix in PICTURE_ENDINGS:
        ways += [_picture] * 2
    _pick(ways, mutation.way // 16)(path, mutation)


def _bytes(path: Path, mutation: Mutation) -> None:
    """Overwrite, insert, remove, repeat or cut off bytes."""
    data = path.read_bytes()
    start = mutation.place % (len(data) + 1)
    length = mutation.extra % 64
    changed = (
        data[:start] + mutation.patch + data[start + len(mutation.patch) :],
        data[:start] + mutation.patch + data[start:],
        data[:start] + data[start + length :],
        data[: start + length] + data[start:],
        data[:start],
        b"",
    )
    path.write_bytes(_pick(changed, mutation.extra // 64))


def _numbers(path: Path, mutation: Mutation) -> None:
    """Put a count or a float that lies where a binary file may have one."""
    data = bytearray(path.read_bytes())
    value = mutation.extra
    coded = (
        struct.pack("<Q", _pick(NUMBERS, value)),
        struct.pack("<I", _pick(NUMBERS, value) & 0xFFFFFFFF),
        struct.pack(">I", _pick(NUMBERS, value) & 0xFFFFFFFF),
        struct.pack("<d", _pick(FLOATS, value)),
        struct.pack("<f", np.float32(np.clip(_pick(FLOATS, value), -3e38, 3e38))),
    )
    word = _pick(coded, mutation.file)
    start = mutation.place % (len(data) + 1)
    data[start : start + len(word)] = word
    path.write_bytes(data)


def _json(path: Path, mutation: Mutation) -> None:
    """Change what a JSON file holds."""
    try:
        content = json.loads(path.read_text())
    except (ValueError, RecursionError):
        _bytes(path, mutation)
        return
    path.write_text(json.dumps(_changed(content, mutation)))


def _header(path: Path, mutation: Mutation) -> None:
    """Change the header of a field file: the JSON text within the JSON that names its tensors."""
    data = path.read_bytes()
    try:
        end = 8 + int.from_bytes(data[:8], "little")
        outer = json.loads(data[8:end])
        inner = json.loads(outer["__metadata__"]["pvd_field"])
    except (ValueError, KeyError, TypeError, RecursionError):
        _bytes(path, mutation)
        return
    if mutation.file % 8 == 0:
        outer = _changed(outer, mutation)
    else:
        outer["__metadata__"]["pvd_field"] = json.dumps(_changed(inner, mutation))
    head = json.dumps(outer).encode()
    path.write_bytes(len(head).to_bytes(8, "little") + head + data[end:])


def _changed(content: Any, mutation: Mutation) -> Any:
    """Decoded JSON with a value replaced, added, removed or scaled."""
    holders = _holders(content)
    if not holders or mutation.extra % 64 == 0:
        return mutation.value
    holder = holders[0] if mutation.extra % 3 == 0 else _pick(holders, mutation.place)
    keys = list(holder) if isinstance(holder, dict) else list(range(len(holder)))
    way = mutation.extra // 3 % 8
    if isinstance(holder, dict) and (way < 3 or not keys):
        holder[_pick(KEYS, mutation.extra // 64)] = mutation.value
    elif not keys:
        holder.append(mutation.value)
    elif way == 3:
        del holder[_pick(keys, mutation.file)]
    elif way == 4 and isinstance(holder, list):
        holder.append(holder[_pick(keys, mutation.file)])
    elif way == 5:
        _scale(holder, _pick((-1, 0, 1e-13, 1e-5, 3.7, 1e5, 1e11, 1e200), mutation.file))
    else:
        holder[_pick(keys, mutation.file)] = mutation.value
    return content


def _scale(holder: Any, factor: float) -> None:
    """Multiply all numbers below an object or list."""
    for inner in _holders(holder):
        for key, value in list(inner.items() if isinstance(inner, dict) else enumerate(inner)):
            if type(value) in (int, float) and abs(value) < 1e300:
                inner[key] = value * factor


def _holders(content: Any) -> list[Any]:
    """All objects and lists in a decoded file, outermost first."""
    found = [content] if isinstance(content, dict | list) else []
    for holder in found:
        children = holder.values() if isinstance(holder, dict) else holder
        found.extend(child for child in children if isinstance(child, dict | list))
    return found


def _words(path: Path, mutation: Mutation) -> None:
    """Replace a word of a text, or remove or repeat one of its lines."""
    text = path.read_bytes().decode("latin-1")
    if mutation.extra % 4 == 0:
        lines = text.splitlines(keepends=True)
        if lines:
            line = mutation.place % len(lines)
            lines[line : line + 1] = [lines[line]] * (2 if mutation.extra % 8 else 0)
        changed = "".join(lines).encode("latin-1")
    else:
        words = list(re.finditer(r"[^\s,]+", text))
        if not words:
            return
        word = _pick(words, mutation.place)
        value = str(mutation.value).encode("utf-8", "surrogatepass")
        changed = text[: word.start()].encode("latin-1") + value
        changed += text[word.end() :].encode("latin-1")
    path.write_bytes(changed)


def _arrays(path: Path, mutation: Mutation) -> None:
    """Change an array of a NumPy file: a number in it, its type, its shape or its bytes."""
    if path.suffix == ".npy":
        path.write_bytes(_array(path.read_bytes(), mutation))
        return
    try:
        with zipfile.ZipFile(path) as archive:
            members = {entry.filename: archive.read(entry) for entry in archive.infolist()}
    except (zipfile.BadZipFile, NotImplementedError, RuntimeError, OSError, ValueError):
        return
    if not members:
        return
    name = _pick(sorted(members), mutation.file)
    if mutation.extra % 10 == 0:
        members[f"{name}x"] = members.pop(name)
    elif mutation.extra % 10 == 1:
        members[name] = npy(np.zeros(4_000_000))
    else:
        members[name] = _array(members[name], mutation)
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for member, data in members.items():
            archive.writestr(member, data)


def npy(array: np.ndarray) -> bytes:
    """An array as an ``.npy`` file."""
    stream = io.BytesIO()
    np.save(stream, array)
    return stream.getvalue()


def _array(data: bytes, mutation: Mutation) -> bytes:
    try:
        array = np.load(io.BytesIO(data), allow_pickle=False)
        header = data[: data.index(b"\n") + 1]
    except (ValueError, EOFError, OSError, SyntaxError, MemoryError, tokenize.TokenError):
        return data
    if mutation.extra % 6 == 0:
        return npy(array.reshape(-1)[: mutation.place % (array.size + 1)])
    if mutation.extra % 6 == 1:
        return npy(
            array.astype(_pick(("f2", "i1", "u8", "c16", "S4", "?", "M8[s]"), mutation.place))
        )
    if mutation.extra % 6 == 2:
        start = mutation.place % len(header)
        return data[:start] + mutation.patch + data[start + len(mutation.patch) :]
    changed = np.array(array)
    if changed.size and changed.dtype.kind == "f":
        with np.errstate(over="ignore"):
            changed.reshape(-1)[mutation.place % changed.size] = _pick(FLOATS, mutation.extra)
    return npy(changed)


def _picture(path: Path, mutation: Mutation) -> None:
    """Put another kind of picture under the name."""
    kind = _pick(PICTURES, mutation.place)
    size = {"wide": (4096, 2), "dot": (1, 1)}.get(kind, (8, 6))
    stream = io.BytesIO()
    if kind == "OpenEXR":
        stream.write(b"\x76\x2f\x31\x01" + bytes(64))
    elif kind in ("F", "CMYK", "YCbCr"):
        Image.new(kind, size).save(stream, "TIFF")
    else:
        mode = kind if kind in ("I;16", "LA", "P", "1", "L", "RGBA") else "RGB"
        exif = Image.Exif()
        exif[0x0112] = mutation.extra % 12
        Image.new(mode, size).save(stream, "PNG", exif=exif)
    path.write_bytes(stream.getvalue())


def _file(path: Path, mutation: Mutation) -> None:
    """Make a file something else: nothing, a folder, a link, a pipe, or one of another name."""
    way = mutation.place % 9
    if way == 7:
        path.rename(path.with_name(_pick(NAMES, mutation.extra)))
        return
    if way == 8:
        path.rename(path.with_name(path.name.swapcase()))
        return
    path.unlink()
    if way == 0:
        path.mkdir()
    elif way == 1:
        path.symlink_to(path)
    elif way == 2:
        path.symlink_to(path.parent, target_is_directory=True)
    elif way == 3:
        path.symlink_to("/dev/zero")
    elif way == 4:
        os.mkfifo(path)
    elif way == 5:
        shutil.copyfile(__file__, path)
