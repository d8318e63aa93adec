"""The sparse points of a capture: in place, in their colours, not in renders."""

import json
import shutil

import bpy
import numpy as np
import pytest

XYZ = np.array([[0.5, -0.25, 0.125], [1, 2, 3], [-1, 0, 0.75]])
RGB = np.array([[255, 0, 0], [0, 128, 255], [10, 20, 30]])


@pytest.fixture
def folder(capture, tmp_path):
    """The ball as nerfstudio writes a capture, with points."""
    folder = tmp_path / "ball"
    shutil.copytree(capture, folder)
    content = json.loads((folder / "transforms_train.json").read_text())
    for frame in content["frames"]:
        frame["file_path"] += ".png"
    content["ply_file_path"] = "sparse_pc.ply"
    (folder / "transforms.json").write_text(json.dumps(content))
    for split in ("train", "val", "test"):
        (folder / f"transforms_{split}.json").unlink()
    names = ["x", "y", "z"]
    lines = ["ply", "format ascii 1.0", f"element vertex {len(XYZ)}"]
    lines += [f"property float {name}" for name in names]
    lines += [f"property uint8 {name}" for name in ("red", "green", "blue")] + ["end_header"]
    rows = [" ".join(map(str, (*xyz, *rgb))) for xyz, rgb in zip(XYZ, RGB, strict=True)]
    (folder / "sparse_pc.ply").write_text("\n".join(lines + rows) + "\n")
    return folder


def points_of(frame):
    return next((item for item in frame.children if "pvd_points" in item), None)


def test_points_stand_in_the_captures_frame_and_move_with_it(api, folder):
    frame = api.import_capture(folder)
    frame.location, frame.scale = (1, 2, 3), (2, 2, 2)
    bpy.context.view_layer.update()
    item = points_of(frame)
    found = np.array([item.matrix_world @ vertex.co for vertex in item.data.vertices])
    assert np.allclose(found, 2 * XYZ + [1, 2, 3], atol=1e-5)
    assert item.hide_render and item.name in frame.users_collection[0].objects


def test_nodes_draw_them_as_points_that_keep_their_colours(api, folder):
    item = points_of(api.import_capture(folder))
    evaluated = item.evaluated_get(bpy.context.evaluated_depsgraph_get())
    colors = item.data.attributes["Col"].data
    assert np.allclose(colors[0].color[:3], [1, 0, 0], atol=0.01)
    if hasattr(evaluated, "evaluated_geometry"):  # from Blender 5.0 on
        shown = evaluated.evaluated_geometry()
        cloud = shown.pointcloud
        assert len(cloud.points) == len(XYZ) and "Col" in cloud.attributes


def test_points_are_left_out_where_nobody_wants_them(api, folder):
    assert points_of(api.import_capture(folder, points=False)) is None


def test_points_that_are_not_there_or_no_points_are_reported(api, folder):
    (folder / "sparse_pc.ply").write_bytes(b"ply\nnothing")
    frame = api.import_capture(folder)
    assert points_of(frame) is None and "sparse points" in frame.convert_field.notes
    (folder / "sparse_pc.ply").unlink()
    frame = api.import_capture(folder)
    assert points_of(frame) is None and "do not exist" in frame.convert_field.notes
