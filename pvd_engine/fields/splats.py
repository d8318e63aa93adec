"""Gaussian splats as a value: centres, sizes, rotations, opacities and colours of many Gaussians.

A splat is a Gaussian with an opacity at its centre and a colour that depends on the direction of
view. The conventions are those of 3DGS: the colour is ``max(0, 0.5 + sum of Y_i(d) sh_i)`` in
display values (sRGB), with d the unit direction from the camera to the centre.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from ..errors import UserError
from ..kernels.harmonics import HIGHEST_DEGREE
from .quaternions import multiplied, quaternions_of, rotation_matrices
from .sh_rotation import turned_coefficients

UNIFORM = 1e-6
"""Relative difference of a matrix's three scales up to which they count as one."""


@dataclass(frozen=True, eq=False)
class Splats:
    """A cloud of N Gaussian splats.

    Attributes
    ----------
    centers : (N, 3) float32 tensor
        Dataset frame.
    scales : (N, 3) float32 tensor
        Standard deviations along the splat's own axes, dataset units; not negative.
    rotations : (N, 4) float32 tensor
        Unit quaternions w, x, y, z that turn the splat's axes into the dataset frame. Their sign,
        and the order of the axes, have no meaning: compare `covariances`.
    opacities : (N,) float32 tensor
        Opacity at the centre, in [0, 1].
    sh : (N, (degree + 1)**2, 3) float32 tensor
        Spherical-harmonics coefficients of red, green and blue, degree 0 to 4.

    Raises
    ------
    ValueError
        The shapes do not fit together.
    """

    centers: Tensor
    scales: Tensor
    rotations: Tensor
    opacities: Tensor
    sh: Tensor

    def __post_init__(self) -> None:
        count = len(self.centers)
        shapes = [tuple(part.shape) for part in self._parts()]
        bands = {(count, (degree + 1) ** 2, 3) for degree in range(HIGHEST_DEGREE + 1)}
        if shapes[:4] != [(count, 3), (count, 3), (count, 4), (count,)] or shapes[4] not in bands:
            raise ValueError(f"the shapes of splats do not fit together: {shapes}")

    def __len__(self) -> int:
        return len(self.centers)

    @property
    def degree(self) -> int:
        """Degree of the spherical harmonics."""
        return math.isqrt(self.sh.shape[1]) - 1

    @property
    def nbytes(self) -> int:
        """Bytes of memory."""
        return sum(part.nbytes for part in self._parts())

    def covariances(self) -> Tensor:
        """Return the covariance matrices (N, 3, 3) float32, square dataset units."""
        axes = rotation_matrices(self.rotations) * self.scales[:, None, :]
        return axes @ axes.mT

    def chosen(self, index: Tensor) -> "Splats":
        """Return the splats of an index, a boolean mask (N,) or whole numbers (M,)."""
        return Splats(*(part[index] for part in self._parts()))

    def detached(self) -> "Splats":
        """Return the splats without gradient."""
        return Splats(*(part.detach() for part in self._parts()))

    def to(self, device: torch.device | str) -> "Splats":
        """Return the splats on a device."""
        return Splats(*(part.to(device) for part in self._parts()))

    def with_degree(self, degree: int) -> "Splats":
        """Return the splats with higher bands left out, or with new ones that are zero."""
        bands = (degree + 1) ** 2
        sh = self.sh.new_zeros(len(self), bands, 3)
        kept = min(bands, self.sh.shape[1])
        sh[:, :kept] = self.sh[:, :kept]
        return Splats(self.centers, self.scales, self.rotations, self.opacities, sh)

    def _parts(self) -> tuple[Tensor, ...]:
        return self.centers, self.scales, self.rotations, self.opacities, self.sh


def blank_splats(count: int, degree: int) -> Splats:
    """Return splats at the origin, round, of size 1, transparent and grey, on the CPU."""
    rotations = torch.zeros(count, 4)
    rotations[:, 0] = 1
    sh = torch.zeros(count, (degree + 1) ** 2, 3)
    return Splats(torch.zeros(count, 3), torch.ones(count, 3), rotations, torch.zeros(count), sh)


def concatenated(clouds: Sequence[Splats]) -> Splats:
    """Return several clouds as one, of the highest degree among them."""
    degree = max(cloud.degree for cloud in clouds)
    parts = [cloud.with_degree(degree)._parts() for cloud in clouds]
    return Splats(*(torch.cat(same) for same in zip(*parts, strict=True)))


def transformed(splats: Splats, matrix: Tensor) -> tuple[Splats, list[str]]:
    """Move, turn, scale or mirror splats, on the CPU, as not every device has float64.

    A rotation, a reflection, a translation and a uniform scale are exact. A scale that is not
    uniform, or a shear, is exact for the Gaussians, too, but not for their colours: directions of
    view bend, and the harmonics can only turn by the rotation in the matrix (its polar part).

    Parameters
    ----------
    splats : Splats
    matrix : (4, 4) tensor
        Affine, from the dataset frame to the new one.

    Returns
    -------
    splats : Splats
        On the device of those given.
    notes : list of str
        What could not be held, a sentence each.

    Raises
    ------
    UserError
        The matrix is not affine, holds a value that is not finite, flattens space, or leads beyond
        float32.
    """
    device, splats, matrix = splats.centers.device, splats.to("cpu"), matrix.cpu().double()
    last = matrix.new_tensor([0.0, 0.0, 0.0, 1.0])
    if not bool(matrix.isfinite().all()) or not torch.equal(matrix[3], last):
        raise UserError("The transform of the splats is not one of move, turn, scale and shear.")
    linear, translation = matrix[:3, :3], matrix[:3, 3]
    left, factors, right = torch.linalg.svd(linear)
    if float(factors[2]) <= 1e-12 * float(factors[0]):
        raise UserError("The transform of the splats flattens them; give it scales above zero.")
    turn = left @ right
    centers = (splats.centers.double() @ linear.T + translation).float()
    sh = turned_coefficients(splats.sh, turn)
    uniform = float(factors[0] - factors[2]) <= UNIFORM * float(factors[0])
    if uniform:
        # A Gaussian is its own reflection in its centre, so a reflection turns it as -turn does.
        proper = turn * torch.linalg.det(turn).sign()
        turned = multiplied(quaternions_of(proper[None]), splats.rotations.double())
        scales = splats.scales.double() * factors.mean()
    else:
        scales, turned = _stretched(splats, linear)
    scales = scales.float()
    if not (bool(centers.isfinite().all()) and bool(scales.isfinite().all())):
        raise UserError("The transform of the splats is too large; give it smaller scales.")
    notes = []
    if not uniform and splats.degree > 0:
        notes.append(
            "The scale is not the same along all axes: the colours that depend on the direction of "
            "view were turned, but not stretched."
        )
    moved = Splats(centers, scales, turned.float(), splats.opacities, sh)
    return moved.to(device), notes


def _stretched(splats: Splats, linear: Tensor) -> tuple[Tensor, Tensor]:
    """Return float64 scales and rotations of splats after any linear map.

    The factors of linear @ axes are found without squaring it, which would lose thin axes.
    """
    axes = rotation_matrices(splats.rotations.double()) * splats.scales.double()[:, None, :]
    left, scales, _ = torch.linalg.svd(linear @ axes)
    left[:, :, 2] *= torch.linalg.det(left).sign()[:, None]
    return scales, quaternions_of(left)
