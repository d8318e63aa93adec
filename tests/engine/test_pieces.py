"""Pictures that splats learn from: images without their lenses, and parts of them."""

import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from ball_capture import wall_color
from capture_files import look_at

from pvd_engine.data.capture import Camera, View
from pvd_engine.data.geometry.projection import project
from pvd_engine.data.images.pinholes import pinhole_images
from pvd_engine.errors import UserError
from pvd_engine.files.images import write_png
from pvd_engine.kernels import workload
from pvd_engine.space.rays import CameraBatch, generate_rays, image_pixels
from pvd_engine.train.pieces import ImagePieces, Piece, window

POSE = look_at((0.3, -0.4, 0.2), (2.0, 1.0, 0.9))
PLAIN = Camera(POSE, 96, 64, 80.0, 82.0, 47.0, 33.0)
LENSES = {
    "none": PLAIN,
    "opencv": replace(
        PLAIN, distortion_model="opencv", distortion={"k1": -0.1, "k2": 0.02, "p1": 0.01}
    ),
    "opencv_fisheye": replace(
        PLAIN, fx=30.0, fy=30.0, distortion_model="opencv_fisheye", distortion={"k1": 0.02}
    ),
    "equirectangular": Camera(
        POSE, 160, 80, 160 / (2 * math.pi), 80 / math.pi, 80, 40, "equirectangular"
    ),
}


def directions(camera):
    """Unit directions (H, W, 3) of a camera's pixels, dataset frame."""
    pixels = image_pixels(camera.width, camera.height, torch.device("cpu"))
    index = torch.zeros(len(pixels), dtype=torch.int64)
    found = generate_rays(CameraBatch.from_cameras([camera]), index, pixels).directions
    return found.double().numpy().reshape(camera.height, camera.width, 3)


def wall_view(folder, camera, name="view", mask=None):
    """A view of a far wall whose colour depends on the direction alone."""
    color = wall_color(directions(camera))
    rgba = np.concatenate((color, np.ones_like(color[..., :1])), axis=-1)
    write_png(folder / f"{name}.png", (rgba * 255 + 0.5).astype(np.uint8))
    if mask is not None:
        pixels = np.repeat(mask[..., None] * 255, 4, axis=-1).astype(np.uint8)
        pixels[..., 3] = 255
        write_png(folder / f"{name}-mask.png", pixels)
    where = None if mask is None else folder / f"{name}-mask.png"
    return View(name, camera, "train", folder / f"{name}.png", mask_path=where)


@pytest.mark.parametrize("lens", LENSES)
def test_pinhole_images_show_what_the_lens_shows(lens, tmp_path):
    images = pinhole_images(wall_view(tmp_path, LENSES[lens]))
    assert len(images) == {"equirectangular": 6, "opencv_fisheye": 5}.get(lens, 1)
    for image in images:
        assert image.camera.distortion_model == "none"
        wanted = wall_color(directions(image.camera))
        counts = np.ones(wanted.shape[:2], bool) if image.counts is None else image.counts
        error = np.abs(image.rgba[..., :3] / 255 - wanted)[counts]
        # Reading between pixels bends the colours a little, more where a panorama is coarse.
        assert error.max() < (0.06 if lens == "equirectangular" else 0.03)


def test_a_panorama_shows_every_direction_once(tmp_path):
    images = pinhole_images(wall_view(tmp_path, LENSES["equirectangular"]))
    ahead = np.stack([-image.camera.camera_to_world[:3, 2] for image in images])
    assert np.allclose(ahead @ ahead.T, np.eye(6) - np.eye(6)[[5, 2, 1, 4, 3, 0]], atol=1e-6)
    for image in images:
        turn = image.camera.camera_to_world[:3, :3]
        assert np.allclose(turn.T @ turn, np.eye(3), atol=1e-6) and np.linalg.det(turn) > 0


def test_pixels_under_a_mask_and_beyond_the_lens_do_not_count(tmp_path):
    camera = LENSES["opencv_fisheye"]
    mask = np.zeros((camera.height, camera.width), bool)
    mask[:, : camera.width // 2] = True
    for image in pinhole_images(wall_view(tmp_path, camera, mask=mask)):
        away = directions(image.camera)[image.counts]
        seen = project(camera, camera.camera_to_world[:3, 3] + away)
        assert (seen[:, 0] < camera.width // 2 + 0.5).all() and (seen >= 0).all()


def test_a_window_sees_its_part_of_the_picture():
    camera, rows, columns = window(PLAIN, 600, np.random.default_rng(3))
    assert 500 < camera.width * camera.height < 700
    assert np.allclose(directions(camera), directions(PLAIN)[rows, columns], atol=1e-6)
    whole, rows, columns = window(PLAIN, 1 << 20, np.random.default_rng(3))
    assert whole == PLAIN and (rows, columns) == (slice(0, 64), slice(0, 96))


def test_pieces_are_those_of_the_images_and_a_seed_repeats_them(tmp_path):
    views = [wall_view(tmp_path, PLAIN, name) for name in "abc"]
    drawn = []
    for _ in range(2):
        with ImagePieces(views, torch.device("cpu"), seed=4) as pieces:
            drawn.append([pieces.draw(step, 900) for step in range(12)])
    for first, second in zip(*drawn, strict=True):
        assert torch.equal(first.color, second.color) and first.camera == second.camera
        wanted = torch.from_numpy(wall_color(directions(first.camera))).float()
        assert (first.color - wanted).abs().max() < 1 / 255
        assert (first.alpha == 1).all() and first.counts is None


def test_where_memory_is_short_all_images_still_come_in_turn(tmp_path):
    views = [wall_view(tmp_path, replace(PLAIN, cx=40.0 + n), f"v{n}") for n in range(6)]
    # A quarter of the memory is for pixels: two images of 24,576 bytes.
    with (
        workload.bounded(torch.device("cpu"), 2.2e-4),
        ImagePieces(views, torch.device("cpu"), seed=1) as pieces,
    ):
        seen = {pieces.draw(step, 1 << 20).camera.cx for step in range(200)}
        assert len(pieces._images) == 2
    assert seen == {40.0 + n for n in range(6)}


def test_masks_that_leave_nothing_are_told(tmp_path):
    nothing = np.zeros((PLAIN.height, PLAIN.width), bool)
    view = wall_view(tmp_path, LENSES["opencv"], mask=nothing)
    with pytest.raises(UserError, match="leave no pixel"):
        ImagePieces([view], torch.device("cpu"))


def test_only_pixels_that_count_make_the_error():
    color, alpha = torch.rand(4, 5, 3), torch.ones(4, 5)
    counts = torch.zeros(4, 5, dtype=torch.bool)
    counts[1, 2] = True
    wrong = color.clone()
    wrong[1, 2] += 0.25
    wrong[3, 3] += 7.0
    piece = Piece(PLAIN, color, alpha, counts)
    assert float(piece.error(wrong, alpha)) == pytest.approx(0.0625)
    assert float(piece.error(color, alpha)) == 0
