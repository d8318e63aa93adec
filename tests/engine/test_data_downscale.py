"""Captures read smaller than their images are."""

import numpy as np
import pytest
from ball_capture import write_ball_capture

from pvd_engine.data.images.downscale import load_view, scaled_camera
from pvd_engine.data.readers import open_capture
from pvd_engine.files.images import load_image


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return write_ball_capture(tmp_path_factory.mktemp("captures") / "ball", size=40)


def test_each_pixel_is_the_mean_of_those_it_covers_weighed_by_alpha(folder):
    full, half = (open_capture(folder, factor).views[0] for factor in (1, 2))
    given = load_image(full.image_path).astype(np.float64)
    weighed = np.concatenate([given[..., :3] * given[..., 3:] / 255, given[..., 3:]], -1)
    expected = weighed.reshape(20, 2, 20, 2, 4).mean(axis=(1, 3))
    found = load_view(half).astype(np.float64)
    assert np.abs(found[..., 3] - expected[..., 3]).max() <= 1
    assert np.abs(found[..., :3] * found[..., 3:] / 255 - expected[..., :3]).max() < 3


def test_a_smaller_camera_sees_the_same_rays(folder):
    camera = open_capture(folder).views[0].camera
    small = scaled_camera(camera, 20, 10)
    x, y = 13.0, 29.0  # the same place of the picture, in both sizes
    assert (x - camera.cx) / camera.fx == pytest.approx((x / 2 - small.cx) / small.fx)
    assert (y - camera.cy) / camera.fy == pytest.approx((y / 4 - small.cy) / small.fy)


def test_sizes_that_do_not_divide_are_rounded_and_cover_the_whole_picture(folder):
    full, third = (open_capture(folder, factor).views[0].camera for factor in (1, 3))
    assert (third.width, third.height) == (13, 13)
    assert third.width / (2 * third.fx) == pytest.approx(full.width / (2 * full.fx))
    assert "at 1/3" in open_capture(folder, 3).notes[-1]


def test_no_picture_is_smaller_than_a_pixel(folder):
    assert load_view(open_capture(folder, 64).views[0]).shape == (1, 1, 4)
