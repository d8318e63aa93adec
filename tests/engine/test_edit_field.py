"""An edited field is its base, masked: nothing lost, nothing changed elsewhere."""

import numpy as np
import pytest
import torch
from analytic_field import AnalyticField, gaussian_blob, uniform_points
from edit_shapes import torus, turned

from pvd_engine.edit.edit_list import Edit
from pvd_engine.edit.edited_field import MASKED, EditedField
from pvd_engine.edit.mesh_region import MeshRegion
from pvd_engine.edit.outcome import outcome
from pvd_engine.edit.regions import BoxRegion, GridRegion, SphereRegion, TransformedBoxRegion
from pvd_engine.fields.architectures import architecture, make_field
from pvd_engine.fields.header import read_header
from pvd_engine.fields.storage import load_field, save_field
from pvd_engine.space.occupancy import OccupancyGrid
from pvd_engine.space.space_map import BoxMap

LEFT = BoxRegion(np.array([-2.0, -2, -2]), np.array([0.0, 2, 2]))
BALL = SphereRegion(np.array([0.3, 0, 0]), 0.4)


def base_field() -> AnalyticField:
    return AnalyticField(
        gaussian_blob(20.0, 0.4), lambda points, directions: (points + directions) / 4 + 0.5
    )


def every_region() -> list[Edit]:
    filled = np.random.default_rng(2).random((4, 5, 6)) > 0.5
    return [
        Edit("erase", MeshRegion(*torus(rings=24, sides=12))),
        Edit("erase", TransformedBoxRegion(turned(0.5, (0.2, 0.3, 0.4), (0.4, 0.4, 0)))),
        Edit("keep", GridRegion(filled, np.array([[-0.9, -0.9, -0.9], [0.5, 0.6, 0.7]]), "a.npz")),
        Edit("keep", BALL),
        Edit("erase", LEFT),
    ]


def test_an_edit_masks_density_and_leaves_features_and_colour():
    base = base_field()
    edited = EditedField(base, [Edit("erase", LEFT)])
    points = uniform_points(4000)
    directions = torch.nn.functional.normalize(uniform_points(4000, seed=1), dim=1)
    features = edited.features(points)
    assert torch.equal(features, base.features(points))
    log_density, color = edited.decode(points, directions, features)
    true_density, true_color = base.decode(points, directions, features)
    gone = points[:, 0] <= 0
    assert torch.equal(color, true_color)
    assert torch.equal(log_density[~gone], true_density[~gone])
    assert torch.equal(log_density[gone], true_density[gone] + MASKED)
    assert torch.equal(edited.log_density(points), log_density)


def test_gradients_reach_the_base_through_an_edit():
    torch.manual_seed(0)
    base = make_field(architecture("hash", "small"), BoxMap(torch.tensor([[-1.0] * 3, [1.0] * 3])))
    edited = EditedField(base, [Edit("keep", BALL)])
    edited(uniform_points(100), torch.eye(3)[:1].expand(100, 3))[0].sum().backward()
    assert any(p.grad is not None and p.grad.abs().sum() > 0 for p in base.parameters())


@pytest.mark.parametrize("count", [1, 2, 3, 4, 5])
def test_no_cell_that_still_holds_something_is_skipped(count):
    base = base_field()
    base.occupancy.binary[::3] = 0
    edited = EditedField(base, every_region()[:count])
    points = uniform_points(100_000)
    stays = edited.mask(points) & base.occupancy.contains(points)
    assert stays.any()
    assert edited.occupancy.contains(points)[stays].all()
    assert not (edited.occupancy.binary > base.occupancy.binary).any()


def test_cells_wholly_erased_are_skipped():
    edited = EditedField(base_field(), [Edit("erase", LEFT), Edit("keep", BALL)])
    volume = 4 / 3 * np.pi * 0.4**3
    kept = edited.occupancy.binary.float().mean() * 8
    assert 0.5 * volume < kept < 1.5 * volume
    assert edited.base.occupancy.binary.float().mean() == 1


def test_editing_an_edited_field_keeps_one_base_and_both_lists():
    base = base_field()
    first = EditedField(base, [Edit("keep", BALL)])
    second = EditedField(first, [Edit("keep", LEFT)])
    assert second.base is base
    assert [[edit.operation for edit in edits] for edits in second.edits] == [["keep"], ["keep"]]
    points = uniform_points(5000)
    assert torch.equal(second.mask(points), BALL.contains(points) & LEFT.contains(points))
    assert len(second.header["edits"]) == 2 and len(first.header["edits"]) == 1


@pytest.mark.parametrize("name", ["hash", "sparse_tensor"])
def test_a_saved_edited_field_gives_the_same_values_as_before_and_holds_its_base(tmp_path, name):
    torch.manual_seed(1)
    box = torch.tensor([[-1.0] * 3, [1.0] * 3])
    base = make_field(architecture(name, "small"), BoxMap(box), OccupancyGrid(BoxMap(box), 32))
    edited = EditedField(EditedField(base, every_region()), [Edit("erase", BALL)])
    edited.header["provenance"] = {"parent": {"hash": "sha256:0"}}
    path = tmp_path / "edited.safetensors"
    save_field(path, edited)
    loaded = load_field(path)
    assert isinstance(loaded, EditedField)
    points = uniform_points(5000)
    directions = torch.nn.functional.normalize(uniform_points(5000, seed=1), dim=1)
    for field, again in ((edited, loaded), (edited.base, loaded.base)):
        for value, other in zip(field(points, directions), again(points, directions), strict=True):
            assert torch.equal(value, other)
        assert torch.equal(field.occupancy.binary, again.occupancy.binary)
    header = read_header(path)
    assert header["kind"] == "edited_field"
    assert header["architecture"]["name"] == name
    assert header["edits"] == loaded.header["edits"] == edited.header["edits"]
    assert loaded.header["provenance"] == {"parent": {"hash": "sha256:0"}}


def test_the_removed_fraction_is_that_of_the_occupied_volume():
    base = base_field()
    base.occupancy.binary[:, 16:] = 0
    edited = EditedField(base, [Edit("erase", LEFT)])
    assert outcome(base, edited.edits[0]).removed == pytest.approx(0.5, abs=1e-6)
    quarter = BoxRegion(np.array([0.0, -2, -2]), np.array([0.5, 2, 2]))
    assert outcome(edited, [Edit("erase", quarter)]).removed == pytest.approx(0.5, abs=1e-6)


def test_edits_that_touch_nothing_are_said():
    base = base_field()
    base.occupancy.binary[16:] = 0
    away = BoxRegion(np.array([0.5, -1, -1]), np.array([1.0, 1, 1]))
    said = lambda *edits: outcome(base, edits).warnings  # noqa: E731
    assert said(Edit("erase", LEFT), Edit("erase", away)) == [
        "Edit 2 (erase box) touches no occupied part of the field.",
        "The edits leave nothing of the field; check that they are in the dataset frame.",
    ]
    assert len(said(Edit("keep", away))) == 2
    assert said(Edit("keep", LEFT)) == [
        "Edit 1 (keep box) covers all of the field, so it removes nothing."
    ]
    assert said(Edit("erase", BALL)) == []
