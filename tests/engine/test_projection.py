"""Direct projection: explicit students begin as what their teacher says."""

import pytest
import torch
from analytic_field import AnalyticField, gaussian_blob

from pvd_engine.data.geometry.poses import PoseDistribution
from pvd_engine.distill.projection import LOG_DENSITIES, ProjectedFeatures, fit_encoder, project
from pvd_engine.distill.student import make_student
from pvd_engine.fields.architectures import architecture
from pvd_engine.kernels.harmonics import spherical_harmonics

POSES = PoseDistribution(
    [0.0, 0.0, 0.0],
    0.1,
    [2.0, 3.0],
    [-1.5, 1.5],
    [0.0, 6.28],
    [0.0, 0.0, 1.0],
    {"width": 64, "height": 64, "fx": 80.0, "fy": 80.0, "cx": 32.0, "cy": 32.0},
)


RESOLUTION = 40


def small_student(name, teacher):
    """Of a size that fits such a blob."""
    spec = architecture(name, "small")
    if "resolution" in spec["encoder"]:
        spec["encoder"]["resolution"] = RESOLUTION
    torch.manual_seed(0)
    return make_student(spec, teacher)


def shaded(points, directions):
    """A colour that spherical harmonics of degree 2 hold exactly, before the sigmoid."""
    basis = spherical_harmonics(directions, 2)
    logit = 0.8 * basis[:, :1] + 0.5 * basis[:, 2:3] - 0.4 * basis[:, 6:7] + points
    return torch.sigmoid(logit)


@pytest.fixture
def teacher():
    field = AnalyticField(gaussian_blob(60.0, 0.25), shaded)
    field.occupancy.binary.copy_(gaussian_blob(60.0, 0.25)(cells(32)).view(32, 32, 32) > 0.05)
    return field


def cells(count):
    axis = (torch.arange(count) + 0.5) / count * 2 - 1
    return torch.cartesian_prod(axis, axis, axis)


def surface(count=400):
    generator = torch.Generator().manual_seed(3)
    directions = torch.nn.functional.normalize(torch.randn((count, 3), generator=generator), dim=1)
    return directions * 0.3, -directions


def test_coefficients_by_least_squares_are_those_of_the_teacher(teacher):
    student = small_student("sparse_tensor", teacher)
    target = ProjectedFeatures(student, teacher, POSES, surface()[0], 0)
    points, directions = surface()
    _, color = student.decode(points, directions, target(points))
    assert (color - shaded(points, directions)).abs().max() < 0.02


def test_a_sparse_tensor_takes_the_teachers_density_at_its_vertices(teacher):
    student = small_student("sparse_tensor", teacher)
    assert project(student, teacher, POSES, 0, 60.0)
    assert student.encoder.resolution == RESOLUTION
    vertices = student.encoder._points(student.encoder.vertices, RESOLUTION)
    inside = student.occupancy.contains(vertices)
    got = student.encoder.values[inside, 0]
    expected = teacher.log_density(vertices[inside]).clamp(*LOG_DENSITIES)
    assert torch.allclose(got, expected, atol=1e-4)
    assert (student.encoder.values[~inside, 0] == LOG_DENSITIES[0]).all()


@pytest.mark.parametrize("name", ["sparse_tensor", "vm", "cp"])
def test_a_projected_student_looks_like_its_teacher_before_any_ray_is_cast(teacher, name):
    student = small_student(name, teacher)
    fresh = [error.mean() for error in errors(student, teacher)]
    assert project(student, teacher, POSES, 0, 60.0)
    density, color = (error.mean() for error in errors(student, teacher))
    assert density < 0.3 and density < fresh[0] / 5
    assert color < 0.06 and color < fresh[1] / 2


@torch.no_grad()
def errors(student, teacher):
    points, directions = surface()
    density, color = student(points, directions)
    expected = teacher(points, directions)
    return (density - expected[0]).abs(), (color - expected[1]).abs()


@pytest.mark.parametrize("name", ["mlp", "hash"])
def test_what_begins_better_from_noise_is_left_alone(teacher, name):
    student = small_student(name, teacher)
    before = [parameter.clone() for parameter in student.parameters()]
    assert not project(student, teacher, POSES, 0, 60.0)
    assert all(torch.equal(a, b) for a, b in zip(before, student.parameters(), strict=True))


def test_a_teacher_that_shows_nothing_gives_no_projection():
    teacher = AnalyticField(lambda points: torch.zeros(len(points)))
    student = small_student("vm", teacher)
    teacher.occupancy.binary.zero_()
    assert not project(student, teacher, POSES, 0, 60.0)


def test_the_time_for_fitting_is_kept(teacher):
    student = small_student("vm", teacher)
    rushed = small_student("vm", teacher)
    points = surface()[0]
    wanted = ProjectedFeatures(student, teacher, POSES, points, 0)(points)
    before = float(errors(student, teacher)[0].mean())
    fit_encoder(rushed, points, wanted, 0, deadline=0.0)  # long ago: one step and no more
    after = float(errors(rushed, teacher)[0].mean())
    assert after != before and abs(after - before) < 0.2 * before
