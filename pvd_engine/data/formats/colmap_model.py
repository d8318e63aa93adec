"""COLMAP models as in their files: cameras, images and points, binary or text.

The layouts are those of COLMAP's ``scene/reconstruction_io``. Memory is allocated, and loops run,
only after the file is known to be long enough; every kind of damage becomes a `UserError`.
Positions of features in the images are skipped, because nothing here needs them.
"""

import math
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ...errors import UserError
from ...files.file_input import opened, read_bytes

MAX_BYTES = 2 * 1024**3
"""Largest file of a model that is read, in bytes; a point usually takes 100, a feature 24."""

MAX_LINE_BYTES = 64 * 1024**2
"""Longest line of a text file, in bytes."""

MAX_NAME_BYTES = 4096
"""Longest name of an image in a binary file, in bytes."""

CAMERA_MODELS = (
    ("SIMPLE_PINHOLE", ("f", "cx", "cy")),
    ("PINHOLE", ("fx", "fy", "cx", "cy")),
    ("SIMPLE_RADIAL", ("f", "cx", "cy", "k1")),
    ("RADIAL", ("f", "cx", "cy", "k1", "k2")),
    ("OPENCV", ("fx", "fy", "cx", "cy", "k1", "k2", "p1", "p2")),
    ("OPENCV_FISHEYE", ("fx", "fy", "cx", "cy", "k1", "k2", "k3", "k4")),
    ("FULL_OPENCV", ("fx", "fy", "cx", "cy", "k1", "k2", "p1", "p2", "k3", "k4", "k5", "k6")),
    ("FOV", ("fx", "fy", "cx", "cy", "omega")),
    ("SIMPLE_RADIAL_FISHEYE", ("f", "cx", "cy", "k1")),
    ("RADIAL_FISHEYE", ("f", "cx", "cy", "k1", "k2")),
    (
        "THIN_PRISM_FISHEYE",
        ("fx", "fy", "cx", "cy", "k1", "k2", "p1", "p2", "k3", "k4", "sx1", "sy1"),
    ),
    (
        "RAD_TAN_THIN_PRISM_FISHEYE",
        (
            *("fx", "fy", "cx", "cy", "k0", "k1", "k2", "k3", "k4", "k5"),
            *("p0", "p1", "s0", "s1", "s2", "s3"),
        ),
    ),
    ("SIMPLE_DIVISION", ("f", "cx", "cy", "k")),
    ("DIVISION", ("fx", "fy", "cx", "cy", "k")),
    ("SIMPLE_FISHEYE", ("f", "cx", "cy")),
    ("FISHEYE", ("fx", "fy", "cx", "cy")),
    ("EUCM", ("fx", "fy", "cx", "cy", "alpha", "beta")),
    ("EQUIRECTANGULAR", ("w", "h")),
)
"""Name and parameters of the camera models, in the order of their numbers in binary files."""

_NUMBERS = {name: number for number, (name, _) in enumerate(CAMERA_MODELS)}
_COUNT = struct.Struct("<Q")
_CAMERA = struct.Struct("<IiQQ")
_IMAGE = struct.Struct("<I7dI")
_FEATURE_BYTES = 24
_TRACK_BYTES = 8
_POINT = np.dtype(
    [("id", "<u8"), ("xyz", "<f8", 3), ("rgb", "u1", 3), ("error", "<f8"), ("track", "<u8")]
)


@dataclass(frozen=True)
class ColmapCamera:
    """Intrinsics that images share.

    Attributes
    ----------
    model : str
        A name of `CAMERA_MODELS`.
    width, height : int
        Pixels.
    parameters : dict of str to float
        Intrinsics in pixels (origin at the image's corner) and coefficients, by the names of
        `CAMERA_MODELS`.
    """

    model: str
    width: int
    height: int
    parameters: dict[str, float]


