"""Direct projection: grids and factors start from the teacher's features, not from noise.

The teacher's features are evaluated once at many points; the student's encoder is fitted to them,
and then its decoder, before a single ray is cast. A sparse grid copies them at its vertices.
"""

import time

import numpy as np
import torch
from torch import Tensor

from ..data.geometry.poses import PoseDistribution
from ..fields.base import Field
from ..fields.encoders.base import ParameterGroup
from ..fields.radiance_field import RadianceField
from ..kernels.harmonics import spherical_harmonics
from ..kernels.widest import widest
from ..kernels.workload import POINTS, STEP_SAMPLES, concatenated, learning_bytes, workload
from ..train.loop import FINAL_RATE
from ..train.optimizer import FieldOptimizer
from .probe import visible_points

RAYS = 1 << 13
"""Rays whose visible points the encoder is fitted to."""

CELL_POINTS = 1 << 16
"""Points anywhere in occupied cells, in addition to the visible ones."""

LOG_DENSITIES = (-5.0, 8.0)
"""Range of the projected log-density, per unit of the cube."""

STEPS, BATCH = 300, 1 << 13
"""Steps in which the encoder is fitted, and the points of each, fewer where memory is short."""

VIEWS = 24
"""Cameras from which each point's colour is evaluated."""

FIT_FRACTION = 2 / 3
"""Fraction of a limited time in which the encoder is fitted; the rest is for the decoder."""

DECODER_STEPS, DECODER_BATCH, DECODER_RATE = 150, 4096, 1e-2
"""Steps in which a network decoder learns to read the projected features, the points of each, and
the learning rate."""

BARE_DEGREE = 1
"""Degree of the harmonics that replace the features of a teacher without any, a merged field."""

LOGIT_LIMIT = 6.0
"""Largest absolute logit of a colour; colours nearer to 0 or 1 are limited to it."""

POINT_WEIGHT = 2
"""What a point counts for in a portion: its least squares take memory, too."""


def project(
    student: RadianceField, teacher: Field, poses: PoseDistribution, seed: int, seconds: float
) -> bool:
    """Give a new student features like its teacher's, and a decoder that reads them.

    Parameters
    ----------
    student : RadianceField
        Changed in place.
    teacher : Field
    poses : PoseDistribution
        Viewpoints from which the teacher is seen.
    seed : int
        Seed of the points that are compared.
    seconds : float
        Approximate limit of the time that fitting takes.

    Returns
    -------
    bool
        False when the student's encoder is a network, which has no values in space to begin from,
        or when the teacher shows nothing.
    """
    if student.projection == "none":
        return False
    start = time.monotonic()
    visible = visible_points(teacher, poses, RAYS, seed)
    if len(visible) < 2:
        return False
    target = ProjectedFeatures(student, teacher, poses, visible, seed)
    student.begin_projection(target)
    points = torch.cat((visible, points_in_cells(teacher, CELL_POINTS, seed)))
    if student.projection == "fit":
        fit_encoder(student, points, target(points), seed, start + FIT_FRACTION * seconds)
    if target.for_network:
        teach_decoder(student, target, points, seed, start + seconds)
    return True


def fit_encoder(
    student: RadianceField, points: Tensor, wanted: Tensor, seed: int, deadline: float
) -> None:
    """Fit an encoder to features that are known at points.

    Parameters
    ----------
    student : RadianceField
        Its encoder is changed in place.
    points : (N, 3) float32
        Dataset frame.
    wanted : (N, width) float32
    seed : int
        Seed of the order of the points.
    deadline : float
        Value of the monotonic clock at which to stop.
    """
    scale = wanted.std(dim=0).clamp(min=1e-2)
    optimizer = FieldOptimizer(student.feature_groups())
    device = points.device
    generator = torch.Generator(device).manual_seed(seed)
    batch = min(BATCH, workload(device).most(STEP_SAMPLES, learning_bytes(student)))
    for step in range(STEPS):
        chosen = torch.randint(len(points), (batch,), generator=generator, device=device)
        errors = (student.features(points[chosen]) - wanted[chosen]) / scale
        optimizer.step(errors.square().mean(), FINAL_RATE ** (step / STEPS))
        if time.monotonic() > deadline:
            break


def teach_decoder(
    student: RadianceField,
    target: "ProjectedFeatures",
    points: Tensor,
    seed: int,
    deadline: float,
) -> None:
    """Train a network decoder to give the teacher's colours from its encoder's new features.

    Parameters
    ----------
    student : RadianceField
        Its decoder is changed in place.
    target : ProjectedFeatures
    points : (N, 3) float32
        Dataset frame.
    seed : int
        Seed of the order of the points, and of the views.
    deadline : float
        Value of the monotonic clock at which to stop.
    """
    device = points.device
    generator = torch.Generator(device).manual_seed(seed)
    with torch.no_grad():
        features = concatenated(
            device, POINTS, len(points), lambda of: student.features(points[of])
        )
        views = torch.randint(VIEWS, (len(points),), generator=generator, device=device)
        origins = target.origins[views]
        directions = torch.nn.functional.normalize(points - origins, dim=-1)
        color = concatenated(
            device, POINTS, len(points), lambda of: target.teacher(points[of], directions[of])[1]
        )
    optimizer = FieldOptimizer([ParameterGroup(student.color_parameters(), DECODER_RATE)])
    for _ in range(DECODER_STEPS):
        chosen = torch.randint(len(points), (DECODER_BATCH,), generator=generator, device=device)
        read = student.color_from(directions[chosen], features[chosen])
        optimizer.step((read - color[chosen]).square().mean(), 1.0)
        if time.monotonic() > deadline:
            break


