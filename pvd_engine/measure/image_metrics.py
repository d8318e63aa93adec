"""Likeness of a rendered image to its target: PSNR and SSIM."""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

EQUAL = 100.0
"""PSNR that a view without any difference counts as in a mean, decibels."""

SSIM_SIGMA = 1.5
SSIM_WINDOW = 11
"""Side of the Gaussian window at sigma 1.5, as in Wang et al. 2004."""


def psnr(image: np.ndarray, target: np.ndarray, counts: np.ndarray | None = None) -> float:
    """Return the peak signal-to-noise ratio for values in [0, 1].

    Parameters
    ----------
    image, target : (H, W, 3) float array
    counts : (H, W) bool array, optional
        The pixels that are compared, at least one; all when not given.

    Returns
    -------
    float
        Decibel; infinite for equal images.

    Raises
    ------
    ValueError
        The shapes differ or are no images.
    """
    _check(image, target)
    difference = np.asarray(image, np.float64) - np.asarray(target, np.float64)
    difference = difference if counts is None else difference[counts]
    error = float(np.mean(difference**2))
    return math.inf if error == 0 else -10 * math.log10(error)


def mean_psnr(decibels: Sequence[float]) -> float:
    """Return the mean of some views' PSNR, decibels; at most `EQUAL` of each.

    One view without any difference would make the mean of all infinite.
    """
    return float(np.mean(np.minimum(decibels, EQUAL)))


def ssim(image: np.ndarray, target: np.ndarray, counts: np.ndarray | None = None) -> float:
    """Return the structural similarity, a mean over pixels and channels (Wang et al. 2004).

    Gaussian window of sigma 1.5, population covariance, values in [0, 1]: the settings of the
    original, which published results use. With a mask, windows with a pixel that does not count are
    left out, as are windows that reach beyond the image.

    Parameters
    ----------
    image, target : (H, W, 3) float array
        At least 11 pixels to a side.
    counts : (H, W) bool array, optional
        The pixels that are compared, `leaves_something`; all when not given.

    Returns
    -------
    float
        1 for equal images.

    Raises
    ------
    ValueError
        The shapes differ, are no images, or are smaller than the window.
    """
    from skimage.metrics import structural_similarity

    _check(image, target)
    if min(image.shape[:2]) < SSIM_WINDOW:
        raise ValueError(f"SSIM needs images of at least {SSIM_WINDOW} pixels to a side")
    result: Any = structural_similarity(
        np.asarray(image, np.float64),
        np.asarray(target, np.float64),
        gaussian_weights=True,
        sigma=SSIM_SIGMA,
        use_sample_covariance=False,
        data_range=1.0,
        channel_axis=2,
        full=counts is not None,
    )
    return float(result if counts is None else result[1][_whole_windows(counts)].mean())


def leaves_something(counts: np.ndarray | None) -> bool:
    """Return whether a mask, (H, W) bool, leaves a window of SSIM in which all pixels count."""
    return counts is None or bool(_whole_windows(counts).any())


def _whole_windows(counts: np.ndarray) -> np.ndarray:
    """Return the pixels, (H, W) bool, in whose windows all pixels count."""
    from scipy.ndimage import minimum_filter

    return minimum_filter(counts, SSIM_WINDOW, mode="constant", cval=0)


def _check(image: np.ndarray, target: np.ndarray) -> None:
    if image.shape != target.shape or image.ndim != 3 or image.shape[2] != 3 or image.size == 0:
        raise ValueError(f"two (H, W, 3) images were expected, not {image.shape}, {target.shape}")
