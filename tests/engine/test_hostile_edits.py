"""Edit lists from strangers: what is too large is refused before it is computed."""

import io
import json
import sys
import zipfile

import numpy as np
import pytest
import torch
from edit_shapes import cube
from engine_process import each_opened

from pvd_engine.edit.edit_list import Edit
from pvd_engine.edit.edited_field import EditedField
from pvd_engine.edit.placement import Placement
from pvd_engine.edit.places import MAX_PLACES, places_asked
from pvd_engine.edit.regions import BoxRegion
from pvd_engine.fields.architectures import architecture, make_field
from pvd_engine.fields.base import Field
from pvd_engine.space.occupancy import OccupancyGrid
from pvd_engine.space.space_map import BoxMap

SECONDS, MEGABYTES = 1.0, 300.0
"""Most that a list may take beyond the start of the engine."""


def mesh(scale=0.1, offset=0.0):
    corners, faces = cube()
    vertices = (np.asarray(corners, float) * scale + offset).tolist()
    return {"mesh": {"vertices": vertices, "faces": [list(map(int, face)) for face in faces]}}


def long_face():
    region = mesh()
    region["mesh"]["faces"] = [[i % 8 for i in range(3_000_000)]]
    return [{"op": "erase", "region": region}]


def boxes(count):
    ends = [(-1 + i / count, -0.9 + i / count) for i in range(count)]
    regions = [{"box": {"min": [low] * 3, "max": [high] * 3}} for low, high in ends]
    return [{"op": "erase", "region": region} for region in regions]


def duplicates(count, shift):
    matrix = np.eye(4)
    matrix[0, 3] = shift
    region = {"box": {"min": [-0.5] * 3, "max": [0.5] * 3}}
    return [{"op": "duplicate", "region": region, "to": matrix.tolist()}] * count


def grid(name):
    return [{"op": "erase", "region": {"grid": f"{name}.npz"}}]


LISTS = {
    "face_of_three_million_corners": (long_face, "makes more than 2000000 triangles"),
    "thousand_meshes": (
        lambda: [{"op": "erase", "region": mesh(1.5, i / 2000)} for i in range(1000)],
        "more than 250 meshes",
    ),
    "soft_meshes": (
        lambda: [{"op": "erase", "soft": 0.1, "region": mesh(0.1, i / 2000)} for i in range(1000)],
        "more than 64 meshes and grids with a soft edge",
    ),
    "a_million_entries": (lambda: [[]] * 1_300_000, "at most 1000"),
    "a_thousand_boxes": (lambda: boxes(1000), "opened"),
    "ten_overlapping_duplicates": (lambda: duplicates(10, 0.1), "overlap so often"),
    "many_overlapping_duplicates": (lambda: duplicates(16, 0.01), "overlap so often"),
    "too_many_duplicates": (lambda: duplicates(1000, 3.0), "can have 16 moves and duplicates"),
    "grid_of_four_gigabytes": (lambda: grid("huge"), "larger than"),
    "grid_of_many_small_cells": (lambda: grid("bytes"), "far more cells than its file can hold"),
    "grid_of_zeros": (lambda: grid("zeros"), "opened"),
    "many_grids": (lambda: grid("bytes") * 1000, "far more cells than its file can hold"),
    "one_grid_many_times": (lambda: grid("zeros") * 17, "more than 134217728 cells"),
    "grids_of_zeros": (
        lambda: [*grid("zeros"), *grid("more")],
        "far more cells together than their files can hold",
    ),
}
"""A list of edits, and what is said of it."""


