"""Direct projection onto splats: they show what their teacher shows, without an iteration."""

import math

import numpy as np
import pytest
import torch
from analytic_field import AnalyticField, gaussian_blob

from pvd_engine.data.geometry.poses import PoseDistribution
from pvd_engine.distill import splat_projection
from pvd_engine.distill.splat_projection import projected_splats
from pvd_engine.fields.architectures import splat_field
from pvd_engine.fields.quaternions import rotation_matrices
from pvd_engine.kernels.harmonics import spherical_harmonics
from pvd_engine.measure.image_metrics import psnr
from pvd_engine.render.render import render_image
from pvd_engine.space.contracted_map import ContractedMap
from pvd_engine.space.occupancy import OccupancyGrid

POSES = PoseDistribution(
    [0.0, 0.0, 0.0],
    0.05,
    [2.0, 2.5],
    [-1.2, 1.2],
    [0.0, 2 * math.pi],
    [0.0, 0.0, 1.0],
    {"width": 96, "height": 96, "fx": 100.0, "fy": 100.0, "cx": 48.0, "cy": 48.0},
)
RADIUS = 0.6


@pytest.fixture(autouse=True)
def few_rays(monkeypatch):
    """Rays of 24 pictures of 64 x 64 pixels."""
    monkeypatch.setattr(splat_projection, "VIEWS", 24)
    monkeypatch.setattr(splat_projection, "RAYS", 24 * 64 * 64)


def opaque(points):
    """The density of an opaque ball with a soft rim."""
    return 300 * torch.sigmoid((RADIUS - points.norm(dim=1)) / 0.01)


def coarse(density, resolution=32):
    """A field of a density that is marched in large steps, and only where it is."""
    field = AnalyticField(density, shaded, resolution=resolution)
    field.step = 0.03
    axis = (torch.arange(resolution) + 0.5) / resolution * 2 - 1
    cells = torch.cartesian_prod(axis, axis, axis)
    near = torch.stack([density(cells + offset) for offset in torch.tensor(CORNERS) / resolution])
    field.occupancy.binary.copy_(near.amax(dim=0).view((resolution,) * 3) > 0.01)
    return field


CORNERS = [[x, y, z] for x in (-1.0, 0, 1) for y in (-1.0, 0, 1) for z in (-1.0, 0, 1)]


def shaded(points, directions):
    """Colours by place, with harmonics of degree 2 by direction."""
    basis = spherical_harmonics(directions, 2)
    return 0.5 + 0.5 * points + 0.2 * basis[:, 1:2] - 0.15 * basis[:, 6:7]


def against_the_field(teacher, count, degree=2):
    """PSNR of the pictures of projected splats, from four new cameras."""
    splats = projected_splats(teacher, POSES, count, degree, 0)
    field = splat_field(splats, teacher.space, "small", antialiased=True)
    cameras = POSES.sample(4, np.random.default_rng(77))
    values = [psnr(*(render_image(f, c).on_white() for f in (field, teacher))) for c in cameras]
    return float(np.mean(values)), splats


def test_splats_show_what_an_opaque_field_shows():
    value, splats = against_the_field(coarse(opaque), 6000)
    assert len(splats) <= 6000
    assert value > 29.5


def test_more_splats_show_it_better():
    field = coarse(opaque)
    few, many = (against_the_field(field, count)[0] for count in (100, 6000))
    assert many > few + 3


def test_splats_lie_in_the_surface_and_are_flat_along_the_gradient():
    _, splats = against_the_field(coarse(opaque), 3000)
    away = splats.centers.norm(dim=1)
    assert (away - RADIUS).abs().median() < 0.02
    third = rotation_matrices(splats.rotations)[:, :, 2]
    along = (third * splats.centers).sum(dim=1).abs() / away
    assert along.quantile(0.1) > 0.98
    assert (splats.scales[:, 2] < splats.scales[:, 0]).all()


def test_colours_by_direction_are_kept_up_to_the_degree():
    field = coarse(opaque)
    values = [against_the_field(field, 6000, degree)[0] for degree in (0, 2)]
    assert values[1] > values[0] + 1.5


def test_fog_stays_fog():
    blob = coarse(gaussian_blob(4.0, 0.25))
    splats = projected_splats(blob, POSES, 3000, 1, 0)
    field = splat_field(splats, blob.space, "small", antialiased=True)
    camera = POSES.sample(1, np.random.default_rng(5))[0]
    seen, wanted = (render_image(f, camera).alpha for f in (field, blob))
    assert abs(seen.sum() / wanted.sum() - 1) < 0.25


def test_in_contracted_space_splats_grow_with_distance():
    class Surroundings(AnalyticField):
        def __init__(self):
            super().__init__(lambda points: 300 * (points.norm(dim=1) > 6).float(), shaded)
            space = ContractedMap(torch.tensor([[-1.0] * 3, [1.0] * 3]))
            self.occupancy = OccupancyGrid(space, 32)
            self.step = 0.06

    near = coarse(opaque)
    far_splats = projected_splats(Surroundings(), POSES, 3000, 1, 0)
    near_splats = projected_splats(near, POSES, 3000, 1, 0)
    assert len(far_splats) > 300
    assert (far_splats.centers.norm(dim=1) > 5).all()
    assert far_splats.scales[:, 0].median() > 5 * near_splats.scales[:, 0].median()


def test_what_shows_nothing_has_no_splats():
    nothing = AnalyticField(lambda points: torch.zeros(len(points)))
    nothing.step = 0.1
    assert len(projected_splats(nothing, POSES, 1000, 2, 0)) == 0
