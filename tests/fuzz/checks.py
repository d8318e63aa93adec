"""What must hold of everything that a reader accepts, and of every sentence with which it refuses.

Each look does what the engine does with a file from the moment it is read: a capture is described
as JSON, its points are written and read, its first image is decoded and its cameras cast rays.
"""

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch

from pvd_engine.data.capture import SPLITS, Camera, View
from pvd_engine.data.formats.cameras_json import capture_to_dict
from pvd_engine.data.geometry.far_origin import capture_origin
from pvd_engine.data.geometry.points import SparsePoints, read_points
from pvd_engine.data.images.downscale import downscaled, load_view
from pvd_engine.data.readers import open_capture
from pvd_engine.errors import UserError
from pvd_engine.fields.splats import Splats
from pvd_engine.space.rays import CameraBatch, generate_rays
from pvd_engine.verbs.info import with_points_file

LONGEST_SENTENCE = 700
"""Characters, of which a path takes up to 200."""


def check_capture(folder: Path) -> None:
    """Open a folder as a capture and use all of it."""
    capture = open_capture(folder)
    assert capture.views
    assert all(view.split in SPLITS for view in capture.views)
    assert capture.box.shape == (2, 3) and np.isfinite(capture.box).all()
    box = np.float32(capture.box - capture_origin(capture))
    assert (box[0] < box[1]).all(), "the box has no volume"
    for sentence in (*capture.notes, capture.box_source):
        check_sentence(sentence)
    check_views(capture.views)
    check_views(downscaled(capture, 2).views)
    with_file = with_points_file(capture, folder / "job")
    check_json(capture_to_dict(with_file))
    if with_file.points_path is not None:
        unless_refused(lambda: check_points(read_points(with_file.points_path)))
    view = capture.views[0]
    unless_refused(lambda: check_image(load_view(view), (view.camera.width, view.camera.height)))


def unless_refused(look) -> None:
    """Look at something that may be refused by itself, apart from the capture it belongs to."""
    try:
        look()
    except UserError as error:
        check_refusal(error)


def check_views(views: Sequence[View]) -> None:
    """Whether views are called differently and have cameras that see."""
    assert len({view.name for view in views}) == len(views), "two views have one name"
    for view in views:
        check_camera(view.camera)
    batch = CameraBatch.from_cameras([view.camera for view in views])
    places = torch.tensor([(0.0, 0.0), (0.5, 0.5), (1.0, 0.25), (1.0, 1.0)])
    index = torch.arange(len(views)).repeat_interleave(len(places))
    rays = generate_rays(batch, index, places.repeat(len(views), 1) * batch.sizes[index])
    assert torch.isfinite(rays.origins).all(), "a ray starts nowhere"
    lengths = torch.linalg.vector_norm(rays.directions, dim=1)
    assert torch.allclose(lengths, torch.ones_like(lengths), atol=1e-4), "a ray has no direction"


def check_camera(camera: Camera) -> None:
    """Whether a camera's numbers are finite and its pose is a pose."""
    matrix = camera.camera_to_world
    assert matrix.shape == (4, 4) and np.isfinite(matrix).all()
    assert np.array_equal(matrix[3], (0, 0, 0, 1))
    rotation = matrix[:3, :3]
    assert np.abs(rotation.T @ rotation - np.eye(3)).max() < 1e-4, "the pose is no rotation"
    assert np.linalg.det(rotation) > 0, "the pose is mirrored"
    for side in (camera.width, camera.height):
        assert type(side) is int and side > 0
    numbers = (camera.fx, camera.fy, camera.cx, camera.cy, *camera.distortion.values())
    assert np.isfinite(numbers).all() and camera.fx > 0 and camera.fy > 0


def check_points(points: SparsePoints) -> None:
    """Whether points have places, and as many colours as places."""
    assert points.positions.ndim == 2 and points.positions.shape[1] == 3
    assert np.isfinite(points.positions).all()
    assert points.colors is None or points.colors.shape == points.positions.shape


def check_image(rgba: np.ndarray, size: tuple[int, int] | None = None) -> None:
    """Whether an image is one of 8 or 16 bits with alpha, of the size that is expected."""
    assert rgba.dtype in (np.uint8, np.uint16) and rgba.ndim == 3 and rgba.shape[2] == 4
    assert size is None or rgba.shape[1::-1] == size


def check_json(content: object) -> None:
    """Whether something can be sent to the add-on."""
    json.dumps(content, allow_nan=False).encode()


def check_refusal(error: UserError) -> None:
    """Whether a refusal is a sentence, and not for want of memory."""
    check_sentence(str(error))
    assert not isinstance(error.__cause__, MemoryError), "memory ran out"


def check_sentence(text: str) -> None:
    """Whether a text is one short sentence that can be printed."""
    text.encode()
    assert len(text.splitlines()) == 1, "a sentence is no single line"
    assert text.endswith("."), "a sentence has no end"
    assert len(text) <= LONGEST_SENTENCE, "a sentence is too long to be read"


def check_splats(splats: Splats) -> None:
    """Whether splats are finite, with scales, rotations and opacities that can be drawn."""
    assert len(splats) > 0
    assert bool(splats.centers.isfinite().all()) and bool(splats.sh.isfinite().all())
    assert bool((splats.scales >= 0).all()) and bool(splats.scales.isfinite().all())
    assert bool(((splats.rotations.norm(dim=1) - 1).abs() < 1e-5).all())
    assert bool(((splats.opacities >= 0) & (splats.opacities <= 1)).all())
