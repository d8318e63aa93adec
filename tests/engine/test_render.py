"""Pictures of fields whose answer is known in closed form."""

import math

import numpy as np
import pytest
import torch

from pvd_engine.data.capture import Camera
from pvd_engine.fields.base import Field
from pvd_engine.kernels.workload import MARCHED, bounded, workload
from pvd_engine.render.render import render_image
from pvd_engine.space.occupancy import OccupancyGrid
from pvd_engine.space.space_map import BoxMap

BOX = torch.tensor([[-1.0, -1.0, -1.0], [1.0, 1.0, 1.0]])


class Slab(Field):
    """Constant density and colour in |z| < 0.5, nothing elsewhere."""

    def __init__(self, density: float, resolution: int = 32) -> None:
        super().__init__(OccupancyGrid(BoxMap(BOX), resolution), step=0.005, header={})
        self.density = density

    def features(self, points, known=None):
        return points

    def log_density(self, points):
        inside = points[:, 2].abs() < 0.5
        return torch.where(inside, math.log(self.density), -30.0)

    def decode(self, points, directions, features):
        color = torch.tensor([0.2, 0.5, 0.8]).expand(len(points), 3)
        return self.log_density(points), color


def looking_down(distance: float = 3.0, size: int = 9) -> Camera:
    matrix = np.eye(4)
    matrix[2, 3] = distance
    return Camera(matrix, size, size, 100.0, 100.0, size / 2, size / 2)


@pytest.mark.parametrize("density", [0.1, 1.0, 4.0])
def test_alpha_is_one_minus_exponential_of_density_times_length(density):
    image = render_image(Slab(density), looking_down())
    center = image.alpha[4, 4]
    assert center == pytest.approx(1 - math.exp(-density * 1.0), rel=0.01)
    assert image.color[4, 4] == pytest.approx(np.array([0.2, 0.5, 0.8]) * center, rel=1e-4)


def test_depth_of_a_dense_slab_is_the_distance_to_its_face():
    image = render_image(Slab(500.0), looking_down(distance=3.0))
    assert image.depth[4, 4] == pytest.approx(2.5, abs=0.01)


def test_settling_the_occupancy_changes_no_picture_and_frees_the_empty_cells():
    field = Slab(5.0)
    before = render_image(field, looking_down())
    field.occupancy.rebuild(field.log_density, field.step)
    after = render_image(field, looking_down())
    assert np.allclose(before.color, after.color, atol=2e-3)
    assert field.occupancy.binary.float().mean() == pytest.approx(0.5, abs=0.05)


def test_cells_that_no_camera_sees_stay_empty():
    field = Slab(5.0)
    field.occupancy.values[:16] = -1
    field.occupancy.rebuild(field.log_density, field.step)
    assert field.occupancy.binary[:16].sum() == 0
    assert field.occupancy.binary[16:].sum() > 0


def test_a_camera_that_looks_away_sees_nothing():
    matrix = np.diag([1.0, -1.0, -1.0, 1.0])
    matrix[2, 3] = 3.0
    camera = Camera(matrix, 4, 4, 10.0, 10.0, 2.0, 2.0)
    image = render_image(Slab(5.0), camera)
    assert image.alpha.max() == 0
    assert image.to_uint8().shape == (4, 4, 4)


def test_portions_of_rays_give_the_same_picture():
    field = Slab(3.0)
    whole = render_image(field, looking_down())
    with bounded(field.device, gigabytes=0.0005):
        assert workload(field.device).at_once(MARCHED) < 81 * 2 * math.sqrt(3) / field.step
        parts = render_image(field, looking_down())
    np.testing.assert_array_equal(parts.color, whole.color)
    np.testing.assert_array_equal(parts.depth, whole.depth)
