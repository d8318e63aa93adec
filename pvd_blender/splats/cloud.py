"""A cloud of Gaussian splats as a value, and its transforms.

The conventions are those of 3DGS and of the engine: the colour is ``max(0, 0.5 + sum of Y_i(d)
sh_i)`` in display values (sRGB), with d the unit direction from the camera to the centre.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ..errors import ConvertFieldError
from .harmonics import degree_of, turned_coefficients

UNIFORM = 1e-6
"""Relative difference of a matrix's three scales up to which they count as one."""

UNIT_TOLERANCE = 1e-6
"""Deviation of a quaternion's length from 1 up to which it is left as it is."""

FLATTENED = 1e-12
"""Ratio of the smallest scale of a matrix to its largest up to which it flattens space."""

STRETCHED = (
    "The scale is not the same along all axes: the colours that depend on the direction of view "
    "were turned, but not stretched."
)


@dataclass(frozen=True, eq=False)
class Splats:
    """A cloud of N Gaussian splats.

    Attributes
    ----------
    centers : (N, 3) float32 array
    scales : (N, 3) float32 array
        Standard deviations along the splat's own axes, in the units of the centres; not negative.
    rotations : (N, 4) float32 array
        Unit quaternions w, x, y, z that turn the splat's axes into the frame of the centres. Their
        sign, and the order of the axes, have no meaning: compare `covariances`.
    opacities : (N,) float32 array
        Opacity at the centre, in [0, 1].
    sh : (N, (degree + 1)**2, 3) float32 array
        Spherical-harmonics coefficients of red, green and blue, degree 0 to 4.
    """

    centers: np.ndarray
    scales: np.ndarray
    rotations: np.ndarray
    opacities: np.ndarray
    sh: np.ndarray

    def __len__(self) -> int:
        return len(self.centers)

    @property
    def degree(self) -> int:
        """Degree of the spherical harmonics."""
        return degree_of(self.sh)

    def parts(self) -> tuple[np.ndarray, ...]:
        """Return centers, scales, rotations, opacities and sh."""
        return self.centers, self.scales, self.rotations, self.opacities, self.sh

    def chosen(self, index: np.ndarray) -> "Splats":
        """Return the splats of a mask (N,) or of whole numbers (M,)."""
        return Splats(*(part[index] for part in self.parts()))

    def with_degree(self, degree: int) -> "Splats":
        """Return the splats with higher bands left out, or with new ones that are zero."""
        bands = (degree + 1) ** 2
        sh = np.zeros((len(self), bands, 3), np.float32)
        kept = min(bands, self.sh.shape[1])
        sh[:, :kept] = self.sh[:, :kept]
        return Splats(*self.parts()[:-1], sh)

    def covariances(self) -> np.ndarray:
        """Return the covariance matrices (N, 3, 3) float64."""
        axes = rotation_matrices(self.rotations) * self.scales[:, None, :].astype(np.float64)
        return axes @ axes.swapaxes(1, 2)


def concatenated(clouds: Sequence[Splats]) -> Splats:
    """Return several clouds as one, of the highest degree among them."""
    if len(clouds) == 1:
        return clouds[0]
    degree = max(cloud.degree for cloud in clouds)
    parts = [cloud.with_degree(degree).parts() for cloud in clouds]
    return Splats(*(np.concatenate(same) for same in zip(*parts, strict=True)))


def sound_splats(splats: Splats) -> tuple[Splats, list[str]]:
    """Return splats without those that no program can draw, with quaternions of unit length.

    Returns
    -------
    splats : Splats
        May be empty.
    notes : list of str
        How many were left out, as a sentence.
    """
    rotations = normalized(splats.rotations).astype(np.float32)
    splats = Splats(splats.centers, splats.scales, rotations, splats.opacities, splats.sh)
    sound = (splats.scales >= 0).all(axis=1)
    for part in splats.parts():
        sound &= np.isfinite(part.reshape(len(part), -1)).all(axis=1)
    left_out = len(sound) - int(sound.sum())
    if not left_out:
        return splats, []
    return splats.chosen(sound), [
        f"{left_out} of {len(sound)} splats were left out: they hold numbers that are not finite, "
        "scales below zero, or no rotation."
    ]