@dataclass(frozen=True)
class ColmapImage:
    """An image with its pose.

    Attributes
    ----------
    name : str
        Path below the folder of images.
    camera_id : int
    quaternion : (4,) float64 array
        w, x, y, z of the rotation from world to camera (OpenCV axes), unit length.
    translation : (3,) float64 array
        Translation from world to camera.
    """

    name: str
    camera_id: int
    quaternion: np.ndarray
    translation: np.ndarray


@dataclass(frozen=True)
class ColmapPoints:
    """Triangulated points.

    Attributes
    ----------
    positions : (N, 3) float64 array
        Positions in COLMAP's world.
    colors : (N, 3) uint8 array
    errors : (N,) float64 array
        Mean reprojection error in pixels.
    track_lengths : (N,) int64 array
        Number of features from which each point was made.
    """

    positions: np.ndarray
    colors: np.ndarray
    errors: np.ndarray
    track_lengths: np.ndarray


@dataclass(frozen=True)
class ColmapModel:
    """A whole model.

    Attributes
    ----------
    cameras : dict of int to ColmapCamera
    images : tuple of ColmapImage
        Images in the file's order.
    points : ColmapPoints or None
        The points; None where the model has no file of points.
    """

    cameras: dict[int, ColmapCamera]
    images: tuple[ColmapImage, ...]
    points: ColmapPoints | None


def is_model(folder: Path) -> bool:
    """Return whether a folder holds a model's cameras and images."""
    return any(
        (folder / f"cameras{ending}").is_file() and (folder / f"images{ending}").is_file()
        for ending in (".bin", ".txt")
    )


def image_count(folder: Path) -> int:
    """Return the number of images that a model has poses of, without reading the model.

    Raises
    ------
    UserError
        The file of images cannot be read.
    """
    binary = folder / "images.bin"
    if (folder / "cameras.bin").is_file() and binary.is_file():
        with opened(binary, MAX_BYTES) as file:
            head = file.read(_COUNT.size)
        return _COUNT.unpack(head)[0] if len(head) == _COUNT.size else 0
    count, lines = 0, _lines(folder / "images.txt")
    for _, line in lines:
        if line.strip() and not line.lstrip().startswith("#"):
            count += 1
            next(lines, None)  # its features
    return count


def read_model(folder: Path) -> ColmapModel:
    """Read a model, from its binary files where a folder has both kinds.

    Parameters
    ----------
    folder : Path
        The folder, with ``cameras``, ``images`` and optionally ``points3D``, all ``.bin`` or all
        ``.txt``.

    Raises
    ------
    UserError
        A file is missing, damaged or too large, or a camera model is unknown.
    """
    binary = (folder / "cameras.bin").is_file() and (folder / "images.bin").is_file()
    ending = ".bin" if binary else ".txt"
    cameras = _binary_cameras if binary else _text_cameras
    images = _binary_images if binary else _text_images
    points = _binary_points if binary else _text_points
    points_path = folder / f"points3D{ending}"
    return ColmapModel(
        cameras=cameras(folder / f"cameras{ending}"),
        images=images(folder / f"images{ending}"),
        points=points(points_path) if points_path.is_file() else None,
    )


class _Bytes:
    """The content of a binary file, read from start to end."""

    def __init__(self, path: Path) -> None:
        self.data = read_bytes(path, MAX_BYTES)
        self.path = path
        self.offset = 0

    def take(self, form: struct.Struct) -> tuple:
        start = self.skip(form.size)
        return form.unpack_from(self.data, start)

    def count(self, least: int) -> int:
        """Return a count of items of at least `least` bytes each, which must fit the file."""
        (count,) = self.take(_COUNT)
        if count * least > len(self.data) - self.offset:
            raise self.ends()
        return count

    def skip(self, size: int) -> int:
        """Skip bytes, and return the offset of their start."""
        start = self.offset
        if size > len(self.data) - start:
            raise self.ends()
        self.offset = start + size
        return start

    def name(self) -> str:
        end = self.data.find(b"\0", self.offset, self.offset + MAX_NAME_BYTES)
        if end < 0:
            raise UserError(f"{self.path} is damaged: the name of an image does not end.")
        start = self.skip(end + 1 - self.offset)
        return _decoded(self.data[start:end], self.path)

    def ends(self) -> UserError:
        return UserError(f"{self.path} is damaged: it ends too early; export the model again.")

    def close(self) -> None:
        if self.offset != len(self.data):
            raise UserError(
                f"{self.path} is damaged: there is data after its end; export the model again."
            )


