"""Values of splat files: checked when they come in, clamped and counted when they go out."""

from pathlib import Path

import numpy as np
import torch

from ...errors import UserError
from ...fields.quaternions import normalized
from ...fields.splats import Splats
from ...files.file_input import size_text

SMALLEST_FILE = 16_000_000
"""Bytes of content that a compressed file of any size may state."""

LARGEST_RATIO = 64
"""Most bytes of content for each byte of a larger file; files of real scenes have 2 to 10."""

LARGEST_LOGIT = 110.0
"""Logits and logarithms are written up to here: their sigmoid is 0 or 1 as float32."""


def require_plausible(path: Path, count: int, bytes_each: int, size: int) -> None:
    """Raise UserError when a compressed file states no splats, or more than it can hold.

    Parameters
    ----------
    path : Path
    count : int
        Number of splats that the file states.
    bytes_each : int
        Bytes of a splat, unpacked.
    size : int
        Bytes of the file.
    """
    if count < 1:
        raise UserError(f"{path} holds no splats; check that it is the right file.")
    if count * bytes_each > max(SMALLEST_FILE, LARGEST_RATIO * size):
        raise UserError(
            f"{path} states {count} splats, more than its {size_text(size)} can hold; it is "
            "damaged, so get it again."
        )


def checked_splats(
    path: Path,
    centers: np.ndarray,
    scales: np.ndarray,
    rotations: np.ndarray,
    opacities: np.ndarray,
    sh: np.ndarray,
) -> tuple[Splats, list[str]]:
    """Return decoded arrays as splats, without those that no program can draw.

    Parameters
    ----------
    path : Path
    centers, scales : (N, 3) arrays
        Scales are linear.
    rotations : (N, 4) array
        Quaternions w, x, y, z of any length.
    opacities : (N,) array
        Linear.
    sh : (N, (degree + 1)**2, 3) array

    Returns
    -------
    splats : Splats
        On the CPU.
    notes : list of str
        How many splats were left out, and how many opacities were clamped.

    Raises
    ------
    UserError
        Not one splat is left.
    """
    with np.errstate(over="ignore"):  # a number that float32 cannot hold becomes infinite
        single = [
            np.ascontiguousarray(part, np.float32) for part in (centers, scales, opacities, sh)
        ]
    parts = [torch.from_numpy(part) for part in single]
    turned = normalized(torch.from_numpy(np.ascontiguousarray(rotations, np.float64))).float()
    parts.insert(2, turned)
    sound = (parts[1] >= 0).all(dim=1)
    for part in parts:
        sound &= part.reshape(len(part), -1).isfinite().all(dim=1)
    notes = []
    left_out = len(sound) - int(sound.sum())
    if left_out == len(sound):
        raise UserError(
            f"{path} holds no splat with finite numbers and a rotation; it is damaged, so get it "
            "again."
        )
    if left_out:
        parts = [part[sound] for part in parts]
        notes.append(
            f"{left_out} of {len(sound)} splats were left out: they hold numbers that are not "
            "finite, scales below zero, or no rotation."
        )
    outside = int(((parts[3] < 0) | (parts[3] > 1)).sum())
    if outside:
        parts[3] = parts[3].clamp(0, 1)
        notes.append(f"{outside} of {len(parts[3])} opacities were clamped to 0 to 1.")
    return Splats(*parts), notes


def arrays_of(splats: Splats) -> tuple[np.ndarray, ...]:
    """Return the centers, scales, rotations, opacities and sh of splats as float32 arrays.

    Raises
    ------
    UserError
        There are no splats, or one holds a number that is not finite, a scale below zero or an
        opacity outside 0 to 1.
    """
    if len(splats) == 0:
        raise UserError("There are no splats to write.")
    parts = (splats.centers, splats.scales, splats.rotations, splats.opacities, splats.sh)
    finite = all(bool(part.isfinite().all()) for part in parts)
    opacities = splats.opacities
    if not finite or splats.scales.min() < 0 or opacities.min() < 0 or opacities.max() > 1:
        raise UserError(
            "The splats were not written: they hold numbers that are not finite, scales below "
            "zero, or opacities outside 0 to 1; remove those splats first."
        )
    return tuple(part.detach().cpu().numpy() for part in parts)


def cut_to_degree(splats: Splats, most: int, name: str) -> tuple[Splats, list[str]]:
    """Return splats of at most a degree, and the note that bands were left out, if they were."""
    if splats.degree <= most:
        return splats, []
    return splats.with_degree(most), [
        f"{name} holds spherical harmonics up to degree {most}; degree {splats.degree} was cut to "
        "that."
    ]


def clamped(values: np.ndarray, low: float, high: float, what: str) -> tuple[np.ndarray, list[str]]:
    """Return values within a format's range, and a note with the number of those outside.

    Parameters
    ----------
    values : array
    low, high : float
    what : str
        Plural noun of the values, such as ``"scales"``.
    """
    slack = 1e-6 * (high - low)  # rounding of a value at the border is no loss
    outside = int(((values < low - slack) | (values > high + slack)).sum())
    if not outside:
        return np.clip(values, low, high), []
    note = (
        f"{outside} of {values.size} {what} lie outside the format's range from {low:.4g} to "
        f"{high:.4g} and were clamped."
    )
    return np.clip(values, low, high), [note]


def sigmoid(logits: np.ndarray) -> np.ndarray:
    """Return 1 / (1 + exp(-x)) in float64, which float32 then rounds."""
    with np.errstate(over="ignore"):
        return 1 / (1 + np.exp(-logits.astype(np.float64)))


def logit(values: np.ndarray) -> np.ndarray:
    """Return the inverse of `sigmoid`, within `LARGEST_LOGIT`."""
    exact = values.astype(np.float64)
    with np.errstate(divide="ignore"):
        logits = np.log(exact) - np.log1p(-exact)
    return np.clip(logits, -LARGEST_LOGIT, LARGEST_LOGIT)


def exponential(logarithms: np.ndarray) -> np.ndarray:
    """Return exp(x) in float64, which float32 then rounds."""
    with np.errstate(over="ignore"):
        return np.exp(logarithms.astype(np.float64))


def logarithm(values: np.ndarray) -> np.ndarray:
    """Return the inverse of `exponential`, not below ``-LARGEST_LOGIT``."""
    with np.errstate(divide="ignore"):
        return np.maximum(np.log(values.astype(np.float64)), -LARGEST_LOGIT)
