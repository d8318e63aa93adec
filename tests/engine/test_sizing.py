"""File sizes as people write them, and architectures that fit them."""

import itertools

import pytest
import torch

from pvd_engine.errors import UserError
from pvd_engine.fields.architectures import architecture, make_field
from pvd_engine.fields.registry import RADIANCE_FIELDS
from pvd_engine.fields.sizing import fit, scaled
from pvd_engine.fields.storage import save_field
from pvd_engine.space.occupancy import OccupancyGrid
from pvd_engine.space.space_map import BoxMap
from pvd_engine.verbs.file_size import parse_size

BOX = torch.tensor([[-1.0] * 3, [1.0] * 3])


@pytest.mark.parametrize(
    ("text", "size"),
    [
        ("5MB", 5_000_000),
        ("5 mb", 5_000_000),
        ("800kB", 800_000),
        ("1.5MiB", 1_572_864),
        (".5GB", 500_000_000),
        ("1234", 1234),
    ],
)
def test_file_sizes_are_read(text, size):
    assert parse_size(text) == size


@pytest.mark.parametrize("text", ["", "MB", "5TB", "-5MB", "1e3", "5M B", "nan", ".", "0", "0.1B"])
def test_other_texts_are_no_file_sizes(text):
    with pytest.raises(UserError):
        parse_size(text)


def with_a_ball(spec):
    torch.manual_seed(0)
    occupancy = OccupancyGrid(BoxMap(BOX), 128)
    axis = (torch.arange(128) + 0.5) / 64 - 1
    x, y, z = torch.meshgrid(axis, axis, axis, indexing="ij")
    radius = (x * x + y * y + z * z).sqrt()
    occupancy.binary.copy_((radius - 0.5).abs() < 0.05)
    return make_field(spec, BoxMap(BOX), occupancy)


@pytest.mark.parametrize("name", [*RADIANCE_FIELDS, "hash+vm"])
def test_a_field_that_fits_is_at_most_as_large_as_asked_and_not_much_smaller(tmp_path, name):
    spec = architecture(name, "small")
    whole = with_a_ball(spec)
    whole.refine(1.0)
    save_field(tmp_path / "whole.safetensors", whole)
    limit = (tmp_path / "whole.safetensors").stat().st_size // 2 + 150_000
    field = with_a_ball(fit(spec, limit, with_a_ball))
    field.refine(1.0)
    save_field(tmp_path / "field.safetensors", field)
    size = (tmp_path / "field.safetensors").stat().st_size
    assert 0.4 * limit < size <= limit


def test_what_fits_already_keeps_its_sizes():
    spec = architecture("mlp", "small")
    assert fit(spec, 10**9, with_a_ball) == spec


def test_sizes_that_nothing_fits_are_refused_with_the_smallest_possible():
    with pytest.raises(UserError, match="MB"):
        fit(architecture("mlp", "small"), 1000, with_a_ball)


@pytest.mark.parametrize("name", RADIANCE_FIELDS)
def test_smaller_fractions_never_make_larger_sizes(name):
    spec = architecture(name, "full")
    sizes = [scaled(spec, 0.7**i)["encoder"] for i in range(20)]
    for larger, smaller in itertools.pairwise(sizes):
        numbers = [key for key, value in larger.items() if isinstance(value, int)]
        assert all(smaller[key] <= larger[key] for key in numbers)
