"""The losses and stages of Progressive Volume Distillation.

Fang et al., "One is All: Bridging the gap between neural radiance field architectures with
progressive volume distillation", 2023, section 3: first the features of block 1, then density and
colour at the same points, then the rendered colour of rays.
"""

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from ..data.poses import PoseDistribution
from ..fields.base import Field
from ..kernels.compositing import composite
from ..render.rays import CameraBatch, Rays, generate_rays
from ..render.render import TRAINING_HIDDEN, sample_positions, visible_samples
from ..train.loop import Training

LOG_DENSITY_RANGE = (-2.0, 7.0)
"""PVD's density constraint, per engine unit; here it bounds the loss and never the rendering, so
that what lies below it may be truly empty."""


@dataclass(frozen=True)
class Stages:
    """When each stage begins, and what each loss weighs.

    Attributes
    ----------
    features_until : float
        Share of the budget spent on stage 1 (features alone).
    points_until : float
        Share of the budget after which stage 3 adds rendered colour.
    features, log_density, color, rendered : float
        Weights of the four mean squared errors.
    """

    features_until: float = 0.03
    points_until: float = 0.15
    features: float = 0.1
    log_density: float = 0.002
    color: float = 0.2
    rendered: float = 1.0

    def stage(self, fraction: float, features_match: bool) -> int:
        """1, 2 or 3 at a share of the budget; without matching features there is no stage 1."""
        if fraction < self.features_until and features_match:
            return 1
        return 2 if fraction < self.points_until else 3


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
    """

    POSES = 128
    RENEW_EVERY = 16
    """Steps for which random poses serve."""

    def __init__(
        self,
        poses: PoseDistribution,
        cameras: CameraBatch | None,
        device: torch.device,
        seed: int,
    ) -> None:
        self.poses = poses
        self.cameras = cameras
        self.device = device
        self.seed = seed
        self.period = 0
        self.random_cameras = self._new_cameras(0)

    def _new_cameras(self, period: int) -> CameraBatch:
        random = np.random.default_rng((self.seed, period))
        return CameraBatch.from_cameras(self.poses.sample(self.POSES, random), self.device)

    def draw(self, count: int, step: int, generator: torch.Generator) -> Rays:
        """`count` random rays, dataset frame: poses by the step, pixels by the generator."""
        period = step // self.RENEW_EVERY
        if period != self.period:
            self.period, self.random_cameras = period, self._new_cameras(period)
        if self.cameras is None:
            return self._rays(self.random_cameras, count, generator)
        known = self._rays(self.cameras, count // 2, generator)
        new = self._rays(self.random_cameras, count - count // 2, generator)
        return Rays(
            torch.cat((known.origins, new.origins)), torch.cat((known.directions, new.directions))
        )

    def _rays(self, cameras: CameraBatch, count: int, generator: torch.Generator) -> Rays:
        index = torch.randint(len(cameras), (count,), generator=generator).to(self.device)
        place = torch.rand((count, 2), generator=generator).to(self.device)
        return generate_rays(cameras, index, place * cameras.sizes[index])


class DistillObjective:
    """Makes a student's features, densities, colours and pictures those of its teacher.

    Parameters
    ----------
    training : Training
        Of the student.
    teacher : Field
    source : RaySource
    stages : Stages
    samples_per_step : int
        Visible samples a step aims at.
    """

    def __init__(
        self,
        training: Training,
        teacher: Field,
        source: RaySource,
        stages: Stages,
        samples_per_step: int,
    ) -> None:
        self.training = training
        self.teacher = teacher
        self.source = source
        self.stages = stages
        self.samples_per_step = samples_per_step
        self.log_unit = float(np.log(teacher.half_side))
        self.feature_scale = self._feature_scale()

    def _feature_scale(self) -> Tensor | None:
        """Standard deviation of each teacher feature, or None where features do not correspond."""
        teacher = self.teacher.header["architecture"]["decoder"]
        student = self.training.field.header["architecture"]["decoder"]
        if teacher != student:
            return None
        rays = self.source.draw(1024, 0, torch.Generator().manual_seed(self.training.seed))
        jitter = torch.full((1024,), 0.5, device=rays.origins.device)
        samples = visible_samples(self.teacher, rays, jitter, TRAINING_HIDDEN)
        points, _ = sample_positions(rays, samples)
        with torch.no_grad():
            return self.teacher.features(points).std(dim=0).clamp(min=1e-3)

    @property
    def features_match(self) -> bool:
        """Whether teacher and student share their decoder's form, so that features correspond."""
        return self.feature_scale is not None

    def _constrained(self, log_density: Tensor) -> Tensor:
        """Log-density per engine unit within PVD's range."""
        return (log_density + self.log_unit).clamp(*LOG_DENSITY_RANGE)

    def __call__(self, step: int, fraction: float) -> tuple[Tensor, dict[str, float]]:
        """Loss of one batch of rays, and what to report."""
        student, teacher = self.training.field, self.teacher
        stage = self.stages.stage(fraction, self.features_match)
        count = int(self.training.rays)
        rays = self.source.draw(count, step, self.training.generator)
        jitter = torch.rand(count, generator=self.training.generator).to(student.device)
        samples = visible_samples(teacher, rays, jitter, TRAINING_HIDDEN)
        self.training.aim(len(samples.t), self.samples_per_step)
        points, directions = sample_positions(rays, samples)
        with torch.no_grad():
            known = teacher.features(points)
            density, color = teacher.decode(points, directions, known)
            target = composite(density, color, samples, teacher.step)
        features = student.features(points)
        report = {"stage": float(stage)}
        loss = features.sum() * 0
        if len(samples.t) == 0:  # all rays miss: nothing to learn from them, and no mean to take
            return loss, report
        if self.feature_scale is not None:
            difference = (features[:, 1:] - known[:, 1:]) / self.feature_scale[1:]
            loss = loss + self.stages.features * difference.square().mean()
        if stage == 1:
            log_density = features[:, 0] - float(np.log(student.half_side))
            return loss + self._density_loss(log_density, density), report
        student_density, student_color = student.decode(points, directions, features)
        weight = target.weights.detach()[:, None] + 0.01
        difference = (student_color - color).square() * weight
        loss = loss + self.stages.color * difference.sum() / (3 * weight.sum())
        loss = loss + self._density_loss(student_density, density)
        if stage == 3:
            result = composite(student_density, student_color, samples, teacher.step)
            background = torch.rand((count, 3), generator=self.training.generator)
            shown = background.to(student.device)
            error = (
                result.color
                + shown * (1 - result.alpha[:, None])
                - target.color
                - shown * (1 - target.alpha[:, None])
            )
            rendered = error.square().mean()
            report["psnr_to_teacher"] = -10 * float(torch.log10(rendered.detach() + 1e-10))
            loss = loss + self.stages.rendered * rendered
        return loss, report

    def _density_loss(self, student: Tensor, teacher: Tensor) -> Tensor:
        error = self._constrained(student) - self._constrained(teacher)
        return self.stages.log_density * error.square().mean()
