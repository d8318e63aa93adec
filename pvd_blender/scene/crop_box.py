"""The capture's crop box: an Empty cube that the user can move, turn and scale."""

import bpy
import numpy as np
from bpy.types import Object

from .frame import dataset_matrix, frame_box, frame_collection, parent_to_frame

CROP_BOX = "pvd_crop_box"
"""Custom property that marks a crop box."""

UNCHANGED = 1e-5
"""Fraction of the box's size by which Blender's float32 matrices may move it."""


def box_matrix(box: np.ndarray) -> np.ndarray:
    """Return the 4x4 matrix that maps [-1, 1]^3 to a box given by two corners (2, 3)."""
    low, high = np.asarray(box, dtype=np.float64)
    matrix = np.diag([*((high - low) / 2), 1.0])
    matrix[:3, 3] = (low + high) / 2
    return matrix


def create_crop_box(capture: dict, frame: Object) -> Object:
    """Create the Empty that shows a capture's box; its matrix maps [-1, 1]^3 to the box."""
    item = bpy.data.objects.new(f"{capture['name']} box", None)
    item.empty_display_type = "CUBE"
    item.empty_display_size = 1.0
    item[CROP_BOX] = True
    frame_collection(frame).objects.link(item)
    parent_to_frame(item, frame, box_matrix(capture["box"]))
    return item


def changed_crop(frame: Object) -> list[float] | None:
    """Return the box around the crop box, as corners x0 y0 z0 x1 y1 z1 in the dataset frame.

    None if the crop box is as it was imported, or was deleted.
    """
    item = next((child for child in frame.children if CROP_BOX in child), None)
    if item is None:
        return None
    signs = np.stack(np.meshgrid(*[[-1.0, 1.0]] * 3), axis=-1).reshape(-1, 3)
    matrix = crop_box_matrix(item, frame)
    corners = signs @ matrix[:3, :3].T + matrix[:3, 3]
    box = np.stack((corners.min(axis=0), corners.max(axis=0)))
    size = np.ptp(frame_box(frame), axis=0).max()
    if np.allclose(box, frame_box(frame), rtol=0, atol=UNCHANGED * size):
        return None
    return box.ravel().tolist()


def crop_box_matrix(item: Object, frame: Object) -> np.ndarray:
    """Return the crop box as a 4x4 matrix from [-1, 1]^3 to the dataset frame."""
    return dataset_matrix(item, frame)
