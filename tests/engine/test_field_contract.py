"""The contract of fields: what can be asked of each, whatever its kind."""

import numpy as np
import pytest
import torch
from analytic_field import AnalyticField, gaussian_blob
from test_light_field import POSES, scattered, some_light_field, some_rays

from pvd_engine.fields.architectures import architecture, make_field
from pvd_engine.space.space_map import BoxMap


def some_field(name):
    torch.manual_seed(0)
    return make_field(architecture(name, "small"), BoxMap(torch.tensor([[-1.0] * 3, [1.0] * 3])))


def test_a_field_with_density_is_known_from_everywhere():
    field = AnalyticField(gaussian_blob(60.0, 0.25))
    assert field.with_density() is field
    assert field.taught_from(np.array([[0.0, 0.0, 99.0], [0.0, 0.0, 0.0]])).tolist() == [True, True]


def test_a_light_field_has_no_density_and_is_known_from_its_cameras_alone():
    field = some_light_field(scattered())
    assert field.with_density() is None
    known = POSES.sample(1, np.random.default_rng(0))[0].camera_to_world[:3, 3]
    assert field.taught_from(np.stack((known, 9 * known))).tolist() == [True, False]


def test_rendering_is_marching_from_the_middle_of_a_step_without_gradient():
    field, rays = some_field("hash"), some_rays(50)
    seen = field.render(rays)
    marched, samples = field.march(rays, torch.full((50,), 0.5))
    assert len(samples) > 0 and marched.color.requires_grad and not seen.color.requires_grad
    for name in ("color", "alpha", "depth"):
        assert torch.equal(getattr(seen, name), getattr(marched, name).detach())


@pytest.mark.parametrize("name", ["hash", "mlp", "sparse_tensor", "vm", "cp", "hash+vm"])
def test_density_and_colour_from_features_are_those_of_the_field(name):
    field = some_field(name)
    points = torch.rand((70, 3), generator=torch.Generator().manual_seed(1)) * 2 - 1
    directions = torch.nn.functional.normalize(points, dim=1)
    with torch.no_grad():
        features = field.features(points)
        density, color = field(points, directions)
        assert features.shape == (70, field.width)
        assert torch.equal(field.density_from(points, features), density)
        assert torch.equal(field.color_from(directions, features), color)
        assert torch.allclose(field.log_density(points), density, atol=0.05)


def test_block_1_and_block_2_are_optimised_apart_and_together():
    field = some_field("hash+vm")
    groups = field.feature_groups()
    together = {p for group in field.parameter_groups() for p in group.parameters}
    apart = {p for group in groups for p in group.parameters} | set(field.color_parameters())
    assert together == apart == set(field.parameters())


@pytest.mark.parametrize(
    ("name", "projection"),
    [
        ("hash", "none"),
        ("mlp", "none"),
        ("sparse_tensor", "take"),
        ("vm", "fit"),
        ("cp", "fit"),
        ("hash+cp", "fit"),
        ("sparse_tensor+hash", "none"),
        ("sparse_tensor+vm", "fit"),
    ],
)
def test_fields_say_how_they_can_start_from_known_features(name, projection):
    assert some_field(name).projection == projection


def test_a_composition_leaves_the_parts_alone_that_would_take_all_features():
    field = some_field("sparse_tensor+vm")
    sparse, vm = field.encoder.parts
    before = sparse.values.detach().clone()
    field.begin_projection(lambda points: torch.ones((len(points), field.width)))
    assert vm.resolution == vm.target_resolution
    assert torch.equal(sparse.values, before)


def test_vertices_are_kept_where_asked_and_an_encoder_without_any_says_so():
    field = some_field("sparse_tensor")
    before = len(field.encoder.vertices)
    field.keep_vertices(lambda points: points[:, 0] > 0)
    assert 0 < len(field.encoder.vertices) < before
    left = torch.rand((50, 3), generator=torch.Generator().manual_seed(2)) * 0.5 - 0.9
    with torch.no_grad():
        assert (field.features(left)[:, 1:] == 0).all()
    with pytest.raises(TypeError, match="vertices"):
        some_field("hash").keep_vertices(lambda points: points[:, 0] > 0)
