"""A capture in coordinates of the Earth goes through every command as the same capture nearby."""

import json

import imageio.v3 as iio
import numpy as np
import pytest
import torch
from capture_files import write_json
from engine_process import change_capture, write_disc_capture

from pvd_engine.data.geometry.far_origin import capture_origin
from pvd_engine.data.readers import open_capture
from pvd_engine.fields.header import read_header
from pvd_engine.fields.storage import load_any_field

OFFSET = np.array([500320.0, 5631210.0, 210.0])
"""Metres of UTM, rounded as the origin is, so that both captures have the same numbers in it."""

CAPTURES = {"near": np.zeros(3), "far": OFFSET}


def moved(offset):
    def change(content):
        for frame in content["frames"]:
            for row, value in zip(frame["transform_matrix"], offset, strict=False):
                row[3] += value

    return change


@pytest.fixture
def run(run_here, tmp_path):
    """Run a command in the folders of both captures."""

    def both(*words):
        results = {}
        for name in CAPTURES:
            done = run_here(*words, "--json", cwd=tmp_path / name)
            assert done.returncode == 0, done.stderr
            results[name] = json.loads(done.stdout)
        return results["near"], results["far"]

    return both


@pytest.fixture
def captures(tmp_path):
    for name, offset in CAPTURES.items():
        change_capture(write_disc_capture(tmp_path / name / "capture"), moved(offset))
    return tmp_path


@pytest.fixture
def trained(captures, run):
    """The folders, with a field of each capture."""
    run("train", "capture", "--steps", 20, "--out", "field.safetensors")
    return captures


def pictures(folder):
    return [iio.imread(path).astype(int) for path in sorted((folder / "pictures").rglob("*.png"))]


def same_pictures(run, folder, field):
    """Render a field of both captures: the same but for roundings, which training makes larger."""
    run("render", field, "--capture", "capture", "--out", "pictures")
    near, far = (pictures(folder / name) for name in CAPTURES)
    assert near and len(near) == len(far)
    assert max(np.ptp(picture) for picture in near) > 50, "something is seen"
    for a, b in zip(near, far, strict=True):
        assert np.sqrt(np.square(a - b).mean()) < 2


def boxes_agree(near, far):
    np.testing.assert_allclose(np.array(far) - OFFSET, near, atol=1e-5)


def test_the_origin_is_that_of_the_offset(captures):
    found = [open_capture(captures / name / "capture") for name in CAPTURES]
    near, far = map(capture_origin, found)
    assert not near.any()
    np.testing.assert_array_equal(far, OFFSET)


def test_a_far_capture_is_trained_rendered_and_made_a_volume_as_a_near_one(trained, run):
    same_pictures(run, trained, "field.safetensors")
    boxes_agree(*(read_header(trained / name / "field.safetensors")["box"] for name in CAPTURES))
    run("volume", "field.safetensors", "--resolution", 32, "--out", "volume.npz")
    near, far = (np.load(trained / name / "volume.npz") for name in CAPTURES)
    boxes_agree(near["box"], far["box"])
    np.testing.assert_allclose(far["density"], near["density"], rtol=0.05, atol=0.05)


def shape(center, offset):
    turn = np.eye(4)
    turn[:3, :3] *= 0.4
    turn[:3, 3] = offset + center
    corners = np.array([[x, y, z] for x in (0, 1) for y in (0, 1) for z in (0, 1)])
    faces = [[0, 1, 3, 2], [4, 6, 7, 5], [0, 4, 5, 1], [2, 3, 7, 6], [0, 2, 6, 4], [1, 5, 7, 3]]
    return {
        "box": {"box": {"min": (offset - 0.1).tolist(), "max": (offset + 0.9).tolist()}},
        "turned box": {"box": {"matrix": turn.tolist()}},
        "sphere": {"sphere": {"center": (offset + center).tolist(), "radius": 0.4}},
        "mesh": {"mesh": {"vertices": (corners * 0.7 + offset).tolist(), "faces": faces}},
        "grid": {"grid": "grid.npz"},
    }


@pytest.mark.parametrize("kind", ["box", "turned box", "sphere", "mesh", "grid"])
@pytest.mark.parametrize("operation", ["erase", "move"])
def test_edits_of_a_far_field_take_what_those_of_a_near_one_do(trained, run, kind, operation):
    to = np.eye(4)
    to[:3, :3] = [[0, -1, 0], [1, 0, 0], [0, 0, 1]]
    for name, offset in CAPTURES.items():
        density = np.zeros((4, 4, 4), np.float32)
        density[2:] = 1
        box = np.array([offset - 1, offset + 1])
        np.savez(trained / name / "grid.npz", density=density, box=box)
        entry = {"op": operation, "region": shape(np.array([0.2, 0.1, 0.1]), offset)[kind]}
        if operation == "move":
            to[:3, 3] = offset - to[:3, :3] @ offset + [0.3, 0, 0]
            entry["to"] = to.tolist()
        write_json(trained / name / "edits.json", [entry])
    near, far = run("edit", "field.safetensors", "--edits", "edits.json", "--out", "e.safetensors")
    assert far["removed_fraction"] == pytest.approx(near["removed_fraction"], abs=1e-3)
    if operation == "erase":
        assert 0.001 < near["removed_fraction"] < 0.9
    same_pictures(run, trained, "e.safetensors")


def test_a_far_field_is_converted_and_merged_as_a_near_one(trained, run):
    run(
        *("convert", "field.safetensors", "--to", "vm", "--steps", 10),
        *("--capture", "capture", "--out", "vm.safetensors"),
    )
    same_pictures(run, trained, "vm.safetensors")
    beside = np.eye(4)
    for name, offset in CAPTURES.items():
        turned = np.diag([-1.0, -1.0, 1.0, 1.0])
        turned[:3, 3] = offset - turned[:3, :3] @ offset
        write_json(trained / name / "placements.json", [beside.tolist(), turned.tolist()])
    near, far = run(
        *("merge", "field.safetensors", "vm.safetensors", "--placements", "placements.json"),
        *("--out", "merged.safetensors"),
    )
    boxes_agree(near["box"], far["box"])
    same_pictures(run, trained, "merged.safetensors")


def test_a_far_light_field_learns_as_a_near_one(trained, run):
    run(
        *("convert", "field.safetensors", "--to", "light_field", "--steps", 10),
        *("--out", "light.safetensors"),
    )
    same_pictures(run, trained, "light.safetensors")


def test_a_stored_far_field_keeps_its_origin(captures, run):
    run("train", "capture", "--steps", 2, "--out", "field.safetensors")
    near, far = (load_any_field(captures / name / "field.safetensors") for name in CAPTURES)
    np.testing.assert_array_equal(far.space.origin, OFFSET)
    assert not near.space.origin.any()
    torch.testing.assert_close(far.box, near.box)
