"""Points of a teacher that can be seen from its viewpoints."""

import numpy as np
import torch
from torch import Tensor

from ..data.geometry.poses import PoseDistribution
from ..fields.base import Field
from ..space.rays import CameraBatch, random_rays, sample_positions

CAMERAS = 64
"""Random cameras whose rays find visible points."""


@torch.no_grad()
def visible_points(teacher: Field, poses: PoseDistribution, rays: int, seed: int) -> Tensor:
    """Return visible points (N, 3), dataset frame, along random rays of a pose distribution."""
    device = teacher.device
    cameras = CameraBatch.from_cameras(poses.sample(CAMERAS, np.random.default_rng(seed)), device)
    generator = torch.Generator(device).manual_seed(seed)
    cast, _ = random_rays(cameras, rays, generator)
    jitter = torch.rand(rays, generator=generator, device=device)
    samples, _ = teacher.visible_samples(cast, jitter)
    return sample_positions(cast, samples)[0]
