"""How near a rendered image is to its target: PSNR and SSIM."""

import math
from typing import Any

import numpy as np
from skimage.metrics import structural_similarity

SSIM_SIGMA = 1.5
SSIM_WINDOW = 11
"""Side of the Gaussian window at sigma 1.5, as in Wang et al. 2004."""


def psnr(image: np.ndarray, target: np.ndarray) -> float:
    """Peak signal-to-noise ratio for values in [0, 1].

    Parameters
    ----------
    image, target : (H, W, 3) float array

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
    error = float(np.mean(difference**2))
    return math.inf if error == 0 else -10 * math.log10(error)


def ssim(image: np.ndarray, target: np.ndarray) -> float:
    """Structural similarity, mean over pixels and channels (Wang et al. 2004).

    Gaussian window of sigma 1.5, population covariance, values in [0, 1]: the settings of the
    original, which published results use.

    Parameters
    ----------
    image, target : (H, W, 3) float array
        At least 11 pixels to a side.

    Returns
    -------
    float
        1 for equal images.

    Raises
    ------
    ValueError
        The shapes differ, are no images, or are smaller than the window.
    """
    _check(image, target)
    if min(image.shape[:2]) < SSIM_WINDOW:
        raise ValueError(f"SSIM needs images of at least {SSIM_WINDOW} pixels to a side")
    similarity: Any = structural_similarity(
        np.asarray(image, np.float64),
        np.asarray(target, np.float64),
        gaussian_weights=True,
        sigma=SSIM_SIGMA,
        use_sample_covariance=False,
        data_range=1.0,
        channel_axis=2,
    )
    return float(similarity)


def _check(image: np.ndarray, target: np.ndarray) -> None:
    if image.shape != target.shape or image.ndim != 3 or image.shape[2] != 3 or image.size == 0:
        raise ValueError(f"two (H, W, 3) images were expected, not {image.shape}, {target.shape}")