def points_in_cells(field: Field, count: int, seed: int) -> Tensor:
    """Return random points (count, 3), dataset frame, in the occupied cells of a field."""
    cells = field.occupancy.occupied_cells()
    device = cells.device
    generator = torch.Generator(device).manual_seed(seed)
    chosen = torch.randint(len(cells), (count,), generator=generator, device=device)
    offsets = torch.rand((count, 3), generator=generator, device=device)
    return field.occupancy.points_in_cells(cells[chosen], offsets)


class ProjectedFeatures:
    """Features with which a student gives the density and colour of its teacher.

    The log-density is the teacher's. For a spherical-harmonics decoder the rest are coefficients,
    by least squares over views from the teacher's viewpoints. For a network, which can learn from
    any features, they are the principal components of the inputs of the teacher's own decoder, or
    of such coefficients where a teacher has no decoder.

    Parameters
    ----------
    student : RadianceField
    teacher : Field
    poses : PoseDistribution
    visible : (N, 3) float32
        Points that show the spread of features, dataset frame.
    seed : int
        Seed of the views.
    """

    def __init__(
        self,
        student: RadianceField,
        teacher: Field,
        poses: PoseDistribution,
        visible: Tensor,
        seed: int,
    ) -> None:
        self.teacher = teacher
        self.occupied = student.occupancy.contains
        self.space = student.space
        self.for_network = student.harmonics_degree is None
        bare = self.for_network and teacher.decoder_form is None
        self.degree = BARE_DEGREE if bare else student.harmonics_degree
        cameras = poses.sample(VIEWS, np.random.default_rng(seed))
        origins = np.stack([camera.camera_to_world[:3, 3] for camera in cameras])
        self.origins = torch.from_numpy(origins).float().to(teacher.device)
        self.mean = self.components = torch.empty(0)
        if self.for_network:
            self._find_components(visible, student.width - 1)

    @torch.no_grad()
    def _find_components(self, visible: Tensor, count: int) -> None:
        def part(of: slice) -> Tensor:
            return self._readable(visible[of], self.teacher.features(visible[of]))

        features = concatenated(visible.device, POINTS, len(visible), part, POINT_WEIGHT)
        self.mean = features.mean(dim=0)
        if features.shape[1] <= count:
            self.components = torch.eye(count, device=features.device)[: features.shape[1]]
            return
        _, _, components = torch.linalg.svd(widest(features - self.mean), full_matrices=False)
        self.components = components[:count].T.float()

    @torch.no_grad()
    def __call__(self, points: Tensor) -> Tensor:
        """Return features (N, width) at points (N, 3), dataset frame."""

        def part(of: slice) -> Tensor:
            return self._portion(points[of])

        return concatenated(points.device, POINTS, len(points), part, POINT_WEIGHT)

    def _portion(self, points: Tensor) -> Tensor:
        rest = self._readable(points, self.teacher.features(points))
        if self.for_network:
            rest = (rest - self.mean) @ self.components
        log_density = self.teacher.log_density(points) + self.space.log_unit(points)
        log_density = torch.where(self.occupied(points), log_density, LOG_DENSITIES[0])
        return torch.cat((log_density.clamp(*LOG_DENSITIES)[:, None], rest), dim=-1)

    def _readable(self, points: Tensor, features: Tensor) -> Tensor:
        """Return features that determine colours: the teacher's, or coefficients."""
        return features[:, 1:] if self.degree is None else self._coefficients(points, features)

    def _coefficients(self, points: Tensor, features: Tensor) -> Tensor:
        """Return spherical-harmonics coefficients (N, 3 K) of the colours, before the sigmoid."""
        degree = self.degree or 0
        size = (degree + 1) ** 2
        normal = torch.zeros((len(points), size, size), device=points.device)
        moment = torch.zeros((len(points), size, 3), device=points.device)
        for origin in self.origins:
            directions = torch.nn.functional.normalize(points - origin, dim=-1)
            _, color = self.teacher.decode(points, directions, features)
            basis = spherical_harmonics(directions, degree)
            normal += basis[:, :, None] * basis[:, None, :]
            logit = color.logit(eps=1e-6).clamp(-LOGIT_LIMIT, LOGIT_LIMIT)
            moment += basis[:, :, None] * logit[:, None, :]
        # Add a little of the identity: views from one side do not determine all coefficients.
        normal += 0.001 * len(self.origins) * torch.eye(size, device=points.device)
        return torch.linalg.solve(normal, moment).transpose(1, 2).flatten(1)
