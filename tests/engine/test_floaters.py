"""Floaters: found around the large part, enclosed by a closed surface, and erased as a grid."""

import json

import numpy as np
import pytest
import torch

from pvd_engine.edit.edit_list import Edit
from pvd_engine.edit.edited_field import EditedField
from pvd_engine.edit.floaters import FRINGE, find_floaters, surface
from pvd_engine.edit.mesh_region import MeshRegion
from pvd_engine.edit.regions import BoxRegion
from pvd_engine.errors import UserError
from pvd_engine.fields.architectures import architecture, make_field
from pvd_engine.fields.storage import load_field, save_field
from pvd_engine.jobs.job import Job
from pvd_engine.space.space_map import BoxMap
from pvd_engine.verbs import edit as apply
from pvd_engine.verbs import floaters
from pvd_engine.verbs.edit import EditArguments
from pvd_engine.verbs.floaters import FloatersArguments

BOX = np.array([[-1.0, -2.0, 0.0], [1.0, 0.0, 2.0]])
CELL = 2 / 40


def blocks(*corners, thickness=1.0):
    """A grid of 40^3 cells with filled blocks, each (low, high) per axis."""
    grid = np.zeros((40, 40, 40))
    for (x0, x1), (y0, y1), (z0, z1) in corners:
        grid[x0:x1, y0:y1, z0:z1] = thickness
    return grid


LARGE = ((5, 25), (5, 25), (5, 25))
SMALL = ((32, 35), (32, 34), (30, 33))


def test_small_parts_float_and_large_ones_do_not():
    assert (find_floaters(blocks(LARGE, SMALL), 0.01) == (blocks(SMALL) > 0)).all()
    assert not find_floaters(blocks(LARGE, SMALL), 0.001).any(), "18 of 8000 cells are enough"


def test_what_touches_a_large_part_belongs_to_it_and_so_does_its_fringe():
    corner = blocks(LARGE, ((25, 27), (25, 27), (25, 27)))
    assert not find_floaters(corner, 0.01).any()
    haze = blocks(((25, 25 + FRINGE), (5, 25), (5, 25)), thickness=1e-3)
    assert not find_floaters(blocks(LARGE) + haze, 0.01).any()


def test_thin_haze_joins_nothing_and_floats_where_it_is_far():
    bridge = blocks(((25, 32), (20, 34), (24, 32)), thickness=1e-3)
    found = find_floaters(np.maximum(blocks(LARGE, SMALL), bridge), 0.01)
    assert found[33, 33, 31] and found[30, 30, 30] and not found[26, 21, 24]


def test_an_empty_field_has_no_floaters():
    assert not find_floaters(np.zeros((4, 5, 6)), 0.5).any()
    vertices, faces = surface(np.zeros((4, 5, 6), bool), BOX, CELL)
    assert len(vertices) == len(faces) == 0


def test_the_surface_is_closed_and_holds_the_cells_and_no_more_than_a_cell_around_them():
    filled = blocks(SMALL, ((2, 3), (2, 3), (2, 3)), ((3, 4), (3, 4), (3, 4))) > 0
    vertices, faces = surface(filled, BOX, CELL)
    region = MeshRegion(vertices, faces)  # refuses a surface that is open or inside out
    centers = torch.from_numpy(BOX[0] + (np.argwhere(filled) + 0.5) * CELL).float()
    assert region.contains(centers).all()
    far = ~find_near(filled)
    empty = torch.from_numpy(BOX[0] + (np.argwhere(far) + 0.5) * CELL).float()
    assert not region.contains(empty).any()


def find_near(filled):
    """Cells that are filled or within two cells of one that is."""
    padded = np.pad(filled, 2)
    shifted = [
        padded[x : x + 40, y : y + 40, z : z + 40]
        for x in range(5)
        for y in range(5)
        for z in range(5)
    ]
    return np.any(shifted, axis=0)


def test_an_edit_erases_what_was_found_and_nothing_else(tmp_path):
    torch.manual_seed(0)
    cube = torch.tensor([[-1.0] * 3, [1.0] * 3])
    whole = make_field(architecture("sparse_tensor", "small"), BoxMap(cube))
    parts = [([-0.8] * 3, [0.3] * 3), ([0.6, 0.5, 0.6], [0.7, 0.6, 0.8])]
    kept = [Edit("keep", BoxRegion(np.array(low), np.array(high))) for low, high in parts]
    kept.append(Edit("scale_density", BoxRegion(-np.ones(3), np.ones(3)), factor=8.0))
    path, out = tmp_path / "two.safetensors", tmp_path / "floaters.npz"
    save_field(path, EditedField(whole, tuple(kept)))
    found = floaters.run(FloatersArguments(field=path, out=out), Job(tmp_path / "job"))
    assert found["parts"] == 1 and 0 < found["fraction"] < 0.01
    (tmp_path / "edits.json").write_text(
        json.dumps([{"op": "erase", "region": {"grid": "floaters.npz"}}])
    )
    edits = EditArguments(field=path, edits=tmp_path / "edits.json", out=tmp_path / "e.safetensors")
    apply.run(edits, Job(tmp_path / "edit"))
    before, after = load_field(path), load_field(tmp_path / "e.safetensors")
    speck, large = torch.tensor([[0.65, 0.55, 0.7]]), torch.rand((500, 3)) * 1.1 - 0.8
    assert before.log_density(speck) > -10 > after.log_density(speck)
    assert torch.equal(before.log_density(large), after.log_density(large))


def test_a_fraction_that_makes_no_sense_is_refused(tmp_path):
    with pytest.raises(UserError, match="--below"):
        FloatersArguments(field=tmp_path / "f.safetensors", out=tmp_path / "f.npz", below=0)
