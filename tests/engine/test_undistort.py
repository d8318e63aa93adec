"""Undistorted images: what a pinhole would have seen, by OpenCV and by published formulas."""

import json

import imageio.v3 as iio
import numpy as np
import pytest
from capture_files import write_image, write_json
from engine_process import pvd
from lens_formulas import SPREAD, by_formula, lens_of, opencv, opencv_coefficients

from pvd_engine.cli import main
from pvd_engine.data.capture import Camera
from pvd_engine.data.formats.cameras_json import camera_to_dict
from pvd_engine.data.images.downscale import scaled_camera
from pvd_engine.data.images.undistort import PIXELS_AT_ONCE, undistorted

SIZE = WIDTH, HEIGHT = 96, 72
NAMES = [name for name in SPREAD if name != "EQUIRECTANGULAR"]
IN_OPENCV = ["OPENCV", "FULL_OPENCV", "SIMPLE_RADIAL", "OPENCV_FISHEYE", "FISHEYE"]


def small(name):
    return scaled_camera(lens_of(name), *SIZE)


def waves(u, v):
    """A smooth opaque picture by pixel coordinates, (..., 4) in 0 to 255."""
    colors = [127 + 100 * np.sin(u / 8 + k) * np.cos(v / 9 - k) for k in range(3)]
    return np.stack([*colors, np.full_like(u, 255.0)], axis=-1)


def centers(camera):
    return np.meshgrid(np.arange(camera.width) + 0.5, np.arange(camera.height) + 0.5)


def picture(camera):
    return np.round(waves(*centers(camera))).astype(np.uint8)


def pinhole_points(camera):
    """Points (N, 3) at depth 1 that the pixels of the undistorted image show."""
    u, v = centers(camera)
    x, y = (u - camera.cx) / camera.fx, (v - camera.cy) / camera.fy
    return np.stack([x, y, np.ones_like(x)], axis=-1).reshape(-1, 3)


@pytest.mark.parametrize("name", NAMES)
def test_each_pixel_shows_what_the_lens_shows_in_its_direction(name):
    camera = small(name)
    shown = undistorted(picture(camera), camera)
    u, v = by_formula(camera, pinhole_points(camera)).T.reshape(2, HEIGHT, WIDTH)
    inside = (u > 0.5) & (u < WIDTH - 0.5) & (v > 0.5) & (v < HEIGHT - 0.5)
    outside = (u < 0) | (u > WIDTH) | (v < 0) | (v > HEIGHT)
    assert inside.mean() > 0.8
    assert (shown[inside][:, 3] == 255).all() and (shown[outside] == 0).all()
    assert np.abs(shown - waves(u, v))[inside].max() < 1.5


@pytest.mark.parametrize("name", IN_OPENCV)
def test_the_picture_is_opencvs(name):
    cv2 = opencv()
    camera = small(name)
    bent = opencv_coefficients(camera)
    # The centre of OpenCV's first pixel is (0, 0).
    matrix = np.array([[camera.fx, 0, camera.cx - 0.5], [0, camera.fy, camera.cy - 0.5], [0, 0, 1]])
    if camera.distortion_model == "opencv_fisheye":
        expected = cv2.fisheye.undistortImage(picture(camera), matrix, bent, Knew=matrix)
    else:
        expected = cv2.undistort(picture(camera), matrix, bent, newCameraMatrix=matrix)
    shown = undistorted(picture(camera), camera)
    both = (shown[..., 3] == 255) & (expected[..., 3] == 255)
    assert both.mean() > 0.8
    assert np.abs(shown.astype(int) - expected)[both].max() <= 2


def test_a_pinholes_image_stays_as_it_is():
    image = np.random.default_rng(0).integers(0, 256, (HEIGHT, WIDTH, 4), dtype=np.uint8)
    image[..., 3] = np.maximum(image[..., 3], 1)
    shown = undistorted(image, small("PINHOLE"))
    assert (shown[..., 3] == image[..., 3]).all()
    assert np.abs(shown[..., :3] - image[..., :3].astype(int)).max() <= 1