def _binary_cameras(path: Path) -> dict[int, ColmapCamera]:
    source = _Bytes(path)
    cameras: dict[int, ColmapCamera] = {}
    for _ in range(source.count(_CAMERA.size)):
        identity, number, width, height = source.take(_CAMERA)
        if not 0 <= number < len(CAMERA_MODELS):
            raise _unknown_model(path, identity, f"number {number}")
        name, parameters = CAMERA_MODELS[number]
        values = source.take(struct.Struct(f"<{len(parameters)}d"))
        intrinsics = dict(zip(parameters, values, strict=True))
        _add(cameras, identity, ColmapCamera(name, width, height, intrinsics), path)
    source.close()
    return cameras


def _binary_images(path: Path) -> tuple[ColmapImage, ...]:
    source = _Bytes(path)
    images = []
    for _ in range(source.count(_IMAGE.size + 1 + _COUNT.size)):
        identity, *pose, camera_id = source.take(_IMAGE)
        name = source.name()
        source.skip(source.count(_FEATURE_BYTES) * _FEATURE_BYTES)
        images.append(_image(identity, pose, camera_id, name, path))
    source.close()
    return tuple(images)


def _binary_points(path: Path) -> ColmapPoints:
    source = _Bytes(path)
    starts = np.empty(source.count(_POINT.itemsize), np.int64)
    for index in range(len(starts)):
        starts[index] = source.skip(_POINT.itemsize - _COUNT.size)
        source.skip(source.count(_TRACK_BYTES) * _TRACK_BYTES)
    source.close()
    data = np.frombuffer(source.data, np.uint8)
    records = np.empty(len(starts), _POINT)
    # In parts: the table of byte offsets is eight times as large as the bytes.
    for part in range(0, len(starts), 100_000):
        offsets = starts[part : part + 100_000, None] + np.arange(_POINT.itemsize)
        records[part : part + 100_000] = data[offsets].view(_POINT)[:, 0]
    return _points(
        records["xyz"], records["rgb"], records["error"], records["track"].astype(np.int64), path
    )


def _text_cameras(path: Path) -> dict[int, ColmapCamera]:
    cameras: dict[int, ColmapCamera] = {}
    for number, line in _lines(path):
        words = line.split()
        if not words or words[0].startswith("#"):
            continue
        where = f"{path}, line {number}"
        if len(words) < 4:
            raise UserError(f"{where}: a camera needs an id, a model, a width and a height.")
        identity, width, height = (_integer(words[at], where) for at in (0, 2, 3))
        if words[1] not in _NUMBERS:
            raise _unknown_model(path, identity, words[1][:40])
        parameters = CAMERA_MODELS[_NUMBERS[words[1]]][1]
        values = [_number(word, where) for word in words[4:]]
        if len(values) != len(parameters):
            raise UserError(
                f"{where}: a camera of the model {words[1]} has {len(parameters)} parameters, "
                f"not {len(values)}."
            )
        intrinsics = dict(zip(parameters, values, strict=True))
        _add(cameras, identity, ColmapCamera(words[1], width, height, intrinsics), path)
    return cameras


def _text_images(path: Path) -> tuple[ColmapImage, ...]:
    images = []
    lines = _lines(path)
    for number, line in lines:
        words = line.split(maxsplit=9)  # the name may hold spaces
        if not words or words[0].startswith("#"):
            continue
        where = f"{path}, line {number}"
        if len(words) < 10:
            raise UserError(f"{where}: an image needs an id, a pose, a camera and a name.")
        identity, camera_id = _integer(words[0], where), _integer(words[8], where)
        pose = [_number(word, where) for word in words[1:8]]
        images.append(_image(identity, pose, camera_id, words[9].rstrip(), path))
        features = next(lines, None)
        if features is not None:
            _check_features(features[1], f"{path}, line {features[0]}")
    return tuple(images)