def write_zeros(path, shape, kind):
    """Write an .npz of zeros, which takes next to no space."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        box = io.BytesIO()
        np.save(box, np.array([[-1.0] * 3, [1.0] * 3]))
        archive.writestr("box.npy", box.getvalue())
        with archive.open("density.npy", "w", force_zip64=True) as file:
            header = {"descr": np.dtype(kind).str, "fortran_order": False, "shape": shape}
            np.lib.format.write_array_header_1_0(file, header)
            left, zeros = int(np.prod(shape)) * np.dtype(kind).itemsize, bytes(1 << 22)
            while left > 0:
                file.write(zeros[:left])
                left -= len(zeros)


@pytest.fixture(scope="module")
def used(tmp_path_factory):
    """What using each list took, by its name."""
    folder = tmp_path_factory.mktemp("hostile")
    write_zeros(folder / "huge.npz", (600, 600, 600), np.float64)
    write_zeros(folder / "bytes.npz", (320, 320, 320), np.uint8)
    write_zeros(folder / "zeros.npz", (200, 200, 200), np.float32)
    write_zeros(folder / "more.npz", (210, 210, 210), np.float32)
    for name, (make, _) in LISTS.items():
        (folder / f"{name}.json").write_text(json.dumps(make()))
    return each_opened(folder.glob("*.json"))


@pytest.mark.skipif(sys.platform != "linux", reason="measures memory by getrusage")
@pytest.mark.parametrize("name", LISTS)
def test_large_lists_are_used_or_refused_soon_and_without_memory(used, name):
    told = used[name]
    assert LISTS[name][1] in told["outcome"], told
    assert told["seconds"] < SECONDS, told
    assert told["megabytes"] < MEGABYTES, told


class Asked(Field):
    """A field of one density that counts the points that it is asked for."""

    def __init__(self):
        space = BoxMap(torch.tensor([[-1.0] * 3, [1.0] * 3]))
        super().__init__(OccupancyGrid(space, 16), step=0.1, header={"color_space": "srgb"})
        self.points = 0

    def log_density(self, points):
        self.points += len(points)
        return torch.zeros(len(points))


def moved(operation, shift, low=-0.5, high=0.5):
    matrix = np.eye(4)
    matrix[0, 3] = shift
    region = BoxRegion(np.full(3, low), np.full(3, high))
    return Edit(operation, region, to=Placement(matrix))


@pytest.mark.parametrize("count", [1, 2, 4, 8, 16])
@pytest.mark.parametrize("operation", ["move", "duplicate"])
def test_copies_that_stand_apart_cost_no_more_than_twice_the_field(operation, count):
    field = Asked()
    edited = EditedField(field, [moved(operation, 3 + 1.5 * i) for i in range(count)])
    cells = edited.occupancy.occupied_cells()
    picked = cells[torch.randint(len(cells), (2000,))]
    points = edited.occupancy.points_in_cells(picked, torch.rand(2000, 3))
    field.points = 0
    edited.log_density(points)
    assert field.points <= 2 * len(points)


def test_a_chain_of_moves_is_gone_through_once():
    edited = EditedField(Asked(), [moved("move", 0.05) for _ in range(16)])
    assert sum(1 for _ in edited.modules()) < 500
    visits = []
    edited.base._apply = lambda fn, recurse=True: visits.append(fn)
    edited.to("cpu")
    assert len(visits) <= 2


def test_the_places_asked_are_those_that_a_field_is_asked_for():
    field = Asked()
    edits = [moved("duplicate", 0.25 * (i + 1)) for i in range(3)]
    edited = EditedField(field, edits)
    generator = torch.Generator().manual_seed(1)
    points = torch.rand((4000, 3), generator=generator) * 2 - 1
    field.points = 0
    edited.log_density(points)
    assert 1 < places_asked(field, edits) < MAX_PLACES
    assert field.points / len(points) <= places_asked(field, edits) * 1.5


def test_a_mesh_decides_alike_with_and_without_its_table():
    from pvd_engine.edit.mesh_region import TABLE_POINTS, MeshRegion

    corners, faces = cube()
    region = MeshRegion(np.asarray(corners, float), faces)
    generator = torch.Generator().manual_seed(1)
    low, high = region.bounds
    points = low + torch.rand((TABLE_POINTS + 1, 3), generator=generator) * (high - low) * 1.2
    few = torch.cat([region.contains(part) for part in points.split(100)])
    assert region._sides is None
    many = region.contains(points.repeat(2, 1))[: len(points)]
    assert region._sides is not None
    assert torch.equal(few, many)


def test_the_field_of_a_list_is_that_of_its_edits_one_by_one():
    torch.manual_seed(2)
    field = make_field(architecture("hash", "small"), BoxMap(torch.tensor([[-1.0] * 3, [1.0] * 3])))
    edits = [
        Edit("erase", BoxRegion(np.full(3, -1 + i / 20), np.full(3, -0.8 + i / 20)))
        for i in range(20)
    ]
    together = EditedField(field, edits).occupancy.binary
    single = field.occupancy.binary.clone()
    for edit in edits:
        single &= EditedField(field, [edit]).occupancy.binary
    assert torch.equal(together, single)
    assert (field.occupancy.binary ^ together).sum() > 0
