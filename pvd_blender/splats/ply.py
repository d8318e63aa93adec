"""The ``.ply`` of 3DGS, read and written by numpy alone.

Scales stand as logarithms, opacities as logits, quaternions w, x, y, z of any length, and the
coefficients of the higher bands channel by channel: all of red, all of green, all of blue. The file
does not say which way its axes point, so it is read and written as it is.

Values are decoded by the steps, in float32, of Blender's own importer, and what is written is
chosen so that these steps give the same bits again.
"""

from collections.abc import Callable
from pathlib import Path

import numpy as np

from ..engine.checked import is_file
from ..errors import ConvertFieldError
from .cloud import Splats, sound_splats
from .ply_layout import Element, header, read_layout

POSITION = ["x", "y", "z"]
NORMAL = ["nx", "ny", "nz"]
DC = ["f_dc_0", "f_dc_1", "f_dc_2"]
SCALE = ["scale_0", "scale_1", "scale_2"]
ROTATION = ["rot_0", "rot_1", "rot_2", "rot_3"]
OPACITY = "opacity"
REST = "f_rest_"
REST_COUNTS = (0, 9, 24, 45, 72)
"""Numbers of coefficients of the higher bands, of degrees 0 to 4."""

LARGEST_LOGIT = 110.0
"""Logits and logarithms are written up to here: their sigmoid is 0 or 1 as float32."""

LENGTHS = 1 + np.arange(1, 2**14) / 2**17
"""Lengths of quaternions that are tried for one that is normalised to the same bits."""

PART = 32
"""Parts of a factor of two in which the C library computes exponentials."""

CUBIC = [
    float.fromhex(digits) / PART**power
    for power, digits in (
        (3, "0x1.c6af84b912394p-5"),
        (2, "0x1.ebfce50fac4f3p-3"),
        (1, "0x1.62e42ff0c52d6p-1"),
    )
]
"""Coefficients of its polynomial for 2^x - 1 in one part, the highest power first."""


def read_ply(path: Path) -> tuple[Splats, list[str]]:
    """Read a ``.ply`` of 3DGS.

    Returns
    -------
    splats : Splats
    notes : list of str
        How many splats were left out, a sentence.

    Raises
    ------
    ConvertFieldError
        The file cannot be read, is damaged, or holds no splats; nothing is allocated before its
        size is compared with what its header states.
    """
    if not is_file(path):  # nor a pipe, which would be waited for
        raise ConvertFieldError(f"There is no file {path}; choose a .ply of splats.")
    try:
        with path.open("rb") as file:
            vertex = _checked(read_layout(file, path), path)
            file.seek(vertex.offset)
            rows = np.fromfile(file, dtype=vertex.dtype, count=vertex.count)
    except OSError as error:
        raise ConvertFieldError(f"{path} cannot be read ({error}).") from error
    rest = sum(name.startswith(REST) for name in rows.dtype.names or ())
    with np.errstate(all="ignore"):  # what is not finite is left out below
        found = Splats(
            _columns(rows, POSITION),
            _exponential(_columns(rows, SCALE)),
            _normalized(_columns(rows, ROTATION)),
            _sigmoid(_columns(rows, [OPACITY])[:, 0]),
            _columns(rows, [*DC, *_rest_names(rest)]).reshape(len(rows), -1, 3),
        )
        splats, notes = sound_splats(found)
    if len(splats) == 0:
        raise ConvertFieldError(
            f"{path} holds no splat with finite numbers and a rotation; it is damaged, so get it "
            "again."
        )
    return splats, notes


def write_ply(splats: Splats, path: Path) -> None:
    """Write a ``.ply`` of 3DGS, the whole file or none.

    Parameters
    ----------
    splats : Splats
        At least one; finite.
    path : Path

    Raises
    ------
    ConvertFieldError
        The file cannot be written.
    """
    count = len(splats)
    rest = [f"{REST}{i}" for i in range(3 * (splats.sh.shape[1] - 1))]
    names = [*POSITION, *NORMAL, *DC, *rest, OPACITY, *SCALE, *ROTATION]
    parts = (
        splats.centers,
        np.zeros((count, 3), np.float32),
        splats.sh[:, 0],
        splats.sh[:, 1:].swapaxes(1, 2).reshape(count, -1),
        _encoded(splats.opacities, _logit(splats.opacities), _sigmoid)[:, None],
        _encoded(splats.scales, _logarithm(splats.scales), _exponential),
        _lengthened(splats.rotations),
    )
    values = np.concatenate(parts, axis=1, dtype="<f4")
    temporary = path.with_name(f".{path.name}.part")
    try:
        with temporary.open("wb") as file:
            file.write(header(count, names))
            values.tofile(file)
        temporary.replace(path)
    except OSError as error:
        raise ConvertFieldError(
            f"{path} cannot be written ({error}); choose another file."
        ) from error
    finally:
        temporary.unlink(missing_ok=True)


