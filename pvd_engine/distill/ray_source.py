"""Where distillation looks: the capture's cameras, random ones like them, and what was hard."""

from dataclasses import replace
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from ..data.capture import Camera
from ..data.geometry.poses import PoseDistribution
from ..space.rays import CameraBatch, Rays, random_rays
from .hard_rays import HardRays

POSES = 128
"""Random cameras at a time."""

RENEW_EVERY = 16
"""Steps for which random cameras serve."""

HARD_SHARE = 0.1
"""Of the random cameras, and of a step's rays, that are looked at again (PVD-AL)."""

HARD_TURN = np.pi / 20
"""A hard camera is turned by up to this about each of its axes (PVD-AL)."""

HARD_RAYS = 1 << 14
"""Hard rays that are kept."""

RAY_COLUMNS = 6
"""Origin and direction."""


class DrawnRays(NamedTuple):
    """The rays of a step, and where they come from.

    Attributes
    ----------
    rays : Rays
        N of them, dataset frame.
    pose : (N,) int64 tensor
        The random camera of each, or -1.
    slots : (H,) int64 tensor
        Places among the hard rays that the last H rays come from.
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
        Of the random poses.
    hard_poses, hard_rays : bool
        PVD-AL: take a tenth of the random cameras from the worst of the last ones, a little
        turned; add a tenth of rays from those that were worst when they were cast.
    memory : dict of str to Tensor
        What is known of hard cameras and rays; a checkpoint keeps it.
    """

    def __init__(
        self,
        poses: PoseDistribution,
        cameras: CameraBatch | None,
        device: torch.device,
        seed: int,
        hard_poses: bool,
        hard_rays: bool,
        memory: dict[str, Tensor],
    ) -> None:
        self.poses = poses
        self.cameras = cameras
        self.device = device
        self.seed = seed
        self.hard_poses = hard_poses
        self.hard_rays = (
            HardRays(HARD_SHARE, HARD_RAYS, RAY_COLUMNS, memory, device) if hard_rays else None
        )
        self.memory = memory
        self.period = -1
        self.random_cameras: CameraBatch

    def draw(self, count: int, step: int, generator: torch.Generator) -> DrawnRays:
        """`count` random rays and the hard ones: poses by the step, pixels by the generator."""
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
            Of each ray's colour.
        """
        if self.hard_poses:
            random = drawn.pose >= 0
            sums = self.memory["pose_errors"]
            sums[0].index_add_(0, drawn.pose[random], errors[random])
            sums[1].index_add_(0, drawn.pose[random], torch.ones_like(errors[random]))
        if self.hard_rays is not None:
            self.hard_rays.learn(drawn.slots, torch.cat(drawn.rays, dim=1), errors)

    def _renew(self, step: int) -> None:
        """New random cameras; those of an interrupted period come back from the memory."""
        self.period = step // RENEW_EVERY
        random = np.random.default_rng((self.seed, self.period))
        cameras = self.poses.sample(POSES, random)
        if self.hard_poses:
            cameras = self._with_hard(cameras, step, random)
        self.random_cameras = CameraBatch.from_cameras(cameras, self.device)

    def _with_hard(
        self, cameras: list[Camera], step: int, random: np.random.Generator
    ) -> list[Camera]:
        kept = self.memory.get("poses")
        if kept is not None and step % RENEW_EVERY == 0:
            total, count = self.memory["pose_errors"].cpu().numpy()
            worst = np.argsort(-total / np.maximum(count, 1))[: round(HARD_SHARE * POSES)]
            for place, index in enumerate(worst):
                matrix = kept[int(index)].cpu().numpy() @ _small_turn(random)
                cameras[place] = replace(cameras[place], camera_to_world=matrix)
        elif kept is not None:
            cameras = [
                replace(camera, camera_to_world=matrix)
                for camera, matrix in zip(cameras, kept.cpu().numpy(), strict=True)
            ]
            return cameras
        matrices = np.stack([camera.camera_to_world for camera in cameras])
        self.memory["poses"] = torch.from_numpy(matrices)
        self.memory["pose_errors"] = torch.zeros((2, POSES), device=self.device)
        return cameras


def _small_turn(random: np.random.Generator) -> np.ndarray:
    """A random rotation (4, 4) by up to `HARD_TURN` about x, y and z of a camera."""
    matrix = np.eye(4)
    for axis, angle in enumerate(random.uniform(-HARD_TURN, HARD_TURN, size=3)):
        a, b = (axis + 1) % 3, (axis + 2) % 3
        turn = np.eye(4)
        turn[[a, b], [a, b]] = np.cos(angle)
        turn[a, b], turn[b, a] = -np.sin(angle), np.sin(angle)
        matrix = matrix @ turn
    return matrix