def test_colours_of_transparent_pixels_do_not_bleed_in():
    image = np.zeros((HEIGHT, WIDTH, 4), np.uint8)
    image[...] = (255, 0, 0, 0)
    image[20:50, 30:60] = (0, 200, 0, 255)
    shown = undistorted(image, small("OPENCV"))
    edge = (shown[..., 3] > 0) & (shown[..., 3] < 255)
    assert edge.any()
    assert (shown[..., 0] == 0)[shown[..., 3] > 0].all()
    assert np.abs(shown[edge][:, 1].astype(int) - 200).max() <= 1


def test_an_image_of_another_size_is_stretched_over_the_camera():
    camera = small("OPENCV")
    shown = undistorted(picture(camera), camera)
    smaller = picture(camera).reshape(HEIGHT // 2, 2, WIDTH // 2, 2, 4).mean(axis=(1, 3))
    stretched = undistorted(np.round(smaller).astype(np.uint8), camera)
    assert stretched.shape == shown.shape
    inner = np.s_[4:-4, 4:-4]
    assert np.abs(stretched.astype(int) - shown)[inner].max() < 10


def test_what_a_lens_cannot_show_is_transparent():
    wide = Camera(np.eye(4), *SIZE, 20.0, 20.0, 48.0, 36.0, "division", {"k": 0.5})
    shown = undistorted(np.full((HEIGHT, WIDTH, 4), 255, np.uint8), wide)
    radius = np.linalg.norm(pinhole_points(wide)[:, :2], axis=1).reshape(HEIGHT, WIDTH)
    beyond = 1 - 4 * 0.5 * radius**2 < 0
    assert (shown[beyond] == 0).all() and (shown[~beyond] == 255).all()


def test_large_images_are_the_same_in_pieces(monkeypatch):
    camera = small("FULL_OPENCV")
    whole = undistorted(picture(camera), camera)
    assert camera.width * camera.height < PIXELS_AT_ONCE
    for pixels in (1, WIDTH * 7):
        monkeypatch.setattr("pvd_engine.data.images.undistort.PIXELS_AT_ONCE", pixels)
        assert (undistorted(picture(camera), camera) == whole).all()


# The command ------------------------------------------------------------------------------------


def test_the_command_writes_the_picture(tmp_path):
    camera = small("OPENCV")
    iio.imwrite(tmp_path / "in.png", picture(camera))
    write_json(tmp_path / "camera.json", {"name": "in", **camera_to_dict(camera)})
    out = tmp_path / "made" / "out.png"
    result = pvd(
        *("undistort", tmp_path / "in.png", "--camera", tmp_path / "camera.json"),
        *("--out", out, "--json"),
    )
    assert result.returncode == 0, result.stderr
    assert json.loads(result.stdout) == {"out": str(out)}
    assert (iio.imread(out) == undistorted(picture(camera), camera)).all()
    assert [path.name for path in out.parent.iterdir()] == ["out.png"]


@pytest.mark.parametrize(
    ("changes", "image", "out", "words"),
    [
        (
            {"distortion_model": "equirectangular"},
            "in.png",
            "out.png",
            ["camera.json", "equirectangular"],
        ),
        ({"distortion_model": "mirror"}, "in.png", "out.png", ["camera.json", "distortion_model"]),
        ({"distortion": {"k9": 1}}, "in.png", "out.png", ["no coefficient"]),
        ({}, "none.png", "out.png", ["none.png"]),
        ({}, "in.png", "out.jpg", ["--out", ".png"]),
    ],
    ids=["panorama", "unknown lens", "unknown coefficient", "no image", "no png"],
)
def test_what_cannot_be_undistorted_is_refused_in_one_sentence(
    tmp_path, capfd, changes, image, out, words
):
    write_image(tmp_path / "in.png", SIZE)
    entry = camera_to_dict(small("PINHOLE")) | {"distortion_model": "opencv", "distortion": {}}
    write_json(tmp_path / "camera.json", entry | changes)
    command = ["undistort", tmp_path / image, "--camera", tmp_path / "camera.json"]
    assert main([*map(str, command), "--out", str(tmp_path / out)]) == 1
    (sentence,) = capfd.readouterr().err.splitlines()
    assert sentence.endswith(".") and all(word in sentence for word in words)
    assert not (tmp_path / out).exists()
