"""Sizes of the published architectures, and field files that give back what was saved."""

import json
import math

import pytest
import torch
from safetensors.torch import load_file, save_file

from pvd_engine.errors import UserError
from pvd_engine.fields.architectures import DECODERS, architecture, make_field
from pvd_engine.fields.header import read_header
from pvd_engine.fields.registry import RADIANCE_FIELDS
from pvd_engine.fields.storage import load_field, save_field
from pvd_engine.space.space_map import BoxMap
from pvd_engine.verbs.info import describe_field

BOX = torch.tensor([[-1.0, -0.5, -2.0], [1.0, 1.5, 2.0]])


def some_field(name: str, preset: str = "small", decoder: str | None = None):
    torch.manual_seed(3)
    field = make_field(architecture(name, preset, decoder), BoxMap(BOX))
    with torch.no_grad():
        for parameter in field.parameters():
            parameter.add_(0.1 * torch.randn_like(parameter))
    return field


def some_rays(count: int = 500):
    generator = torch.Generator().manual_seed(1)
    points = torch.rand((count, 3), generator=generator) * (BOX[1] - BOX[0]) + BOX[0]
    directions = torch.nn.functional.normalize(torch.randn((count, 3), generator=generator), dim=1)
    return points, directions


def test_mlp_full_has_pvds_parameter_count():
    field = make_field(architecture("mlp", "full"), BoxMap(BOX))
    assert sum(p.numel() for p in field.parameters()) == 443_548


def test_hash_full_has_pvds_parameter_count_within_rounding_of_its_levels():
    field = make_field(architecture("hash", "full"), BoxMap(BOX))
    assert abs(sum(p.numel() for p in field.parameters()) / 10.616e6 - 1) < 0.02


@pytest.mark.parametrize("name", ["mlp", "hash+mlp"])
def test_a_network_starts_as_thin_fog_and_a_student_does_not(name):
    torch.manual_seed(3)
    field = make_field(architecture(name, "small"), BoxMap(BOX))
    points = torch.rand((2000, 3), generator=torch.Generator().manual_seed(1)) * 2 - 1
    with torch.no_grad():
        thin = field.encoder.log_density(points)
        field.encoder.start_dense()
        dense = field.encoder.log_density(points)
    assert thin.mean() == pytest.approx(-3, abs=0.2)
    assert dense.mean() == pytest.approx(0, abs=0.2) and dense.std() < 0.5


@pytest.mark.parametrize("decoder", DECODERS)
@pytest.mark.parametrize("name", RADIANCE_FIELDS)
def test_a_saved_field_gives_the_same_values_as_before(tmp_path, name, decoder):
    field = some_field(name, decoder=decoder)
    field.occupancy.binary[::2] = 0
    field.header["provenance"] = {"seed": 7}
    path = tmp_path / "field.safetensors"
    save_field(path, field)
    loaded = load_field(path)
    points, directions = some_rays()
    for before, after in zip(field(points, directions), loaded(points, directions), strict=True):
        assert torch.equal(before, after)
    assert torch.equal(field.occupancy.binary, loaded.occupancy.binary)
    assert loaded.header["provenance"] == {"seed": 7}
    assert loaded.step == field.step


@pytest.mark.parametrize("decoder", DECODERS)
@pytest.mark.parametrize("name", RADIANCE_FIELDS)
def test_no_points_give_no_values(name, decoder):
    field = some_field(name, decoder=decoder)
    density, color = field(torch.empty(0, 3), torch.empty(0, 3))
    assert density.shape == (0,) and color.shape == (0, 3)


def test_a_field_file_is_one_file_whose_header_names_box_units_and_architecture(tmp_path):
    path = tmp_path / "field.safetensors"
    save_field(path, some_field("hash"))
    assert [p.name for p in tmp_path.iterdir()] == ["field.safetensors"]
    header = read_header(path)
    assert header["box"] == BOX.tolist()
    assert header["units"] == "extinction per dataset unit"
    assert header["architecture"]["name"] == "hash"


def test_densities_do_not_depend_on_the_units_of_the_dataset():
    """A scene ten times as large absorbs a tenth per unit."""
    torch.manual_seed(0)
    small = make_field(architecture("mlp", "small"), BoxMap(BOX))
    torch.manual_seed(0)
    large = make_field(architecture("mlp", "small"), BoxMap(BOX * 10))
    points, _ = some_rays()
    ratio = small.log_density(points).exp() / large.log_density(points * 10).exp()
    assert torch.allclose(ratio, torch.full_like(ratio, 10), rtol=1e-2)


