"""What finding the visible samples has computed is used again, and changes no result."""

import pytest
import torch
from edit_shapes import cube

from pvd_engine.edit.edit_list import ERASE, Edit
from pvd_engine.edit.edited_field import EditedField
from pvd_engine.edit.mesh_region import MeshRegion
from pvd_engine.fields.architectures import architecture, make_field
from pvd_engine.fields.registry import RADIANCE_FIELDS
from pvd_engine.kernels.compositing import composite, transmittance
from pvd_engine.kernels.workload import bounded
from pvd_engine.space.rays import Rays, sample_positions
from pvd_engine.space.space_map import BoxMap

COUNT = 300
MIDDLE = torch.full((COUNT,), 0.5)


def new_field(name):
    torch.manual_seed(0)
    field = make_field(architecture(name, "small"), BoxMap(torch.tensor([[-1.0] * 3, [1.0] * 3])))
    with torch.no_grad():  # dense, so that samples are hidden, and with all features
        for parameter in field.parameters():
            parameter.add_(0.1 * torch.randn_like(parameter))
    field.start_dense()
    return field


@pytest.fixture(params=[*RADIANCE_FIELDS, "hash+vm"])
def field(request):
    return new_field(request.param)


@pytest.fixture
def rays():
    torch.manual_seed(1)
    origins = torch.nn.functional.normalize(torch.randn(COUNT, 3), dim=1) * 3
    towards = torch.rand(COUNT, 3) - 0.5 - origins
    return Rays(origins, torch.nn.functional.normalize(towards, dim=1))


def asked_twice(field, rays, hidden):
    """What `Field.march` returns, each visible sample evaluated anew."""
    samples, _ = field.visible_samples(rays, MIDDLE, hidden)
    return composite(*field(*sample_positions(rays, samples)), samples, field.step)


@torch.no_grad()
def half_hidden(field, rays):
    """The transmittance that half of the samples are below."""
    samples, _ = field.visible_samples(rays, MIDDLE, hidden=-1.0)
    points, _ = sample_positions(rays, samples)
    return float(transmittance(field.log_density(points), samples, field.step).median())


def test_rays_come_to_the_same(field, rays):
    hidden = half_hidden(field, rays)
    wanted = asked_twice(field, rays, hidden)
    result, _ = field.march(rays, MIDDLE, hidden)
    torch.testing.assert_close(result.color, wanted.color, atol=2e-3, rtol=0)
    torch.testing.assert_close(result.alpha, wanted.alpha, atol=2e-3, rtol=0)


@torch.no_grad()
def all_at_once(field, rays):
    """A picture of every sample, hidden or not."""
    samples = field.space.march(rays, field.occupancy.binary, field.step, MIDDLE)
    return composite(*field(*sample_positions(rays, samples)), samples, field.step)


@pytest.mark.parametrize("gigabytes", [None, 0.01])
def test_pictures_in_rounds_are_those_of_all_samples(field, rays, gigabytes):
    with torch.no_grad():  # some rays end early, others never
        rays.origins[:50] *= -1
        field.occupancy.binary[::3] = 0
    with bounded(field.device, gigabytes):
        seen = field.render(rays)
    wanted = all_at_once(field, rays)
    assert float(wanted.alpha.mean()) > 0.02 and float(wanted.alpha.min()) == 0
    for name in ("color", "alpha"):
        torch.testing.assert_close(getattr(seen, name), getattr(wanted, name), atol=2e-3, rtol=0)
    torch.testing.assert_close(seen.depth, wanted.depth, atol=5e-3, rtol=0)


def test_gradients_come_to_the_same(field, rays):
    hidden, gradients = half_hidden(field, rays), []
    for result in (asked_twice(field, rays, hidden), field.march(rays, MIDDLE, hidden)[0]):
        loss = result.color.square().sum() + result.alpha.sum()
        gradients.append(torch.autograd.grad(loss, list(field.parameters()), allow_unused=True))
    for a, b in zip(*gradients, strict=True):
        assert (a is None) == (b is None)
        if a is not None:
            assert float((a - b).norm()) <= 1e-3 * float(a.norm())


def test_an_edited_field_uses_what_its_base_knows(rays):
    field = new_field("hash")
    vertices, faces = cube()
    edited = EditedField(field, [Edit(ERASE, MeshRegion(vertices * 0.3, faces))])
    _, known = edited.visible_samples(rays, MIDDLE)
    assert known is not None
    wanted = asked_twice(edited, rays, 1e-4)
    result, _ = edited.march(rays, MIDDLE)
    torch.testing.assert_close(result.color, wanted.color, atol=2e-3, rtol=0)


def test_what_is_behind_a_surface_is_not_asked(rays, monkeypatch):
    field, asked = new_field("hash"), []
    with torch.no_grad():
        field.encoder.output.weight[0] *= 1e4  # opaque, or empty
    shaded = field.forward
    monkeypatch.setattr(
        field, "forward", lambda points, *more: asked.append(len(points)) or shaded(points, *more)
    )
    seen = field.render(rays)
    marched = field.space.march(rays, field.occupancy.binary, field.step, MIDDLE)
    assert float(seen.alpha.mean()) > 0.9
    assert sum(asked) < len(marched) / 5
