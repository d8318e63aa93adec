"""Real spherical harmonics, and the colours that splats show by them."""

import math
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from .launch import use_warp

HIGHEST_DEGREE = 4
"""Largest degree of the harmonics."""

SH_0 = 0.28209479177387814
"""Harmonic of degree 0, the same in all directions: 1 / (2 sqrt(pi))."""


def spherical_harmonics(directions: Tensor, degree: int) -> Tensor:
    """Return the real spherical harmonics of unit directions, up to `degree` (0 to 4).

    The ordering and signs are those of Plenoxels, instant-ngp and Gaussian splats.

    Parameters
    ----------
    directions : (N, 3) float32
        Unit vectors.
    degree : int

    Returns
    -------
    (N, (degree + 1)**2) float32
    """
    x, y, z = directions.unbind(-1)
    basis = [torch.full_like(x, SH_0)]
    if degree > 0:
        c = 0.4886025119029199
        basis += [-c * y, c * z, -c * x]
    xx, yy, zz, xy, yz, xz = x * x, y * y, z * z, x * y, y * z, x * z
    if degree > 1:
        basis += [
            1.0925484305920792 * xy,
            -1.0925484305920792 * yz,
            0.31539156525252005 * (2 * zz - xx - yy),
            -1.0925484305920792 * xz,
            0.5462742152960396 * (xx - yy),
        ]
    if degree > 2:
        basis += [
            -0.5900435899266435 * y * (3 * xx - yy),
            2.890611442640554 * xy * z,
            -0.4570457994644658 * y * (4 * zz - xx - yy),
            0.3731763325901154 * z * (2 * zz - 3 * xx - 3 * yy),
            -0.4570457994644658 * x * (4 * zz - xx - yy),
            1.445305721320277 * z * (xx - yy),
            -0.5900435899266435 * x * (xx - 3 * yy),
        ]
    if degree > 3:
        across = xx + yy
        basis += [
            2.5033429417967046 * xy * (xx - yy),
            -1.7701307697799304 * yz * (3 * xx - yy),
            0.9461746957575601 * xy * (6 * zz - across),
            -0.6690465435572892 * yz * (4 * zz - 3 * across),
            0.10578554691520431 * (8 * zz * zz - 24 * zz * across + 3 * across * across),
            -0.6690465435572892 * xz * (4 * zz - 3 * across),
            0.47308734787878004 * (xx - yy) * (6 * zz - across),
            -1.7701307697799304 * xz * (xx - 3 * yy),
            0.6258357354491761 * (xx * (xx - 3 * yy) - yy * (3 * xx - yy)),
        ]
    return torch.stack(basis, dim=-1)


def sh_colors(coefficients: Tensor, centers: Tensor, eye: Tensor) -> Tensor:
    """Return the colours of splats as seen from one position; differentiable in the first two.

    Kerbl et al., "3D Gaussian splatting for real-time radiance field rendering", 2023: the
    harmonics of the direction from the eye to the centre, plus a half, and not below zero.

    Parameters
    ----------
    coefficients : (N, K, 3) float32
        K is 1, 4, 9, 16 or 25.
    centers : (N, 3) float32
    eye : (3,) float32
        In the frame of the centres.

    Returns
    -------
    (N, 3) float32
    """
    if coefficients.ndim != 3 or math.isqrt(coefficients.shape[1]) ** 2 != coefficients.shape[1]:
        raise ValueError("coefficients must be (N, K, 3), where K is 1, 4, 9, 16 or 25")
    if not 1 <= coefficients.shape[1] <= (HIGHEST_DEGREE + 1) ** 2:
        raise ValueError(f"the harmonics' degree must be from 0 to {HIGHEST_DEGREE}")
    run = sh_colors_warp if use_warp(centers.device) else sh_colors_reference
    return run(coefficients, centers, eye)


def sh_colors_reference(coefficients: Tensor, centers: Tensor, eye: Tensor) -> Tensor:
    """Compute `sh_colors` in plain torch operations, differentiated by autograd."""
    directions = torch.nn.functional.normalize(centers - eye.to(centers), dim=-1)
    basis = spherical_harmonics(directions, math.isqrt(coefficients.shape[1]) - 1)
    return torch.relu(torch.einsum("nk,nkc->nc", basis, coefficients) + 0.5)


def sh_colors_warp(coefficients: Tensor, centers: Tensor, eye: Tensor) -> Tensor:
    """Compute `sh_colors` by the Warp kernels, with their own backward pass."""
    return _ShColors.apply(coefficients, centers, eye)


class _ShColors(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, coefficients: Tensor, centers: Tensor, eye: Tensor) -> Tensor:
        from .sources.harmonics import sh_colors_forward

        coefficients, centers = coefficients.detach().contiguous(), centers.detach().contiguous()
        eye = eye.detach().to(centers).contiguous()
        colors = torch.empty_like(centers)
        sh_colors_forward.launch(
            len(centers), coefficients=coefficients, centers=centers, eye=eye, colors=colors
        )
        ctx.save_for_backward(coefficients, centers, eye, colors)
        return colors

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, Tensor, None]:
        from .sources.harmonics import sh_colors_backward

        coefficients, centers, eye, colors = ctx.saved_tensors
        of_coefficients = torch.empty_like(coefficients)
        of_centers = torch.empty_like(centers)
        sh_colors_backward.launch(
            len(centers),
            coefficients=coefficients,
            centers=centers,
            eye=eye,
            colors=colors,
            of_colors=gradients[0].contiguous(),
            of_coefficients=of_coefficients,
            of_centers=of_centers,
        )
        return of_coefficients, of_centers, None
