import math

import numpy as np
import pytest

from pvd_engine.measure.figures import figure
from pvd_engine.measure.image_metrics import mean_psnr, psnr, ssim

RANDOM = np.random.default_rng(7)
TARGET = RANDOM.random((24, 31, 3))


def windowed(channel):
    """Mean under an 11 x 11 Gaussian of sigma 1.5, written as a plain sum over shifted images."""
    offsets = np.arange(-5, 6)
    kernel = np.exp(-(offsets**2) / (2 * 1.5**2))
    kernel /= kernel.sum()
    height, width = channel.shape
    result = np.zeros((height - 10, width - 10))
    for row, weight_y in enumerate(kernel):
        for column, weight_x in enumerate(kernel):
            part = channel[row : row + height - 10, column : column + width - 10]
            result += weight_y * weight_x * part
    return result


def ssim_of_wang(a, b):
    """Structural similarity by the formula of Wang et al. 2004, without borders."""
    c1, c2 = 0.01**2, 0.03**2
    values = []
    for channel in range(3):
        x, y = a[..., channel], b[..., channel]
        mean_x, mean_y = windowed(x), windowed(y)
        var_x = windowed(x * x) - mean_x**2
        var_y = windowed(y * y) - mean_y**2
        covariance = windowed(x * y) - mean_x * mean_y
        similarity = (2 * mean_x * mean_y + c1) * (2 * covariance + c2)
        similarity /= (mean_x**2 + mean_y**2 + c1) * (var_x + var_y + c2)
        values.append(similarity.mean())
    return float(np.mean(values))


@pytest.mark.parametrize(("error", "decibel"), [(0.1, 20.0), (0.01, 40.0), (1.0, 0.0)])
def test_psnr_of_a_constant_error(error, decibel):
    zero = np.zeros((4, 5, 3))
    assert psnr(zero + error, zero) == pytest.approx(decibel)


def test_psnr_averages_the_error_before_the_logarithm():
    image = np.zeros((1, 2, 3))
    image[0, 0] = 0.2
    assert psnr(image, np.zeros((1, 2, 3))) == pytest.approx(-10 * math.log10(0.02))


def test_equal_images_have_infinite_psnr_and_ssim_one():
    assert psnr(TARGET, TARGET) == math.inf
    assert ssim(TARGET, TARGET) == pytest.approx(1)


@pytest.mark.parametrize("noise", [0.02, 0.2])
def test_ssim_is_that_of_wang(noise):
    image = np.clip(TARGET + noise * RANDOM.standard_normal(TARGET.shape), 0, 1)
    assert ssim(image, TARGET) == pytest.approx(ssim_of_wang(image, TARGET), abs=1e-9)


def test_float32_images_give_what_float64_images_give():
    image = np.clip(TARGET + 0.1, 0, 1)
    single = image.astype(np.float32), TARGET.astype(np.float32)
    assert psnr(*single) == pytest.approx(psnr(image, TARGET), abs=1e-5)
    assert ssim(*single) == pytest.approx(ssim(image, TARGET), abs=1e-6)


@pytest.mark.parametrize("metric", [psnr, ssim])
@pytest.mark.parametrize("shape", [(24, 30, 3), (24, 31, 4), (24, 31), (0, 31, 3)])
def test_images_that_do_not_fit_are_refused(metric, shape):
    with pytest.raises(ValueError, match="images were expected"):
        metric(np.zeros(shape), TARGET if shape != (0, 31, 3) else np.zeros(shape))


def test_ssim_refuses_images_smaller_than_its_window():
    with pytest.raises(ValueError, match="at least 11"):
        ssim(np.zeros((10, 40, 3)), np.zeros((10, 40, 3)))


def test_one_view_without_any_difference_does_not_make_a_mean_infinite():
    assert mean_psnr([20.0, np.inf]) == 60.0
    assert mean_psnr([np.inf, np.inf]) == 100.0


@pytest.mark.parametrize(
    ("decibels", "of", "split", "quick", "expected"),
    [
        ([20.0, 30.0], 9, "test", False, (25.0, "2 of 9 test views, 64 px")),
        ([20.0, None], 2, "test", False, (20.0, "1 of 2 test views, 64 px")),
        ([20.0], 1, "", False, (20.0, "1 view, 64 px")),
        ([20.0], 4, "val", True, (20.0, "quick: 1 of 4 val views, 64 px")),
        ([None], 4, "val", True, None),
    ],
)
def test_a_figure_says_which_views_it_was_measured_on(decibels, of, split, quick, expected):
    made = figure(decibels, of, split, 64, quick)
    shown = made and (made["psnr"], made["measured_on"])
    assert shown == expected and (made is None or made["quick"] == quick)
