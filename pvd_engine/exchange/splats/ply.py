"""The ``.ply`` of 3DGS: every value as float32, in the frame of whoever trained it.

Scales stand as logarithms, opacities as logits, quaternions w, x, y, z of any length, and the
coefficients of the higher bands channel by channel: all of red, all of green, all of blue. The file
does not say which way its axes point, so it is read and written as it is.
"""

from pathlib import Path

import numpy as np

from ...errors import UserError
from ...fields.splats import Splats
from ...files.atomic import write_atomic
from ...files.file_input import opened
from .compressed_ply import is_compressed, read_compressed
from .contract import ImportedSplats, SplatOptions
from .ply_layout import Element, columns, header, read_layout, read_rows, rest_names
from .values import arrays_of, checked_splats, exponential, logarithm, logit, sigmoid

FRAME = "A .ply does not say which way its axes point; its positions are used as they are."

POSITION = ["x", "y", "z"]
DC = ["f_dc_0", "f_dc_1", "f_dc_2"]
SCALE = ["scale_0", "scale_1", "scale_2"]
ROTATION = ["rot_0", "rot_1", "rot_2", "rot_3"]
REST = "f_rest_"
REST_COUNTS = (0, 9, 24, 45, 72)
"""Numbers of coefficients of the higher bands, of degrees 0 to 4."""


def read_ply(path: Path, options: SplatOptions) -> ImportedSplats:
    """Read a ``.ply`` of 3DGS, or a compressed one.

    Raises
    ------
    UserError
        The file cannot be read, is damaged, or holds no splats.
    """
    with opened(path) as file:
        elements = read_layout(file, path)
        if is_compressed(elements):
            splats, notes = read_compressed(file, elements, path)
            return ImportedSplats(splats, [FRAME, *notes])
        rows = read_rows(file, _checked(elements.get("vertex"), path))
    rest = sum(name.startswith(REST) for name in rows.dtype.names or ())
    splats, notes = checked_splats(
        path,
        columns(rows, POSITION),
        exponential(columns(rows, SCALE)),
        columns(rows, ROTATION),
        sigmoid(rows["opacity"]),
        columns(rows, [*DC, *rest_names(rest)]).reshape(len(rows), -1, 3),
    )
    return ImportedSplats(splats, [FRAME, *notes])


def write_ply(splats: Splats, path: Path, options: SplatOptions) -> list[str]:
    """Write a ``.ply`` of 3DGS; what came from one has the same bits when it is read again.

    Returns
    -------
    list of str
        What the file does not hold.

    Raises
    ------
    UserError
        The splats are not finite, or the file cannot be written.
    """
    centers, scales, rotations, opacities, sh = arrays_of(splats)
    rest = [f"{REST}{i}" for i in range(3 * (sh.shape[1] - 1))]
    normals = ["nx", "ny", "nz"]
    names = [*POSITION, *normals, *DC, *rest, "opacity", *SCALE, *ROTATION]
    values = np.concatenate(
        [
            centers,
            np.zeros_like(centers),
            sh[:, 0],
            sh[:, 1:].swapaxes(1, 2).reshape(len(sh), -1),
            logit(opacities).astype(np.float32)[:, None],
            logarithm(scales).astype(np.float32),
            rotations,
        ],
        axis=1,
        dtype="<f4",
    )
    head = header([("vertex", len(sh), [("float", name) for name in names])])

    def write(temporary: Path) -> None:
        with temporary.open("wb") as file:
            file.write(head)
            values.tofile(file)

    write_atomic(path, write)
    if splats.degree > 3:
        return ["Few programs read the .ply with spherical harmonics of degree 4."]
    return []


def _checked(vertex: Element | None, path: Path) -> Element:
    """Return the element when it has all that splats need, and a whole degree of harmonics."""
    names = vertex.dtype.names or () if vertex else ()
    needed = [*POSITION, *DC, "opacity", *SCALE, *ROTATION]
    missing = [name for name in needed if name not in names]
    if vertex is None or missing:
        raise UserError(
            f"{path} has no {missing[0]} for its vertices, so it holds no splats; it may be a mesh "
            "or a point cloud."
        )
    if vertex.count < 1:
        raise UserError(f"{path} holds no splats; check that it is the right file.")
    count = sum(name.startswith(REST) for name in names)
    if count not in REST_COUNTS or not set(rest_names(count)) <= set(names):
        raise UserError(
            f"{path} has {count} coefficients f_rest, which is not a degree of spherical harmonics "
            "from 0 to 4; export it again."
        )
    return vertex
