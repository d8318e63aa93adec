"""TensoRF's decompositions and compositions: sizes, coarse to fine, and what stays as it was."""

import pytest
import torch

from pvd_engine.errors import UserError
from pvd_engine.fields.architectures import architecture, make_field
from pvd_engine.fields.decoders import make_decoder
from pvd_engine.fields.encoders.factored import OUTSIDE_LOG_DENSITY, occupied_box
from pvd_engine.fields.encoders.make import make_encoder
from pvd_engine.kernels.factors import plane_rows
from pvd_engine.space.space_map import BoxMap

BOX = torch.tensor([[-1.0] * 3, [1.0] * 3])


def small_encoder(name, resolution=9, width=6):
    torch.manual_seed(1)
    sizes = {"resolution": 3 * resolution, "density_rank": 4, "color_rank": 5}
    return make_encoder({"type": name, **sizes}, width)


def everywhere(points):
    return torch.ones(len(points), dtype=torch.bool)


def in_a_corner(points):
    return ((points > 0.25) & (points < 0.75)).all(dim=1)


def test_vm_full_has_pvds_parameter_count():
    """Planes and lines of 16 + 48 products at 300 vertices, basis, colour network: 17.35 M."""
    spec = architecture("vm", "full")
    encoder = spec["encoder"]
    size = (encoder["resolution"],) * 3
    products = encoder["density_rank"] + encoder["color_rank"]
    factors = products * (sum(plane_rows(size)) + sum(size))
    linear = 3 * encoder["color_rank"] * 15
    linear += sum(p.numel() for p in make_decoder(spec["decoder"]).parameters())
    assert factors + linear == 17_346_032
    assert abs((factors + linear) / 17.35e6 - 1) < 0.001


def test_vm_at_its_full_resolution_holds_that_many_factors():
    encoder = make_encoder(architecture("vm", "small")["encoder"], 16)
    encoder.resample(160, everywhere)
    assert encoder.size == (160, 160, 160)
    tables = sum(table.numel() for table in encoder.tables().values())
    assert tables == (16 + 24) * 3 * (160**2 + 160)


def test_cp_full_has_tensorfs_lines():
    """96 + 288 products of three lines of 500 vertices."""
    encoder = make_encoder(architecture("cp", "full")["encoder"], 16)
    encoder.resample(500, everywhere)
    assert sum(table.numel() for table in encoder.tables().values()) == 3 * 500 * (96 + 288)


def test_sparse_tensor_full_would_hold_pvds_values_if_every_voxel_were_occupied():
    spec = architecture("sparse_tensor", "full")
    field = make_field(architecture("sparse_tensor", "small"), BoxMap(BOX))
    assert field.encoder.width == 28
    assert 28 * spec["encoder"]["resolution"] ** 3 == 469_762_048


@pytest.mark.parametrize("name", ["vm", "cp"])
def test_finer_factors_give_the_same_features(name):
    encoder = small_encoder(name)
    points = torch.rand(500, 3) * 2 - 1
    with torch.no_grad():
        before = encoder(points)
        encoder.resample(2 * encoder.size[0] - 1, everywhere)
        assert encoder.size == (17, 17, 17)
        assert torch.allclose(encoder(points), before, atol=1e-5)
        assert torch.allclose(encoder.log_density(points), before[:, 0], atol=1e-5)


@pytest.mark.parametrize("name", ["vm", "cp"])
def test_the_box_shrinks_to_what_is_occupied_and_is_empty_outside(name):
    encoder = small_encoder(name)
    encoder.resample(20, in_a_corner)
    low, high = encoder.box
    cell = 2 / 128
    assert (low <= 0.25).all() and (low > 0.25 - 2.5 * cell).all()
    assert (high >= 0.75).all() and (high < 0.75 + 2.5 * cell).all()
    outside = torch.tensor([[-0.5, 0.5, 0.5], [0.5, 0.5, 0.9]])
    assert (encoder.log_density(outside) == OUTSIDE_LOG_DENSITY).all()
    assert (encoder.log_density(torch.full((1, 3), 0.5)) != OUTSIDE_LOG_DENSITY).all()


@pytest.mark.parametrize("name", ["vm", "cp"])
def test_refined_factors_are_still_refined_when_they_are_loaded(name):
    def thin(points):
        return points[:, 2].abs() < 0.33

    encoder, loaded = small_encoder(name), small_encoder(name)
    encoder.resample(encoder.target_resolution, thin)
    loaded.load_state_dict(encoder.state_dict())
    assert loaded.resolution == encoder.target_resolution
    assert not loaded.refine(1.0, thin)


def test_a_box_with_nothing_in_it_does_not_shrink():
    assert torch.equal(occupied_box(lambda p: torch.zeros(len(p), dtype=torch.bool), BOX), BOX)


@pytest.mark.parametrize("name", ["vm", "cp"])
def test_vertices_are_shared_out_by_the_sides_of_the_box(name):
    encoder = small_encoder(name)
    encoder.resample(32, lambda points: (points[:, 2].abs() < 0.25) & everywhere(points))
    x, y, z = encoder.size
    assert x == y and x > 3 * z
    assert abs(x * y * z / 32**3 - 1) < 0.1


@pytest.mark.parametrize("name", ["hash+vm", "mlp+sparse_tensor", "cp+vm+hash"])
def test_a_composition_adds_the_features_of_its_parts(name):
    torch.manual_seed(0)
    field = make_field(architecture(name, "small"), BoxMap(BOX))
    encoder = field.encoder
    points = torch.rand(100, 3) * 2 - 1
    with torch.no_grad():
        parts = sum(part(points) for part in encoder.parts)
        together = encoder(points)
        assert torch.allclose(together[:, 1:], parts[:, 1:], atol=1e-5)
        assert torch.allclose(together[:, 0], encoder.log_density(points), atol=1e-2)
        thinnest = min(part.start_log_density for part in encoder.parts)
        assert (together[:, 0].mean() - thinnest).abs() < 1


def test_a_composition_has_the_decoder_of_its_first_part_unless_another_is_given():
    assert architecture("hash+sparse_tensor", "small")["decoder"]["type"] == "mlp"
    assert architecture("sparse_tensor+hash", "small")["decoder"]["type"] == "sh"
    assert architecture("hash+sparse_tensor", "small", "sh")["decoder"]["type"] == "sh"


@pytest.mark.parametrize("name", ["hash+", "+", "hash+cloud", "hash+hash+hash+hash+hash", ""])
def test_a_composition_of_nothing_known_or_of_too_many_is_refused(name):
    with pytest.raises(UserError):
        architecture(name, "small")
