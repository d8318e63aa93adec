"""edits.json: what is right is read, what is wrong is named by entry and field."""

import json
import math

import numpy as np
import pytest
import torch
from edit_shapes import cube

from pvd_engine.edit.edits_json import parse_edits, read_edits
from pvd_engine.edit.grid_file import filled_cells
from pvd_engine.errors import UserError

BOX = {"box": {"min": [0, 0, 0], "max": [1, 1, 1]}}
CUBE = {"vertices": cube()[0].tolist(), "faces": cube()[1]}


def save_grid(path, **arrays) -> None:
    content = {"density": np.ones((2, 2, 2), np.float32), "box": np.array([[0, 0, 0], [1, 1, 1.0]])}
    np.savez(path, **{k: v for k, v in {**content, **arrays}.items() if v is not None})


def test_every_documented_region_is_read(tmp_path):
    save_grid(tmp_path / "grid.npz")
    entries = [
        {"op": "erase", "region": BOX},
        {"op": "keep", "region": {"box": {"matrix": np.diag((2, 1, 1, 1)).tolist()}}},
        {"op": "keep", "region": {"sphere": {"center": [0.5, 0, 0], "radius": 0.25}}},
        {"op": "erase", "region": {"mesh": CUBE}},
        {"op": "erase", "region": {"grid": "grid.npz"}},
    ]
    path = tmp_path / "edits.json"
    path.write_text(json.dumps(entries))
    edits = read_edits(path)
    assert [edit.operation for edit in edits] == ["erase", "keep", "keep", "erase", "erase"]
    point = torch.tensor([[0.6, 0.1, 0.1], [1.5, 0.5, 0.5]])
    answers = [edit.region.contains(point).tolist() for edit in edits]
    assert answers == [[True, False], [True, True], [True, False], [True, False], [True, False]]


def test_every_documented_operation_is_read(tmp_path):
    to = [[0, -2, 0, 1], [2, 0, 0, 0], [0, 0, 2, 0.5], [0, 0, 0, 1]]
    entries = [
        {"op": "erase", "region": BOX, "soft": 0.1},
        {"op": "keep", "region": BOX, "soft": 0},
        {"op": "move", "region": BOX, "to": to},
        {"op": "duplicate", "region": BOX, "to": to, "soft": 0.25},
        {"op": "scale_density", "region": BOX, "factor": 0.5},
        {"op": "tint", "region": BOX, "color": [1, 0.5, 2], "id": "a shape"},
    ]
    edits = parse_edits(entries, tmp_path, "edits.json")
    assert [edit.soft for edit in edits] == [0.1, 0, 0, 0.25, 0, 0]
    assert edits[2].to.scale == pytest.approx(2)
    assert edits[4].factor == 0.5 and edits[5].color == (1, 0.5, 2)
    del entries[1]["soft"]
    assert [edit.description() for edit in edits] == entries


def sphere(center=(0, 0, 0), radius=1):
    return {"op": "erase", "region": {"sphere": {"center": list(center), "radius": radius}}}


def box(low, high):
    return {"op": "erase", "region": {"box": {"min": low, "max": high}}}


def matrix(rows):
    return {"op": "erase", "region": {"box": {"matrix": rows}}}


def mesh(**change):
    return {"op": "erase", "region": {"mesh": {**CUBE, **change}}}


def move(rows):
    return {"op": "move", "region": BOX, "to": rows}