@pytest.mark.parametrize(
    "spoil",
    [
        lambda path: path.write_bytes(b"no safetensors at all"),
        lambda path: path.write_bytes(path.read_bytes()[:-1000]),
        lambda path: save_file({"x": torch.zeros(1)}, path),
        lambda path: save_file({"x": torch.zeros(1)}, path, metadata={"pvd_field": "[1"}),
        lambda path: save_file(
            {"x": torch.zeros(1)},
            path,
            metadata={"pvd_field": json.dumps({"format": "pvd-field", "version": 99})},
        ),
        lambda path: save_file(
            {"x": torch.zeros(1)},
            path,
            metadata={"pvd_field": json.dumps({"format": "pvd-field", "version": 1})},
        ),
        lambda path: path.unlink(),
    ],
)
def test_a_spoilt_field_file_is_refused_with_a_sentence(tmp_path, spoil):
    path = tmp_path / "field.safetensors"
    save_field(path, some_field("mlp"))
    spoil(path)
    with pytest.raises(UserError):
        load_field(path)


@pytest.mark.parametrize(
    "values",
    [
        {"box": [[-1.0] * 3]},
        {"box": [[1.0] * 3, [-1.0] * 3]},
        {"box": [[-1e39] * 3, [1e39] * 3]},
        {"box": [[10**400] * 3, [1.0] * 3]},
        {"box": [[math.nan] * 3, [1.0] * 3]},
        {"occupancy": 20_000},
        {"occupancy": 0},
        {"occupancy": math.inf},
        {"step": 0.0},
        {"step": math.nan},
        {"architecture": {}},
    ],
)
def test_a_header_that_describes_no_field_is_refused_before_memory_is_taken(tmp_path, values):
    path = tmp_path / "field.safetensors"
    save_field(path, some_field("mlp"))
    tensors, header = load_file(path), {**read_header(path), **values}
    save_file(tensors, path, metadata={"pvd_field": json.dumps(header)})
    with pytest.raises(UserError, match="damaged"):
        load_field(path)


def test_a_hash_table_of_sizes_that_no_table_has_is_refused(tmp_path):
    path = tmp_path / "field.safetensors"
    save_field(path, some_field("hash"))
    tensors, header = load_file(path), read_header(path)
    header["architecture"]["encoder"]["base_resolution"] = 0
    save_file(tensors, path, metadata={"pvd_field": json.dumps(header)})
    with pytest.raises(UserError, match="damaged"):
        load_field(path)


def test_infinite_measurements_in_a_header_do_not_keep_it_from_being_read_as_json(tmp_path):
    path = tmp_path / "field.safetensors"
    field = some_field("mlp")
    field.header["provenance"] = {"metrics": {"psnr": math.inf}}
    save_field(path, field)
    assert json.dumps(describe_field(path), allow_nan=False)
    load_field(path)


def test_an_unknown_architecture_preset_or_decoder_is_refused():
    for arguments in (("cloud", "small"), ("hash", "huge"), ("hash", "small", "cloud")):
        with pytest.raises(UserError):
            architecture(*arguments)


class TestSparseTensor:
    def test_holds_values_only_where_voxels_are_occupied(self):
        encoder = some_field("sparse_tensor").encoder
        encoder.resample(33, lambda points: points.norm(dim=1) < 0.5)
        coordinates = encoder._coordinates(encoder.vertices, 33) / 16 - 1
        assert coordinates.norm(dim=1).max() < 0.5 + 2 * 3**0.5 / 16
        assert len(encoder.vertices) < 0.2 * 33**3
        assert len(encoder.values) == len(encoder.vertices)

    def test_refinement_keeps_the_function_inside(self):
        encoder = some_field("sparse_tensor").encoder
        start = encoder.resolution
        points = torch.rand(1000, 3) * 1.6 - 0.8
        before = encoder(points)
        encoder.resample(2 * start - 1, lambda points: torch.ones(len(points), dtype=torch.bool))
        assert torch.allclose(encoder(points), before, atol=1e-5)

    def test_the_empty_part_absorbs_nearly_nothing(self):
        encoder = some_field("sparse_tensor").encoder
        encoder.resample(17, lambda points: points[:, 0] > 0.5)
        empty = encoder(torch.tensor([[-0.9, 0.0, 0.0]]))
        assert empty[0, 0].exp() < 0.01