def _check_features(line: str, where: str) -> None:
    """Raise UserError for a line that does not list x, y and point of features; it may be empty."""
    words = line.split()
    try:
        if len(words) % 3:
            raise ValueError
        for x, y, point in (words[:3], words[-3:]) if words else ():
            _ = float(x), float(y), int(point)
    except ValueError as error:
        raise UserError(
            f"{where}: it must list the features of the image in the line before, or be empty; "
            "export the model again."
        ) from error


def _text_points(path: Path) -> ColmapPoints:
    rows: list[list[float]] = []
    for number, line in _lines(path):
        words = line.split()
        if not words or words[0].startswith("#"):
            continue
        where = f"{path}, line {number}"
        if len(words) < 8 or len(words) % 2:
            raise UserError(f"{where}: a point needs an id, a position, a colour and an error.")
        rows.append([_number(word, where) for word in words[1:8]] + [len(words) // 2 - 4])
    table = np.array(rows, np.float64).reshape(-1, 8)
    colors = table[:, 3:6]
    if not ((colors >= 0) & (colors <= 255)).all():
        raise UserError(f"{path}: a colour of a point is not between 0 and 255.")
    return _points(
        table[:, :3], colors.astype(np.uint8), table[:, 6], table[:, 7].astype(np.int64), path
    )


def _add(cameras: dict[int, ColmapCamera], identity: int, camera: ColmapCamera, path: Path) -> None:
    if identity in cameras:
        raise UserError(f"{path} is damaged: it has two cameras with the id {identity}.")
    cameras[identity] = camera


def _image(identity: int, pose: list[float], camera_id: int, name: str, path: Path) -> ColmapImage:
    length = math.hypot(*pose[:4])
    if not 1e-6 < length < 1e6:  # also refuses NaN
        raise UserError(f"{path}, image {identity}: the quaternion of its pose is not a rotation.")
    if not all(abs(value) < 1e12 for value in pose[4:]):
        raise UserError(f"{path}, image {identity}: the position of its pose is not finite.")
    quaternion = np.array(pose[:4], np.float64) / length
    return ColmapImage(name, camera_id, quaternion, np.array(pose[4:], np.float64))


def _points(
    positions: np.ndarray, colors: np.ndarray, errors: np.ndarray, tracks: np.ndarray, path: Path
) -> ColmapPoints:
    if not (np.abs(positions) < 1e12).all():
        raise UserError(f"{path} is damaged: a point has no finite position.")
    return ColmapPoints(positions, colors, errors, tracks)


def _lines(path: Path) -> Iterator[tuple[int, str]]:
    """Yield number and text of each line."""
    with opened(path, MAX_BYTES) as file:
        number = 0
        while line := file.readline(MAX_LINE_BYTES + 1):
            number += 1
            line = line.removeprefix(b"\xef\xbb\xbf") if number == 1 else line
            if len(line) > MAX_LINE_BYTES:
                raise UserError(f"{path}, line {number} is too long for a COLMAP model.")
            yield number, _decoded(line, path)


def _decoded(data: bytes, path: Path) -> str:
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError as error:
        raise UserError(f"{path} is damaged: it holds text that is not UTF-8.") from error


def _integer(word: str, where: str) -> int:
    if not word.isascii() or not word.isdecimal() or len(word) > 20:
        raise UserError(f"{where}: {word[:40]!r} must be a whole number; correct the file.")
    return int(word)


def _number(word: str, where: str) -> float:
    try:
        return float(word)
    except ValueError as error:
        raise UserError(f"{where}: {word[:40]!r} must be a number; correct the file.") from error


def _unknown_model(path: Path, identity: int, model: str) -> UserError:
    return UserError(
        f"{path}, camera {identity}: the camera model {model} cannot be read; undistort the "
        "images with COLMAP, or let it use OPENCV."
    )