WRONG = {
    "no operation": ({"region": BOX}, '"op"'),
    "unknown operation": ({"op": "melt", "region": BOX}, '"op"'),
    "operation of another type": ({"op": ["erase"], "region": BOX}, '"op"'),
    "not an object": (7, "object"),
    "key too many": ({"op": "erase", "region": BOX, "name": "x"}, '"op" and "region"'),
    "unknown region": ({"op": "erase", "region": {"cone": {}}}, '"region"'),
    "two regions": ({"op": "erase", "region": {**BOX, "grid": "a.npz"}}, '"region"'),
    "box without max": ({"op": "erase", "region": {"box": {"min": [0, 0, 0]}}}, '"box"'),
    "box of two numbers": (box([0, 0], [1, 1]), '"box.min"'),
    "box of text": (box(["0", 0, 0], [1, 1, 1]), '"box.min"'),
    "box of truth values": (box([0, 0, 0], [True, 1, 1]), '"box.max"'),
    "box of null": (box([0, 0, 0], None), '"box.max"'),
    "box of NaN": (box([math.nan, 0, 0], [1, 1, 1]), '"box.min"'),
    "box beyond float32": (box([0, 0, 0], [1, 1, 1e30]), '"box"'),
    "box beyond float64": (box([0, 0, 0], [1, 1, 10**400]), '"box.max"'),
    "box upside down": (box([0, 2, 0], [1, 1, 1]), '"box.min"'),
    "box and matrix": ({"op": "keep", "region": {"box": {"min": 0, "matrix": 0}}}, '"box"'),
    "3x4 matrix": (matrix(np.eye(4)[:3].tolist()), '"box.matrix"'),
    "ragged matrix": (
        matrix([[1, 0, 0, 0], [0, 1, 0], [0, 0, 1, 0], [0, 0, 0, 1]]),
        '"box.matrix"',
    ),
    "singular matrix": (matrix(np.diag((1, 0, 1, 1)).tolist()), "singular"),
    "zero matrix": (matrix(np.diag((0, 0, 0, 1)).tolist()), "singular"),
    "projective matrix": (matrix([*np.eye(4)[:3].tolist(), [0, 0, 1, 1]]), "last row"),
    "infinite matrix": (matrix(np.diag((math.inf, 1, 1, 1)).tolist()), '"box.matrix"'),
    "zero radius": (sphere(radius=0), '"sphere.radius"'),
    "negative radius": (sphere(radius=-1), '"sphere.radius"'),
    "radius of text": (sphere(radius="1"), '"sphere.radius"'),
    "radius of NaN": (sphere(radius=math.nan), '"sphere.radius"'),
    "center of four": (sphere(center=(0, 0, 0, 0)), '"sphere.center"'),
    "mesh without faces": (mesh(faces=[]), '"mesh.faces"'),
    "mesh without vertices": (mesh(vertices=[]), '"mesh.vertices"'),
    "vertex of two": (mesh(vertices=[[0, 0]]), '"mesh.vertices"'),
    "vertex of NaN": (mesh(vertices=[[math.nan] * 3] * 8), '"mesh.vertices"'),
    "face of two": (mesh(faces=[[0, 1]]), '"mesh.faces"'),
    "face of a fraction": (mesh(faces=[[0, 1, 2.5]]), '"mesh.faces"'),
    "face index too large": (mesh(faces=[*CUBE["faces"], [0, 1, 8]]), "vertex 8 of a mesh with 8"),
    "face index negative": (mesh(faces=[*CUBE["faces"], [0, 1, -1]]), "vertex -1"),
    "face index beyond int64": (mesh(faces=[[0, 1, 10**30]]), '"mesh.faces"'),
    "open mesh": (mesh(faces=CUBE["faces"][:5]), "not closed"),
    "collapsed mesh": (mesh(vertices=[[1, 1, 1]] * 8), '"mesh"'),
    "move without a place": ({"op": "move", "region": BOX}, '"to"'),
    "erase with a place": ({"op": "erase", "region": BOX, "to": np.eye(4).tolist()}, '"op"'),
    "place of three rows": (move(np.eye(4)[:3].tolist()), '"to"'),
    "place of text": (move([["1", 0, 0, 0]] * 4), '"to"'),
    "place of NaN": (move([[math.nan] * 4] * 4), '"to"'),
    "mirrored place": (move(np.diag((-1, 1, 1, 1)).tolist()), "mirrors"),
    "uneven place": (move(np.diag((1, 2, 1, 1)).tolist()), "unevenly"),
    "flat place": (move(np.diag((1, 1, 0, 1)).tolist()), '"to"'),
    "projective place": (move([*np.eye(4)[:3].tolist(), [0, 0, 1, 1]]), "last row"),
    "factor missing": ({"op": "scale_density", "region": BOX}, '"factor"'),
    "negative factor": ({"op": "scale_density", "region": BOX, "factor": -1}, '"factor"'),
    "factor of infinity": ({"op": "scale_density", "region": BOX, "factor": math.inf}, '"factor"'),
    "factor as a truth value": ({"op": "scale_density", "region": BOX, "factor": True}, '"factor"'),
    "colour missing": ({"op": "tint", "region": BOX}, '"color"'),
    "colour of two": ({"op": "tint", "region": BOX, "color": [1, 1]}, '"color"'),
    "negative colour": ({"op": "tint", "region": BOX, "color": [1, 1, -0.1]}, '"color"'),
    "negative soft edge": ({"op": "erase", "region": BOX, "soft": -0.1}, '"soft"'),
    "soft edge of text": ({"op": "erase", "region": BOX, "soft": "0.1"}, '"soft"'),
    "soft edge of null": ({"op": "erase", "region": BOX, "soft": None}, '"soft"'),
    "grid without name": ({"op": "erase", "region": {"grid": ""}}, '"grid"'),
    "grid as a number": ({"op": "erase", "region": {"grid": 3}}, '"grid"'),
    "grid that is not there": ({"op": "erase", "region": {"grid": "no.npz"}}, "no.npz"),
}


