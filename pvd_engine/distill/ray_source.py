"""The rays of distillation: of the capture's cameras, of random cameras like them, hard rays."""

from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from ..data.geometry.poses import PoseDistribution
from ..space.rays import CameraBatch, Rays, random_rays
from .hard_poses import HardPoses
from .hard_rays import HardRays

POSES = 128
"""Random cameras in use at a time."""

RENEW_EVERY = 16
"""Steps for which random cameras are used."""

HARD_FRACTION = 0.1
"""Fraction of the random cameras, and of a step's rays, that are repeated hard ones (PVD-AL)."""

HARD_RAYS = 1 << 14
"""Number of hard rays that are kept."""

RAY_COLUMNS = 6
"""Numbers of a hard ray: origin and direction."""


class DrawnRays(NamedTuple):
    """The rays of a step, and their sources.

    Attributes
    ----------
    rays : Rays
        N of them, dataset frame.
    pose : (N,) int64
        The random camera of each; -1 for the capture's cameras and for hard rays.
    slots : (H,) int64
        Rows in the table of hard rays that the last H rays come from.
    """

    rays: Rays
    pose: Tensor
    slots: Tensor


class RaySource:
    """Rays from the capture's training cameras and from random poses like theirs, half and half.

    Parameters
    ----------
    poses : PoseDistribution
    cameras : CameraBatch or None
        The capture's training cameras; without them all rays come from random poses.
    device : torch.device
    seed : int
        Seed of the random poses.
    hard_poses, hard_rays : bool
        PVD-AL: take a tenth of the random cameras from the worst of the last ones, a little
        turned; add a tenth of rays from those that were worst when they were cast.
    """

    def __init__(
        self,
        poses: PoseDistribution,
        cameras: CameraBatch | None,
        device: torch.device,
        seed: int,
        hard_poses: bool = False,
        hard_rays: bool = False,
    ) -> None:
        self.poses = poses
        self.cameras = cameras
        self.device = device
        self.seed = seed
        self.hard_poses = HardPoses(HARD_FRACTION, POSES, device) if hard_poses else None
        self.hard_rays = (
            HardRays(HARD_FRACTION, HARD_RAYS, RAY_COLUMNS, device) if hard_rays else None
        )
        self.period = -1
        self.random_cameras: CameraBatch

    def parts(self) -> dict[str, HardPoses | HardRays]:
        """Return what a resumed training needs, by name."""
        parts = {"hard_poses": self.hard_poses, "hard_rays": self.hard_rays}
        return {name: part for name, part in parts.items() if part is not None}

    def draw(self, count: int, step: int, generator: torch.Generator) -> DrawnRays:
        """Return `count` random rays and hard ones; poses by the step, pixels by the generator."""
        if step // RENEW_EVERY != self.period:
            self._renew(step)
        known = 0 if self.cameras is None else count // 2
        rays, pose = random_rays(self.random_cameras, count - known, generator)
        if self.cameras is not None:
            extra, _ = random_rays(self.cameras, known, generator)
            rays = Rays(*(torch.cat(pair) for pair in zip(extra, rays, strict=True)))
            pose = torch.cat((torch.full((known,), -1, device=self.device), pose))
        if self.hard_rays is None:
            return DrawnRays(rays, pose, torch.empty(0, dtype=torch.int64, device=self.device))
        slots, hard = self.hard_rays.draw(count, generator)
        rays = Rays(torch.cat((rays[0], hard[:, :3])), torch.cat((rays[1], hard[:, 3:])))
        return DrawnRays(rays, torch.cat((pose, torch.full_like(slots, -1))), slots)

    def learn(self, drawn: DrawnRays, errors: Tensor) -> None:
        """Remember which cameras and rays were hard.

        Parameters
        ----------
        drawn : DrawnRays
            From `draw`.
        errors : (N,) float32
            Error of each ray's colour.
        """
        if self.hard_poses is not None:
            self.hard_poses.learn(drawn.pose, errors)
        if self.hard_rays is not None:
            self.hard_rays.learn(drawn.slots, torch.cat(drawn.rays, dim=1), errors)

    def _renew(self, step: int) -> None:
        """Take new random cameras, or continue with those of an interrupted period."""
        self.period = step // RENEW_EVERY
        random = np.random.default_rng((self.seed, self.period))
        cameras = self.poses.sample(POSES, random)
        if self.hard_poses is not None:
            begins = step % RENEW_EVERY == 0
            choose = self.hard_poses.begin_period if begins else self.hard_poses.resume_period
            cameras = choose(cameras, random)
        self.random_cameras = CameraBatch.from_cameras(cameras, self.device)
