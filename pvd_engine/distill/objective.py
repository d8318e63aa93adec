"""The losses of Progressive Volume Distillation.

Fang et al., "One is All: Bridging the gap between neural radiance field architectures with
progressive volume distillation", 2023, section 3: first the features of block 1, then density and
colour at the same points, then the rendered colour of rays.
"""

import functools
from typing import NamedTuple

import torch
from torch import Tensor

from ..fields.base import Field
from ..fields.radiance_field import RadianceField
from ..kernels.compositing import Composited, composite
from ..kernels.marching import PackedSamples
from ..space.rays import sample_positions
from ..train.batch_size import BatchSize
from ..train.picture_error import picture_error
from ..train.readings import Metrics
from ..train.training import Training
from .feature_match import FeatureMatch
from .ray_source import DrawnRays, RaySource
from .recipe import Recipe

HARD_POINTS = 0.3
"""Fraction of a ray's points that are compared: those with the largest weights (PVD-AL)."""

HARD_POINTS_ALPHA = 0.5
"""Smallest alpha of a ray whose points are compared (PVD-AL)."""


class Answer(NamedTuple):
    """What a teacher sees along the rays of a step.

    Attributes
    ----------
    drawn : DrawnRays
    samples : PackedSamples
        S visible samples.
    points, directions : (S, 3) float32
        Their positions and directions, dataset frame.
    features : (S, F) float32
    density : (S,) float32
        Log extinction per dataset unit.
    color : (S, 3) float32
    rendered : Composited
    """

    drawn: DrawnRays
    samples: PackedSamples
    points: Tensor
    directions: Tensor
    features: Tensor
    density: Tensor
    color: Tensor
    rendered: Composited


class DistillObjective:
    """Losses of a student's features, densities, colours and pictures to those of its teacher.

    Parameters
    ----------
    training : Training
        The training of the student.
    teacher : Field
    source : RaySource
    recipe : Recipe
    features : FeatureMatch or None
        None where the teacher has no features that a student could learn.
    batch : BatchSize
    """

    def __init__(
        self,
        training: Training[RadianceField],
        teacher: Field,
        source: RaySource,
        recipe: Recipe,
        features: FeatureMatch | None,
        batch: BatchSize,
    ) -> None:
        self.training = training
        self.teacher = teacher
        self.source = source
        self.features = features
        self.recipe = recipe if features is not None else recipe.without_features()
        self.batch = batch

    def __call__(self, step: int, fraction: float) -> tuple[Tensor, Metrics]:
        """Return the loss of one batch of rays, and metrics to report."""
        student, teacher, recipe = self.training.field, self.teacher, self.recipe
        stage = recipe.stage(fraction)
        answer = self._answer(step, fraction)
        drawn, samples, points, directions, known, density, color, target = answer
        unit = teacher.space.log_unit(points)
        features = student.features(points)
        report: Metrics = {"stage": float(stage)}
        if len(samples.t) == 0:
            # All rays miss: the sum over no samples is 0, and only momentum moves parameters.
            return features.sum(), report
        student_density = student.density_from(points, features)
        chosen = torch.ones_like(density)
        if stage == 1:
            losses = [
                *self._feature_losses(stage, features, known, chosen),
                self._density_loss(student_density, density, unit, chosen),
            ]
            return functools.reduce(torch.add, losses), report
        student_color = student.color_from(directions, features)
        result = composite(student_density, student_color, samples, teacher.step)
        if recipe.hard_points:
            chosen = most_counting(target, samples) | most_counting(result, samples)
            chosen = chosen.to(density.dtype)
        losses = self._feature_losses(stage, features, known, chosen)
        if "2" in recipe.stages:
            weight = ((target.weights.detach() + 0.01) * chosen)[:, None]
            error = (student_color - color).square() * weight
            losses.append(recipe.color * error.sum() / (3 * weight.sum()).clamp(min=1e-6))
            losses.append(self._density_loss(student_density, density, unit, chosen))
        errors = picture_error(result.color, result.alpha, target.color, target.alpha)
        self.source.learn(drawn, errors.detach())
        if stage == 3:
            rendered = errors.mean()
            report["psnr_to_source"] = rendered
            losses.append(recipe.rendered * rendered)
        return functools.reduce(torch.add, losses), report

    @torch.no_grad()
    def _answer(self, step: int, fraction: float) -> Answer:
        """Cast the rays of a step, and ask the teacher for what they see."""
        generator, teacher = self.training.generator, self.teacher
        drawn = self.source.draw(int(self.training.rays), step, generator)
        jitter = torch.rand(len(drawn.pose), generator=generator, device=generator.device)
        samples, seen = teacher.visible_samples(drawn.rays, jitter)
        self.training.aim(len(samples.t), self.batch.at(fraction))
        points, directions = sample_positions(drawn.rays, samples)
        known = teacher.features(points, seen)
        density, color = teacher.decode(points, directions, known)
        target = composite(density, color, samples, teacher.step)
        return Answer(drawn, samples, points, directions, known, density, color, target)

    def _feature_losses(
        self, stage: int, features: Tensor, known: Tensor, chosen: Tensor
    ) -> list[Tensor]:
        """Return the loss of features; empty where this stage does not compare them."""
        match = self.features
        if match is None or "1" not in self.recipe.stages or not (stage == 1 or match.lasting):
            return []
        return [self.recipe.features * _mean(match.error(features, known), chosen)]

    def _density_loss(
        self, student: Tensor, teacher: Tensor, unit: Tensor | float, chosen: Tensor
    ) -> Tensor:
        error = self.recipe.constrained(student + unit) - self.recipe.constrained(teacher + unit)
        return self.recipe.log_density * _mean(error.square(), chosen)


def most_counting(composited: Composited, samples: PackedSamples) -> Tensor:
    """Return PVD-AL's points: the largest weights along each ray that is not transparent.

    Parameters
    ----------
    composited : Composited
        Sums of R rays with S samples.
    samples : PackedSamples

    Returns
    -------
    (S,) bool
    """
    ray = samples.ray_index.long()
    weights = composited.weights.detach()
    order = weights.argsort(descending=True, stable=True)
    order = order[ray[order].argsort(stable=True)]
    first, count = samples.offsets[:-1], samples.offsets.diff()
    rank = torch.empty_like(order)
    rank[order] = torch.arange(len(order), device=order.device) - first[ray[order]]
    kept = (HARD_POINTS * count).long() + 1
    return (rank < kept[ray]) & (composited.alpha.detach() >= HARD_POINTS_ALPHA)[ray]


def _mean(errors: Tensor, chosen: Tensor) -> Tensor:
    return (errors * chosen).sum() / chosen.sum().clamp(min=1.0)