@pytest.mark.parametrize("case", WRONG)
def test_a_wrong_entry_is_named_in_one_sentence(tmp_path, case):
    entry, field = WRONG[case]
    with pytest.raises(UserError) as caught:
        parse_edits([{"op": "erase", "region": BOX}, entry], tmp_path, "edits.json")
    message = str(caught.value)
    assert message.startswith("Edit 2 of 'edits.json': ")
    assert field in message
    assert message.endswith(".") and "\n" not in message


@pytest.mark.parametrize(
    ("text", "part"),
    [
        ("{}", "list"),
        ("[]", "no edits"),
        ("[", "JSON"),
        ("[" * 100_000, "nested too deeply"),
        ("\xff", "list|JSON"),
    ],
)
def test_a_file_that_is_no_list_of_edits_is_refused(tmp_path, text, part):
    path = tmp_path / "edits.json"
    path.write_bytes(text.encode("latin-1"))
    with pytest.raises(UserError, match=part):
        read_edits(path)


def test_a_missing_file_is_one_sentence(tmp_path):
    with pytest.raises(UserError, match=r"cannot be read"):
        read_edits(tmp_path / "none.json")


WRONG_GRIDS = {
    "no density": ({"density": None}, '"density"'),
    "no box": ({"box": None}, '"box"'),
    "flat density": ({"density": np.ones((4, 4), np.float32)}, '"density"'),
    "NaN density": ({"density": np.full((2, 2, 2), np.nan)}, '"density"'),
    "negative density": ({"density": np.full((2, 2, 2), -1.0)}, '"density"'),
    "density of text": ({"density": np.full((2, 2, 2), "a")}, "density must hold numbers"),
    "box of one corner": ({"box": np.zeros(3)}, '"box"'),
    "box without volume": ({"box": np.zeros((2, 3))}, '"box"'),
    "original of another shape": ({"original": np.ones((2, 2, 3))}, '"original"'),
    "pickled objects": ({"density": np.array([{"a": 1}], dtype=object)}, "must hold numbers"),
}


@pytest.mark.parametrize("case", WRONG_GRIDS)
def test_a_wrong_grid_is_named_in_one_sentence(tmp_path, case):
    arrays, field = WRONG_GRIDS[case]
    save_grid(tmp_path / "grid.npz", **arrays)
    with pytest.raises(UserError, match=field) as caught:
        parse_edits([{"op": "erase", "region": {"grid": "grid.npz"}}], tmp_path, "edits.json")
    assert str(caught.value).startswith("Edit 1 of 'edits.json': ")


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04 cut short", b"text"])
def test_a_damaged_grid_file_is_one_sentence(tmp_path, content):
    (tmp_path / "grid.npz").write_bytes(content)
    with pytest.raises(UserError, match="damaged"):
        parse_edits([{"op": "erase", "region": {"grid": "grid.npz"}}], tmp_path, "edits.json")


def test_a_truncated_grid_file_is_one_sentence(tmp_path):
    save_grid(tmp_path / "whole.npz", density=np.random.default_rng(0).random((20, 20, 20)))
    content = (tmp_path / "whole.npz").read_bytes()
    middle = len(content) // 2
    (tmp_path / "grid.npz").write_bytes(content[: middle - 500] + content[middle:])
    with pytest.raises(UserError, match="damaged"):
        parse_edits([{"op": "erase", "region": {"grid": "grid.npz"}}], tmp_path, "edits.json")


def test_a_small_file_that_unpacks_to_a_huge_grid_is_refused_unread(tmp_path, monkeypatch):
    monkeypatch.setattr("pvd_engine.edit.grid_file.USUAL_CELLS", 100)
    np.savez_compressed(tmp_path / "grid.npz", density=np.zeros((20, 20, 20)), box=np.zeros((2, 3)))
    with pytest.raises(UserError, match=r"larger than|far more cells than its file"):
        parse_edits([{"op": "erase", "region": {"grid": "grid.npz"}}], tmp_path, "edits.json")


def test_cells_empty_from_the_start_go_with_the_nearest_cell_that_was_not():
    original = np.zeros((9, 1, 1))
    original[[1, 6]] = 5.0
    edited = original.copy()
    edited[6] = 0
    expected = [True] * 4 + [False] * 5
    assert filled_cells(edited, original).reshape(-1).tolist() == expected
    assert filled_cells(edited).reshape(-1).tolist() == [i == 1 for i in range(9)]
