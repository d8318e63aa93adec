"""RealityCapture's "internal/external camera parameters": one CSV table of cameras.

Columns ``#name,x,y,alt,heading,pitch,roll,f,px,py,k1,k2,k3,k4,t1,t2``, read as nerfstudio does
(``process_data/realitycapture_utils.py``, release 1.1):

- position (x, y, alt), z up; rotation Rz(-heading) Rx(pitch) Ry(roll), angles in degrees, which
  gives a camera-to-world matrix in OpenGL axes (a camera without rotation looks straight down);
- f is the focal length in mm for a sensor whose longer side has 36 mm;
- px, py is the principal point relative to the image's centre, in units of the longer side
  ("RealityCapture XMP Camera Math": image coordinates lie in -0.5 to 0.5), y down;
- k1 to k4 and t1, t2 are Brown's coefficients, read as k1 to k4 and p1, p2.

The table does not state where the images are; they are searched next to it and in ``images``.
"""

import csv
import io
from collections.abc import Mapping
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np

from ...errors import UserError
from ...files.images import read_header
from ...files.json_input import text_value
from ...files.text_input import number_of_text, read_text
from ..capture import Capture
from ..images.finder import PictureFinder
from .camera_entries import MAX_ENTRIES
from .keys import Keys, key_notes
from .listed import entries_of, listed_capture

SENSOR_MM = 36.0
"""Longer side, in mm, of the sensor to which f refers."""

_COLUMNS = ("#name", "x", "y", "alt", "heading", "pitch", "roll", "f", "px", "py")
_COEFFICIENTS = {"k1": "k1", "k2": "k2", "k3": "k3", "k4": "k4", "t1": "p1", "t2": "p2"}
KEYS = (
    Keys("used", ("#name",), "the image"),
    Keys("used", ("x", "y", "alt", "heading", "pitch", "roll"), "position and angles"),
    Keys("used", ("f", "px", "py"), "focal length in mm, principal point in longer sides"),
    Keys("used", tuple(_COEFFICIENTS), "Brown's distortion; t1 and t2 are p1 and p2"),
)
"""Columns of the table."""

_MAX_TABLES = 16
"""Most CSV files of a folder that are opened to find the table."""

_HEAD_BYTES = 512
"""Bytes of a CSV file that are read to find the table."""


def is_realitycapture(folder: Path) -> bool:
    """Return whether a folder holds a table of RealityCapture's cameras."""
    return _table(folder) is not None


def read_realitycapture(path: Path) -> Capture:
    """Read a table of RealityCapture's cameras, and its images.

    Parameters
    ----------
    path : Path
        The table, or the folder that holds it.

    Raises
    ------
    UserError
        The table is damaged or lacks columns, a value is wrong, or no image exists.
    """
    source = _table(path) if path.is_dir() else path
    if source is None:
        raise UserError(
            f"{path} holds no table of RealityCapture's cameras; add a .csv with the column #name."
        )
    pictures = PictureFinder(source.parent)
    rows = _rows(source)
    entries, notes = entries_of(
        enumerate(rows),
        lambda item: _entry(item[1], pictures, f"{source.name}, camera {item[0]}"),
    )
    notes = [*notes, *key_notes(rows[:1], KEYS, source.name)]
    return listed_capture(source, "realitycapture", entries, notes=notes)


def _table(folder: Path) -> Path | None:
    """Return the first CSV file of a folder that lists cameras, or None."""
    for path in sorted(folder.glob("*.csv"))[:_MAX_TABLES]:
        if not path.is_file():
            continue
        with path.open("rb") as file:
            head = file.read(_HEAD_BYTES).removeprefix(b"\xef\xbb\xbf")
        if head.replace(b" ", b"").startswith(b"#name,x,y,alt,heading"):
            return path
    return None


def _rows(source: Path) -> list[dict[str, str]]:
    """Return the table's rows, each by column."""
    reader = csv.reader(io.StringIO(read_text(source), newline=""))
    rows: list[dict[str, str]] = []
    try:
        columns = [column.strip() for column in next(reader, [])]
        lacking = [column for column in _COLUMNS if column not in columns]
        if lacking:
            raise UserError(
                f"{source} lacks the column {lacking[0]}; export internal/external camera "
                "parameters again."
            )
        for cells in reader:
            if not cells:
                continue
            if len(cells) != len(columns):
                raise UserError(
                    f"{source}, line {reader.line_num}: there are {len(cells)} values for "
                    f"{len(columns)} columns; correct the file."
                )
            rows.append(dict(zip(columns, cells, strict=True)))
            if len(rows) > MAX_ENTRIES:
                raise UserError(f"{source} has more than {MAX_ENTRIES} cameras, too many to read.")
    except csv.Error as error:
        raise UserError(f"{source} is not a readable table ({error}); export it again.") from error
    if not rows:
        raise UserError(f"{source} lists no cameras; export it again.")
    return rows


def _entry(row: Mapping[str, str], pictures: PictureFinder, where: str) -> dict[str, Any]:
    """Return a row as a camera entry of a ``transforms.json``."""
    number = {
        key: number_of_text(row[key], f"{where}, {key}")
        for key in (*_COLUMNS[1:], *(key for key in _COEFFICIENTS if key in row))
    }
    pose = np.eye(4)
    pose[:3, :3] = _rotation(number["heading"], number["pitch"], number["roll"])
    pose[:3, 3] = number["x"], number["y"], number["alt"]
    listed, image = _find(text_value(row["#name"], "#name", where), pictures)
    entry: dict[str, Any] = {"file_path": listed, "transform_matrix": pose.tolist()}
    for key, name in _COEFFICIENTS.items():
        entry[name] = number.get(key, 0.0)
    if image is not None:
        header = read_header(image)
        longer = max(header.width, header.height)
        entry["fl_x"] = number["f"] * longer / SENSOR_MM
        entry["cx"] = 0.5 * header.width + number["px"] * longer
        entry["cy"] = 0.5 * header.height + number["py"] * longer
    return entry


def _rotation(heading: float, pitch: float, roll: float) -> np.ndarray:
    """Return the camera-to-world rotation, (3, 3), of angles in degrees."""
    z, x, y = np.deg2rad((-heading, pitch, roll))
    about_z = np.array([[np.cos(z), -np.sin(z), 0], [np.sin(z), np.cos(z), 0], [0, 0, 1]])
    about_x = np.array([[1, 0, 0], [0, np.cos(x), -np.sin(x)], [0, np.sin(x), np.cos(x)]])
    about_y = np.array([[np.cos(y), 0, np.sin(y)], [0, 1, 0], [-np.sin(y), 0, np.cos(y)]])
    return about_z @ about_x @ about_y


def _find(name: str, pictures: PictureFinder) -> tuple[str, Path | None]:
    """Return the listed path of an image, and the image; it may lie in the folder ``images``."""
    last = PurePosixPath(name.replace("\\", "/")).name
    for listed in (name, f"images/{last}"):
        found = pictures.find(listed)
        if found is not None:
            return listed, pictures.folder / found.relative
    return name, None
