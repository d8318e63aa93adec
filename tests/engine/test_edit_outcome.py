"""What is said of edits that erase everything, change nothing, or lead out of the scene."""

import json

import numpy as np
import pytest
import torch
from analytic_field import AnalyticField
from tiny_fields import tiny_fields

from pvd_engine.edit import outcome as judging
from pvd_engine.edit.edit_list import Edit
from pvd_engine.edit.edited_field import EditedField
from pvd_engine.edit.outcome import outcome
from pvd_engine.edit.placement import Placement
from pvd_engine.edit.regions import BoxRegion, SphereRegion
from pvd_engine.fields.architectures import architecture, make_field
from pvd_engine.fields.storage import save_field
from pvd_engine.jobs.job import Job
from pvd_engine.space.contracted_map import ContractedMap
from pvd_engine.space.ndc_map import NdcMap
from pvd_engine.space.occupancy import OccupancyGrid
from pvd_engine.space.space_map import BoxMap
from pvd_engine.verbs import edit as verb
from pvd_engine.verbs.edit import EditArguments

OUT = "out of the scene's box, where the capture's cameras may not see it; check where the edit"


def full(space=None):
    """A field that fills all cells of its grid; the box is [-1, 1]^3."""
    field = AnalyticField(lambda points: torch.ones(len(points)), resolution=16)
    if space is not None:
        field.occupancy = OccupancyGrid(space, 16)
    return field


def box(low, high):
    """All of the field between two values of x."""
    return BoxRegion(np.array([low, -2.0, -2]), np.array([high, 2.0, 2]))


def to(x=0.0, scale=1.0):
    matrix = np.diag((scale, scale, scale, 1.0))
    matrix[0, 3] = x
    return Placement(matrix)


def place(operation, low, high, **placement):
    return Edit(operation, box(low, high), to=to(**placement))


@pytest.mark.parametrize("operation", ["move", "duplicate"])
@pytest.mark.parametrize(
    ("low", "high", "x", "portion"),
    [
        (0, 1, 1e4, "all"),
        (0, 1, 1.0, "all"),
        (0, 1, 0.25, "25 %"),
        (0, 0.5, 0.625, "25 %"),
        (0, 0.5, 0.5, None),
        (-1, 0, 0.25, None),
        (0, 0.25, -1.0, None),
        (0, 0.25, -1.25, "all"),
    ],
)
def test_a_part_that_leaves_the_scenes_box_is_said_with_its_percentage(
    operation, low, high, x, portion
):
    came = outcome(full(), [place(operation, low, high, x=x)])
    expected = [] if portion is None else [f"takes {portion} of its part {OUT} leads to."]
    name = f"Edit 1 ({operation} box) "
    assert came.warnings == [name + sentence for sentence in expected]
    assert came.removed == 0, "it is still there"


@pytest.mark.parametrize(
    ("edits", "removed"),
    [
        ([place("move", 0, 1, scale=0.5)], 0.5 * (1 - 1 / 8)),
        ([place("move", 0, 1, x=-1), Edit("erase", box(-2, 0))], 1),
        ([place("move", 0, 1, x=-0.5), Edit("erase", box(-2, 0))], 0.75),
        ([Edit("erase", box(0, 0.5)), place("duplicate", 0, 1, x=5)], 0),
        ([Edit("erase", box(0, 0.5)), place("move", 0, 1, x=1e6)], 0.25),
        ([Edit("keep", box(0, 0.5)), Edit("keep", box(0.75, 1))], 1 - 0.375),
    ],
)
def test_the_removed_fraction_follows_what_was_moved(edits, removed):
    assert outcome(full(), edits).removed == pytest.approx(removed, abs=1e-6)


NOTHING = "The edits leave nothing of the field; check that they are in the dataset frame."