def transformed(splats: Splats, matrix: np.ndarray) -> tuple[Splats, list[str]]:
    """Move, turn, scale or mirror splats.

    A rotation, a reflection, a translation and a uniform scale are exact, and the identity changes
    no bit. A scale that is not uniform, or a shear, is exact for the Gaussians, too, but not for
    their colours: directions of view bend, and the harmonics can only turn by the rotation in the
    matrix (its polar part).

    Parameters
    ----------
    splats : Splats
    matrix : (4, 4) array
        Affine.

    Returns
    -------
    splats : Splats
    notes : list of str
        What could not be held, a sentence each.

    Raises
    ------
    ConvertFieldError
        The matrix holds a value that is not finite, flattens space, or leads beyond float32.
    """
    matrix = np.asarray(matrix, np.float64)
    if np.array_equal(matrix, np.eye(4)):
        return splats, []
    linear = matrix[:3, :3]
    if not np.isfinite(matrix).all():
        raise ConvertFieldError("The transform of the splats is not finite; reset it.")
    left, factors, right = np.linalg.svd(linear)
    if factors[2] <= FLATTENED * factors[0]:
        raise ConvertFieldError(
            "The transform of the splats flattens them; give the object scales other than zero."
        )
    turn = left @ right
    with np.errstate(over="ignore"):
        centers = (splats.centers @ linear.T + matrix[:3, 3]).astype(np.float32)
        scales, rotations, uniform = _turned(splats, linear, turn, factors)
        scales = scales.astype(np.float32)
    if not (np.isfinite(centers).all() and np.isfinite(scales).all()):
        raise ConvertFieldError(
            "The transform of the splats leads beyond all numbers; give the object smaller scales."
        )
    is_turned = not np.array_equal(turn, np.eye(3))
    sh = turned_coefficients(splats.sh, turn) if is_turned else splats.sh
    notes = [STRETCHED] if not uniform and splats.degree > 0 else []
    return Splats(centers, scales, rotations.astype(np.float32), splats.opacities, sh), notes


def _turned(
    splats: Splats, linear: np.ndarray, turn: np.ndarray, factors: np.ndarray
) -> tuple[np.ndarray, np.ndarray, bool]:
    """Return float64 scales and rotations after a linear map, and whether it scales uniformly."""
    scales = splats.scales.astype(np.float64)
    if factors[0] - factors[2] <= UNIFORM * factors[0]:
        # A Gaussian is its own reflection in its centre, so a reflection turns it as -turn does.
        proper = turn * np.sign(np.linalg.det(turn))
        turned = multiplied(quaternions_of(proper[None]), splats.rotations.astype(np.float64))
        return scales * factors.mean(), turned, True
    # Factors of linear @ axes are found without squaring it, which would lose thin axes.
    axes = rotation_matrices(splats.rotations) * scales[:, None, :]
    left, new_scales, _ = np.linalg.svd(linear @ axes)
    left[:, :, 2] *= np.sign(np.linalg.det(left))[:, None]
    return new_scales, quaternions_of(left), False


def normalized(quaternions: np.ndarray) -> np.ndarray:
    """Return quaternions (N, 4) of unit length, float64; those of unit length stay as they are.

    One of zero length becomes NaN.
    """
    exact = quaternions.astype(np.float64)
    lengths = np.linalg.norm(exact, axis=1, keepdims=True)
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where(np.abs(lengths - 1) <= UNIT_TOLERANCE, exact, exact / lengths)


def rotation_matrices(quaternions: np.ndarray) -> np.ndarray:
    """Return the rotation matrices (N, 3, 3) float64 of unit quaternions (N, 4)."""
    w, x, y, z = quaternions.astype(np.float64).T
    rows = [
        1 - 2 * (y * y + z * z), 2 * (x * y - w * z), 2 * (x * z + w * y),
        2 * (x * y + w * z), 1 - 2 * (x * x + z * z), 2 * (y * z - w * x),
        2 * (x * z - w * y), 2 * (y * z + w * x), 1 - 2 * (x * x + y * y),
    ]  # fmt: skip
    return np.stack(rows, axis=-1).reshape(-1, 3, 3)


def quaternions_of(matrices: np.ndarray) -> np.ndarray:
    """Return unit quaternions (N, 4), w >= 0, of rotation matrices (N, 3, 3).

    All four components are formed from each diagonal, and those from the largest are taken, whose
    root is far from zero (Shepperd, 1978).
    """
    m = matrices
    xx, yy, zz = m[:, 0, 0], m[:, 1, 1], m[:, 2, 2]
    yz, zx, xy = m[:, 2, 1] - m[:, 1, 2], m[:, 0, 2] - m[:, 2, 0], m[:, 1, 0] - m[:, 0, 1]
    sums = [m[:, 1, 0] + m[:, 0, 1], m[:, 0, 2] + m[:, 2, 0], m[:, 2, 1] + m[:, 1, 2]]
    candidates = np.stack(
        [
            np.stack([1 + xx + yy + zz, yz, zx, xy], axis=-1),
            np.stack([yz, 1 + xx - yy - zz, sums[0], sums[1]], axis=-1),
            np.stack([zx, sums[0], 1 - xx + yy - zz, sums[2]], axis=-1),
            np.stack([xy, sums[1], sums[2], 1 - xx - yy + zz], axis=-1),
        ],
        axis=1,
    )
    largest = np.diagonal(candidates, axis1=1, axis2=2).argmax(axis=-1)
    chosen = candidates[np.arange(len(m)), largest]
    chosen = chosen / np.linalg.norm(chosen, axis=-1, keepdims=True)
    return np.where(chosen[:, :1] < 0, -chosen, chosen)


def multiplied(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Return the products (N, 4) of quaternions: the rotation `second` and then `first`."""
    a, b, c, d = first.T
    w, x, y, z = second.T
    product = [
        a * w - b * x - c * y - d * z,
        a * x + b * w + c * z - d * y,
        a * y - b * z + c * w + d * x,
        a * z + b * y - c * x + d * w,
    ]
    return np.stack(product, axis=-1)
