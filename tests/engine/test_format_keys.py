"""What the files of the other formats may state: noted where it is not done, named if unknown."""

import json

import numpy as np
import pytest
from colmap_files import write_colmap
from format_files import (
    POSES,
    WRITERS,
    dtu_arrays,
    llff_rows,
    parts,
    refuse,
    write_donerf,
    write_dtu,
    write_llff,
    write_polycam,
    write_realitycapture,
)

from pvd_engine.data.formats import donerf, dtu, llff, nsvf, polycam, realitycapture
from pvd_engine.data.readers import FORMATS, open_capture


def told(folder):
    notes = open_capture(folder).notes
    return [note for note in notes if " has " in note and "no splits" not in note]


TABLES = {
    "llff": llff,
    "nsvf": nsvf,
    "donerf": donerf,
    "dtu": dtu,
    "polycam": polycam,
    "realitycapture": realitycapture,
}


@pytest.mark.parametrize("name", WRITERS)
def test_a_plain_capture_has_nothing_that_is_unknown(tmp_path, name):
    """These files are those of the programs, with all keys that these write."""
    WRITERS[name](tmp_path / "in")
    assert not any("not known" in note for note in open_capture(tmp_path / "in").notes)


FILE_CASES = [
    (name, file)
    for name, module in TABLES.items()
    for keys in module.KEYS
    if keys.treatment == "noted"
    for file in keys.names
    if file != "blur_score"
]


@pytest.mark.parametrize(("name", "file"), FILE_CASES, ids="-".join)
def test_a_noted_file_is_told(tmp_path, name, file):
    WRITERS[name](tmp_path / "in")
    (tmp_path / "in" / file).mkdir(parents=True, exist_ok=True)
    assert any(file in note for note in told(tmp_path / "in")), file


def test_polycams_blurred_images_are_told(tmp_path):
    write_polycam(tmp_path / "sharp", blur_score=80.0)
    assert told(tmp_path / "sharp") == []
    write_polycam(tmp_path / "blurred", blur_score=12.5)
    assert told(tmp_path / "blurred") == [
        "cameras has blur_score, but images that are blurred (below 25) are used."
    ]


def test_unknown_keys_are_named(tmp_path):
    write_polycam(tmp_path / "polycam", tilt=1)
    write_donerf(tmp_path / "donerf", fisheye=True)
    write_dtu(tmp_path / "dtu", {**dtu_arrays(), "skew_mat": np.eye(3)})
    write_realitycapture(tmp_path / "realitycapture")
    table = tmp_path / "realitycapture" / "cameras.csv"
    rows = table.read_text().splitlines()
    table.write_text("\n".join([f"{rows[0]},shutter", *(f"{row},1" for row in rows[1:])]))
    for name, key in {
        "polycam": "tilt",
        "donerf": "fisheye",
        "dtu": "skew_mat",
        "realitycapture": "shutter",
    }.items():
        (note,) = [note for note in told(tmp_path / name) if "not known" in note]
        assert f" has {key}, which is not known and not used." in note


def test_rigs_and_frames_of_colmap_change_no_pose(tmp_path):
    for binary in (True, False):
        folder = tmp_path / str(binary)
        write_colmap(folder, binary=binary)
        before = open_capture(folder)
        for name in ("rigs", "frames"):
            (folder / "sparse" / "0" / f"{name}.{'bin' if binary else 'txt'}").write_text("1 0\n")
        after = open_capture(folder)
        assert after.notes == before.notes
        for one, other in zip(before.views, after.views, strict=True):
            np.testing.assert_array_equal(one.camera.camera_to_world, other.camera.camera_to_world)


def test_every_format_but_nerf_synthetic_which_shares_one_has_a_table():
    assert [kind.name for kind in FORMATS if not kind.keys] == ["NeRF-Synthetic"]


@pytest.mark.parametrize(
    ("lens", "expected"),
    [
        ([16, 24, 20, 21, 11, 7], (20, 21, 11, 7)),
        ([16, 24, 20, 11, 7], (20, 20, 11, 7)),
        ([16, 24, 20], (20, 20, 12, 8)),
    ],
)
@pytest.mark.parametrize("bounds", [True, False])
def test_llff_without_a_lens_in_the_rows_has_it_in_nexs_file(tmp_path, lens, expected, bounds):
    write_llff(tmp_path, images="images")
    rows = llff_rows(POSES)
    matrices = rows[:, :15].reshape(-1, 3, 5)[:, :, :4].reshape(-1, 12)
    depths = rows[:, 15:] if bounds else rows[:, :0]
    np.save(tmp_path / "poses_bounds.npy", np.column_stack([matrices, depths]))
    refuse(tmp_path, "states no focal length.*hwf_cxcy.npy must state")
    np.save(tmp_path / "hwf_cxcy.npy", np.array(lens, float)[:, None])
    capture = open_capture(tmp_path)
    camera = capture.views[0].camera
    assert (camera.fx, camera.fy, camera.cx, camera.cy) == expected
    turn = capture.frame.applied_transform[:, :3]
    for view, pose in zip(capture.views, POSES, strict=True):
        *_, position = parts(pose)
        np.testing.assert_allclose(view.camera.camera_to_world[:3, 3], turn @ position)
    assert any("states no depths" in note for note in capture.notes) != bounds
    assert (capture.nearest is None) != bounds
    np.save(tmp_path / "hwf_cxcy.npy", np.zeros(7))
    refuse(tmp_path, "must hold height, width, fx, fy, cx and cy")


def test_llff_without_depths_is_read_with_a_box_around_what_is_looked_at(tmp_path):
    write_llff(tmp_path)
    np.save(tmp_path / "poses_bounds.npy", llff_rows(POSES)[:, :15])
    capture = open_capture(tmp_path)
    assert capture.nearest is None and any("states no depths" in note for note in capture.notes)
    assert capture.views[0].camera.fx == pytest.approx(20)


def test_donerf_keys_are_read_from_its_own_file(tmp_path):
    write_donerf(tmp_path, fov=60.0, camera_angle_x=None)
    camera = open_capture(tmp_path).views[0].camera
    assert camera.fx == pytest.approx(12 / np.tan(np.radians(30)))
    info = json.loads((tmp_path / "dataset_info.json").read_text())
    assert all(
        any(name in keys.names for keys in donerf.KEYS) for name in info if info[name] is not None
    )