@pytest.mark.parametrize(
    ("edits", "said"),
    [
        ([Edit("erase", box(-2, 2))], [NOTHING]),
        ([Edit("erase", box(-2, 0)), Edit("erase", box(0, 2))], [NOTHING]),
        ([place("move", 0, 1, x=-0.5), Edit("erase", box(-2, 2))], [NOTHING]),
        ([Edit("scale_density", box(-2, 2), factor=0.0)], [NOTHING]),
        ([Edit("erase", box(5, 6))], ["Edit 1 (erase box) touches no occupied part of the field."]),
        (
            [Edit("tint", box(5, 6), color=(1, 0, 0))],
            ["Edit 1 (tint box) touches no occupied part of the field."],
        ),
        ([place("move", 5, 6, x=9)], ["Edit 1 (move box) touches no occupied part of the field."]),
        (
            [place("move", 0, 1, x=-0.25), Edit("erase", box(0.8, 2))],
            ["Edit 2 (erase box) touches no occupied part of the field."],
        ),
        (
            [Edit("keep", box(-2, 2))],
            ["Edit 1 (keep box) covers all of the field, so it removes nothing."],
        ),
        ([Edit("keep", box(-2, 0.5)), Edit("erase", box(0, 2))], []),
        (
            [Edit("tint", box(-2, 0), color=(1, 1, 1))],
            ["Edit 1 (tint box) multiplies the colour by 1, 1, 1, so it changes nothing."],
        ),
        (
            [Edit("scale_density", box(-2, 0), factor=1.0)],
            ["Edit 1 (scale_density box) multiplies the density by 1, so it changes nothing."],
        ),
        (
            [place("move", -2, 0)],
            ["Edit 1 (move box) leads to where its part is already, so it changes nothing."],
        ),
        (
            [place("duplicate", -2, 0)],
            [
                "Edit 1 (duplicate box) leads to where its part is already, so it only doubles the"
                " density there."
            ],
        ),
        ([Edit("erase", SphereRegion(np.zeros(3), 0.01))], []),
        ([Edit("tint", box(-2, 0), color=(1, 0.5, 1))], []),
    ],
)
def test_what_changes_nothing_and_what_leaves_nothing_are_told_apart(edits, said):
    assert outcome(full(), edits).warnings == said


def test_what_is_kept_between_the_points_is_almost_nothing():
    came = outcome(full(), [Edit("keep", SphereRegion(np.zeros(3), 0.01))])
    assert came.warnings == [NOTHING.replace("nothing", "almost nothing")]


def test_an_unbounded_scene_has_no_border_and_a_forward_facing_one_has():
    corners = torch.tensor([[-1.0] * 3, [1.0] * 3])
    away = [place("move", 0, 1, x=50)]
    assert outcome(full(ContractedMap(corners)), away).warnings == []
    camera = torch.eye(4)
    camera[2, 3] = 3.0
    seen = full(NdcMap(corners, camera, torch.tensor([1.0, 1.0]), near=1.0))
    behind = np.eye(4)
    behind[2, 3] = 1e5
    lost = Edit("move", BoxRegion(np.full(3, -1.0), np.full(3, 1.0)), to=Placement(behind))
    assert outcome(seen, [lost]).warnings == [
        "Edit 1 (move box) takes all of its part to where the scene cannot show it, so that is"
        " lost; check where the edit leads to."
    ]
    assert 0 < outcome(seen, [lost]).removed < 1


def test_the_scenes_box_stays_that_of_the_field_that_was_trained():
    moved = EditedField(full(), [place("move", 0, 1, x=1)])
    (said,) = outcome(moved, [place("move", 1, 2, x=0.5)]).warnings
    assert f"takes all of its part {OUT}" in said
    assert outcome(moved, [place("move", 1, 2, x=-1)]).warnings == []


def test_the_cost_of_many_duplicates_is_bounded(monkeypatch):
    monkeypatch.setattr(judging, "MOST_POINTS", 1 << 15)
    edits = [place("duplicate", -2, 2, x=0.001 * number) for number in range(1, 33)]
    assert outcome(full(), edits).removed == 0


def test_the_verb_says_where_a_move_leads(tmp_path):
    with tiny_fields():
        spec = architecture("sparse_tensor", "small")
    field = make_field(spec, BoxMap(torch.tensor([[-1.0] * 3, [1.0] * 3])))
    field.occupancy.binary[:, 4:] = 0
    save_field(tmp_path / "a.safetensors", field)
    matrix = np.eye(4)
    matrix[0, 3] = 1.25
    region = {"box": {"min": [0, -1, -1], "max": [1, 1, 1]}}
    edits = [{"op": "move", "region": region, "to": matrix.tolist()}]
    (tmp_path / "edits.json").write_text(json.dumps(edits))
    arguments = EditArguments(
        field=tmp_path / "a.safetensors", edits=tmp_path / "edits.json",
        out=tmp_path / "b.safetensors", device="cpu",
    )  # fmt: skip
    result = verb.run(arguments, Job(tmp_path / "job"))
    assert result["warnings"] == [f"Edit 1 (move box) takes all of its part {OUT} leads to."]
    assert result["removed_fraction"] == 0