def _checked(elements: dict[str, Element], path: Path) -> Element:
    """Return the element of splats when it has all that they need, and a whole degree."""
    vertex = elements.get("vertex")
    names = vertex.dtype.names or () if vertex else ()
    if "packed_position" in names:
        raise ConvertFieldError(
            f"{path} is a compressed .ply, which only the engine reads; use it as a field."
        )
    missing = [n for n in (*POSITION, *DC, OPACITY, *SCALE, *ROTATION) if n not in names]
    if vertex is None or missing:
        raise ConvertFieldError(
            f"{path} has no {missing[0]} for its vertices, so it holds no splats; it may be a mesh "
            "or a point cloud."
        )
    if vertex.count < 1:
        raise ConvertFieldError(f"{path} holds no splats; check that it is the right file.")
    count = sum(name.startswith(REST) for name in names)
    if count not in REST_COUNTS or not set(_rest_names(count)) <= set(names):
        raise ConvertFieldError(
            f"{path} has {count} coefficients f_rest, which is not a degree of spherical harmonics "
            "from 0 to 4; export it again."
        )
    return vertex


def _rest_names(count: int) -> list[str]:
    """Return the names of coefficients of the higher bands in the order of `Splats`."""
    each = count // 3
    return [f"{REST}{channel * each + at}" for at in range(each) for channel in range(3)]


def _columns(rows: np.ndarray, names: list[str]) -> np.ndarray:
    """Return columns of a structured array as one float32 array (rows, names)."""
    known = rows.dtype
    if all(known[name] == np.float32 for name in known.names):  # one table, read row by row
        table = rows.view(np.float32).reshape(len(rows), -1)
        return table[:, [known.names.index(name) for name in names]]
    return np.stack([rows[name] for name in names], axis=1).astype(np.float32)


def _exponential(logarithms: np.ndarray) -> np.ndarray:
    """Return exp(x) as float32, to the last bit that of ``expf`` in the GNU C library.

    In one of 2,000 values that differs from the nearest float32.
    """
    parts = logarithms.astype(np.float64) * (PART / np.log(2))
    whole = np.rint(parts)
    rest = parts - whole
    with np.errstate(over="ignore", under="ignore", invalid="ignore"):
        cubic = (CUBIC[0] * rest + CUBIC[1]) * (rest * rest) + (CUBIC[2] * rest + 1)
        return (cubic * np.exp2(whole / PART)).astype(np.float32)


def _sigmoid(logits: np.ndarray) -> np.ndarray:
    """Return 1 / (1 + exp(-x)) in float32."""
    return np.float32(1) / (np.float32(1) + _exponential(-logits))


def _normalized(quaternions: np.ndarray) -> np.ndarray:
    """Return quaternions (N, 4) of unit length, by steps in float32."""
    return quaternions * _inverse_lengths(quaternions)


def _inverse_lengths(quaternions: np.ndarray) -> np.ndarray:
    w, x, y, z = quaternions.T
    return (np.float32(1) / np.sqrt(w * w + x * x + y * y + z * z))[:, None]


def _logarithm(values: np.ndarray) -> np.ndarray:
    """Return the logarithm in float64, not below ``-LARGEST_LOGIT``."""
    with np.errstate(divide="ignore"):
        return np.maximum(np.log(values.astype(np.float64)), -LARGEST_LOGIT)


def _logit(values: np.ndarray) -> np.ndarray:
    """Return the logit in float64, within ``LARGEST_LOGIT``."""
    exact = values.astype(np.float64)
    with np.errstate(divide="ignore"):
        return np.clip(np.log(exact) - np.log1p(-exact), -LARGEST_LOGIT, LARGEST_LOGIT)


def _encoded(
    values: np.ndarray, guess: np.ndarray, decode: Callable[[np.ndarray], np.ndarray]
) -> np.ndarray:
    """Return the float32 numbers nearest to a guess that decode to the values, bit for bit.

    Where none of the five nearest does, the nearest stands.
    """
    coded = guess.astype(np.float32)
    for near in _neighbours(coded):
        coded = np.where((decode(coded) != values) & (decode(near) == values), near, coded)
    return coded


def _lengthened(quaternions: np.ndarray) -> np.ndarray:
    """Return quaternions of such lengths that they are normalised to the given ones, bit for bit.

    Where no length of `LENGTHS` does that, they stand as they are.
    """
    written = quaternions.copy()
    wrong = np.flatnonzero((_normalized(written) != quaternions).any(axis=1))
    for length in LENGTHS.astype(np.float32):
        if not len(wrong):
            break
        wanted = quaternions[wrong]
        tried = wanted * length
        inverse = _inverse_lengths(tried)
        for near in _neighbours(tried):
            tried = np.where((tried * inverse != wanted) & (near * inverse == wanted), near, tried)
        right = (_normalized(tried) == wanted).all(axis=1)
        written[wrong[right]] = tried[right]
        wrong = wrong[~right]
    return written


def _neighbours(values: np.ndarray) -> list[np.ndarray]:
    """Return the two next float32 numbers above and below, the nearest first."""
    up, down = np.float32(np.inf), np.float32(-np.inf)
    above, below = np.nextafter(values, up), np.nextafter(values, down)
    return [above, below, np.nextafter(above, up), np.nextafter(below, down)]
