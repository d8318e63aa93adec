"""The random cameras with the largest errors, taken again among the next ones (PVD-AL)."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import torch
from torch import Tensor

from ..data.capture import Camera

HARD_TURN = np.pi / 20
"""Largest turn of a hard camera about each of its axes, radians (PVD-AL)."""


class HardPoses:
    """The cameras of one period and the errors of their rays.

    Parameters
    ----------
    fraction : float
        Hard cameras in a period, as a fraction of all.
    count : int
        Number of cameras in a period.
    device : torch.device
    """

    def __init__(self, fraction: float, count: int, device: torch.device) -> None:
        self.hardest = round(fraction * count)
        self._matrices: np.ndarray | None = None
        self._errors = torch.zeros((2, count), device=device)  # their sum, and their number

    def begin_period(self, cameras: Sequence[Camera], random: np.random.Generator) -> list[Camera]:
        """Put the hardest cameras of the last period, a little turned, in place of the first.

        Parameters
        ----------
        cameras : sequence of Camera
            New ones.
        random : np.random.Generator
            Source of the turns.
        """
        chosen = list(cameras)
        if self._matrices is not None:
            total, count = self._errors.cpu().numpy()
            worst = np.argsort(-total / np.maximum(count, 1))[: self.hardest]
            for slot, index in enumerate(worst):
                matrix = self._matrices[index] @ _small_turn(random)
                chosen[slot] = replace(chosen[slot], camera_to_world=matrix)
        self._matrices = np.stack([camera.camera_to_world for camera in chosen])
        self._errors.zero_()
        return chosen

    def resume_period(self, cameras: Sequence[Camera], random: np.random.Generator) -> list[Camera]:
        """Give cameras the poses of the period that was interrupted; without one, begin it."""
        if self._matrices is None:
            return self.begin_period(cameras, random)
        return [
            replace(camera, camera_to_world=matrix)
            for camera, matrix in zip(cameras, self._matrices, strict=True)
        ]

    def learn(self, pose: Tensor, errors: Tensor) -> None:
        """Add the errors (N,) of rays to those of their cameras.

        Parameters
        ----------
        pose : (N,) int64
            The camera of each ray; -1 for rays that come from none of the period.
        errors : (N,) float32
        """
        known = pose >= 0  # the others add nothing, to the first camera
        slots = pose.clamp(min=0)
        self._errors[0].index_add_(0, slots, torch.where(known, errors, 0))
        self._errors[1].index_add_(0, slots, known.to(errors.dtype))

    def state(self) -> dict[str, Tensor]:
        """Return the period's poses and errors; nothing before the first period."""
        if self._matrices is None:
            return {}
        return {"matrices": torch.from_numpy(self._matrices), "errors": self._errors}

    def load_state(self, tensors: dict[str, Tensor]) -> None:
        """Take what `state` returned."""
        if tensors:
            self._matrices = tensors["matrices"].numpy()
            self._errors.copy_(tensors["errors"])


def _small_turn(random: np.random.Generator) -> np.ndarray:
    """Return a random rotation (4, 4) by up to `HARD_TURN` about x, y and z of a camera."""
    matrix = np.eye(4)
    for axis, angle in enumerate(random.uniform(-HARD_TURN, HARD_TURN, size=3)):
        a, b = (axis + 1) % 3, (axis + 2) % 3
        turn = np.eye(4)
        turn[[a, b], [a, b]] = np.cos(angle)
        turn[a, b], turn[b, a] = -np.sin(angle), np.sin(angle)
        matrix = matrix @ turn
    return matrix
