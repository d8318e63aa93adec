"""nerfstudio's ``transforms.json``, with instant-ngp's box.

Keys and their meaning are those of nerfstudio's ``nerfstudio_dataparser.py`` and of instant-ngp's
``src/nerf_loader.cu``. Intrinsics that all views share are at the top of the file; where views
differ, each camera entry has its own.
"""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from ...errors import UserError
from ...files.atomic import write_json
from ..capture import SPLITS, Camera, Capture, Frame
from ..formats.transforms import FILE
from ..geometry.point_bounds import find_box_with_points
from ..geometry.points import write_ply
from .lenses import FTHETA, how_to_write, transforms_lens
from .pictures import Picture, PictureRules, copy_file

RULES = PictureRules()
"""Rules of nerfstudio's images."""

POINTS = "sparse_pc.ply"
"""File name of the sparse points."""

_MODEL = "camera_model"
_PERSPECTIVE = {"PINHOLE", "OPENCV"}
"""Models that one file may mix; other models must be the same for all its cameras."""


def write_nerfstudio(capture: Capture, pictures: Sequence[Picture], folder: Path) -> list[str]:
    """Write ``transforms.json``, and the sparse points where there are any.

    Parameters
    ----------
    capture : Capture
    pictures : sequence of Picture
        Images of its views, in the same order.
    folder : Path

    Returns
    -------
    list of str
        Sentences about changes and omissions.

    Raises
    ------
    UserError
        The format has no model for a lens, or a file cannot be written.
    """
    frame, notes = _frame_with_box(capture)
    shared, own = _intrinsics([_camera_fields(picture) for picture in pictures])
    models = {fields[_MODEL] for fields in [shared, *own] if _MODEL in fields}
    if len(models) > 1 and not models <= _PERSPECTIVE:
        notes.append(
            "The cameras have lenses of several kinds; nerfstudio itself reads one kind per file."
        )
    if FTHETA in models:
        notes.append("Only instant-ngp reads F-theta lenses; nerfstudio does not.")
    content = {**shared, **_frame_fields(frame)}
    if _write_points(capture, folder / POINTS):
        content["ply_file_path"] = POINTS
    content["frames"] = [
        {
            "file_path": str(picture.path),
            "transform_matrix": picture.view.camera.camera_to_world,
            **({} if picture.mask is None else {"mask_path": str(picture.mask)}),
            **fields,
        }
        for picture, fields in zip(pictures, own, strict=True)
    ]
    write_json(folder / FILE, {**content, **_split_lists(pictures)})
    return notes


def _camera_fields(picture: Picture) -> dict[str, Any]:
    """Return lens and intrinsics of a view by nerfstudio's keys."""
    camera = picture.view.camera
    lens = transforms_lens(camera)
    if lens is None:
        raise UserError(
            f"A transforms.json cannot hold the lens of {picture.view.name} "
            f"({camera.distortion_model}); {how_to_write(camera)}."
        )
    image = {"w": camera.width, "h": camera.height, "cx": camera.cx, "cy": camera.cy}
    return {_MODEL: lens.model, **image, **lens.fields}


def _intrinsics(fields: list[dict[str, Any]]) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """Return the fields at the top of the file, and those of each camera entry."""
    if all(one == fields[0] for one in fields):
        return fields[0], [{} for _ in fields]
    models = {one[_MODEL] for one in fields}
    if len(models) > 1 and not models <= _PERSPECTIVE:
        return {}, fields
    # nerfstudio reads the model only at the top; OPENCV without coefficients is a pinhole.
    shared = {_MODEL: "OPENCV" if len(models) > 1 else models.pop()}
    return shared, [{key: one[key] for key in one if key != _MODEL} for one in fields]


def _frame_fields(frame: Frame) -> dict[str, Any]:
    keys = ("applied_transform", "applied_scale", "aabb_scale", "scale", "offset", "aabb")
    fields = {key: getattr(frame, key) for key in keys}
    return {key: value for key, value in fields.items() if value is not None}


def _frame_with_box(capture: Capture) -> tuple[Frame, list[str]]:
    """Return the frame, with an explicit box where a reader would not find the capture's box."""
    if _same_box(_box_again(capture, capture.frame), capture.box):
        return capture.frame, []
    frame = replace(capture.frame, aabb=capture.box, aabb_scale=None, scale=None, offset=None)
    if _same_box(_box_again(capture, frame), capture.box):
        return frame, []
    return frame, ["The scene's box is read as a cube around it, as instant-ngp does."]


def _box_again(capture: Capture, frame: Frame) -> np.ndarray:
    """Return the box that a reader of the written file finds."""
    cameras: list[Camera] = [view.camera for view in capture.views]
    points = capture.sparse_points()
    positions = np.empty((0, 3)) if points is None else points.positions
    return find_box_with_points(cameras, frame, capture.has_alpha, positions, None)[0]


def _same_box(one: np.ndarray, other: np.ndarray) -> bool:
    return bool(np.abs(one - other).max() <= 1e-9 * np.ptp(other, axis=0).max())


def _split_lists(pictures: Sequence[Picture]) -> dict[str, list[str]]:
    paths = {
        split: [str(picture.path) for picture in pictures if picture.view.split == split]
        for split in SPLITS
    }
    # nerfstudio evaluates on val and fails without it; a view in both lists counts as test here.
    paths["val"] = paths["val"] or paths["test"]
    return {f"{split}_filenames": names for split, names in paths.items()}


def _write_points(capture: Capture, path: Path) -> bool:
    """Write the sparse points, dataset frame; return False where there are none."""
    if capture.points_path is not None:
        copy_file(capture.points_path, path)
        return True
    if capture.points is not None:
        write_ply(path, capture.points.positions, capture.points.colors)
        return True
    return False
