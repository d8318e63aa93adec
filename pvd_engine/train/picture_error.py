"""The error of rendered colours that does not depend on what stands behind them."""

import math

from torch import Tensor


def picture_error(
    color: Tensor, alpha: Tensor, wanted_color: Tensor, wanted_alpha: Tensor
) -> Tensor:
    """Return the mean squared error of rays in front of all backgrounds.

    Let c and a be the errors of premultiplied colour and of alpha. In front of a background b the
    colour is wrong by c - a b. For b uniform in [0, 1], whose mean is 1/2 and whose mean square is
    1/3, the square of that is c^2 - a c + a^2 / 3 on average. Drawing b at random for each ray, as
    instant-ngp does, has the same mean, but makes gradients noisy.

    Parameters
    ----------
    color, wanted_color : (R, 3) float32
        Premultiplied by alpha.
    alpha, wanted_alpha : (R,) float32

    Returns
    -------
    (R,) float32
        Mean over the channels.
    """
    c, a = color - wanted_color, (alpha - wanted_alpha)[:, None]
    return (c.square() - a * c + a.square() / 3).mean(dim=-1)


def decibels(error: float) -> float:
    """Return the PSNR of a mean squared error; 100 at most, so that means of it stay finite."""
    return -10 * math.log10(error + 1e-10)
