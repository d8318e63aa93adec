"""Captures in coordinates of the Earth: Blender shows them around its own origin, exactly."""

import json
import math

import bpy
import numpy as np
import pytest
from mathutils import Vector
from small_capture import ANGLE, SIDE, _ball, _pose, write_png
from test_reprojection import PIXEL, seen

OFFSET = np.array([500321.25, 5631207.5, 212.0])
"""Metres of UTM, as of a drone's flight."""

SCALE = 24.0
"""Metres of a unit of the small capture; its cameras stand on a ball of 96 m."""

COUNT = 10


def write(folder, offset):
    """Write the small capture as a transforms.json in metres around an offset."""
    folder.mkdir(parents=True)
    frames = []
    for number in range(COUNT):
        pose = _pose(number)
        write_png(folder / f"DJI_{number}.png", _ball(pose))
        pose[:3, 3] = SCALE * pose[:3, 3] + offset
        frames.append({"file_path": f"DJI_{number}.png", "transform_matrix": pose.tolist()})
    focal = SIDE / 2 / math.tan(ANGLE / 2)
    lens = {"w": SIDE, "h": SIDE, "fl_x": focal, "fl_y": focal, "cx": SIDE / 2, "cy": SIDE / 2}
    (folder / "transforms.json").write_text(json.dumps({**lens, "frames": frames}))
    return folder


def poses(folder):
    frames = json.loads((folder / "transforms.json").read_text())["frames"]
    return {frame["file_path"]: np.array(frame["transform_matrix"]) for frame in frames}


@pytest.fixture
def far(api, tmp_path):
    return api.import_capture(write(tmp_path / "utm", OFFSET))


def cameras(frame):
    return {
        item.data["pvd_camera"]["name"]: item for item in frame.children if item.type == "CAMERA"
    }


def pose_of(item, folder):
    (name,) = [name for name in poses(folder) if name.startswith(item.data["pvd_camera"]["name"])]
    return poses(folder)[name]


def origin(frame):
    return np.array(frame["pvd_origin"])


def test_cameras_see_points_at_their_pixels(api, far, tmp_path):
    assert np.abs(origin(far) - OFFSET).max() < 200
    assert (origin(far) % 10 == 0).all(), "few digits, so that people can read it"
    assert "around Blender's origin" in far.convert_field.notes
    random = np.random.default_rng(0)
    points = OFFSET + random.uniform(-SCALE, SCALE, (20, 3))
    local = [Vector(point) for point in points - origin(far)]
    focal = SIDE / 2 / math.tan(ANGLE / 2)
    for item in cameras(far).values():
        pose = pose_of(item, tmp_path / "utm")
        x, y, z = ((points - pose[:3, 3]) @ pose[:3, :3]).T
        right = np.stack([SIDE / 2 - focal * x / z, SIDE / 2 + focal * y / z], axis=1)
        assert np.abs(seen(api, item, local) - right).max() < PIXEL


def test_a_near_capture_stays_where_it_is(api, tmp_path):
    frame = api.import_capture(write(tmp_path / "near", np.zeros(3)))
    assert "pvd_origin" not in frame
    for item in cameras(frame).values():
        pose = pose_of(item, tmp_path / "near").astype(np.float32)
        assert np.array(item.matrix_world)[:3, 3] == pytest.approx(pose[:3, 3], rel=1e-6, abs=1e-5)


def test_exports_give_the_numbers_of_the_file(api, far, tmp_path):
    from pvd_blender.scene.cameras import camera_to_dict

    bpy.ops.wm.save_as_mainfile(filepath=str(tmp_path / "a.blend"))
    bpy.ops.wm.open_mainfile(filepath=str(tmp_path / "a.blend"))
    frame = bpy.context.scene.convert_field.frame
    frame.location, frame.scale = (3.0, 1.0, 0.0), (0.5,) * 3
    bpy.context.view_layer.update()
    for item in cameras(frame).values():
        entry = camera_to_dict(item, bpy.context.scene, frame)
        np.testing.assert_array_equal(entry["camera_to_world"], pose_of(item, tmp_path / "utm"))
    api.export_scene(tmp_path / "out", {"train": list(cameras(frame).values())}, pictures=False)
    written = json.loads((tmp_path / "out" / "transforms.json").read_text())["frames"]
    found = sorted(np.array(entry["transform_matrix"])[:3].tolist() for entry in written)
    right = sorted(pose[:3].tolist() for pose in poses(tmp_path / "utm").values())
    np.testing.assert_allclose(found, right, rtol=1e-15, atol=0)


def test_own_cameras_and_shapes_stand_in_the_dataset_where_they_stand_in_blender(api, far):
    from pvd_blender.scene.cameras import camera_to_dict

    own = bpy.data.objects.new("own", bpy.data.cameras.new("own"))
    bpy.context.scene.collection.objects.link(own)
    own.location = (1.25, -2.5, 30.0)
    entry = camera_to_dict(own, bpy.context.scene, far)
    position = np.array(entry["camera_to_world"])[:3, 3]
    assert position == pytest.approx(origin(far) + np.array([1.25, -2.5, 30.0]), abs=1e-6)
    shape = api.add_shape(far, "move", "sphere", location=(2.0, 4.0, 8.0))
    shape.scale = (3.0,) * 3
    (edit,) = api.collect_edits(far)
    assert edit["region"]["sphere"]["center"] == pytest.approx(
        (origin(far) + np.array([2.0, 4.0, 8.0])).tolist(), abs=1e-5
    )
    assert np.array(edit["to"])[:3, :3] == pytest.approx(np.eye(3), abs=1e-6)
    assert np.abs(np.array(edit["to"])[:3, 3]).max() < 1000


def test_volumes_stand_among_the_cameras_and_edits_of_them_in_the_dataset(far, tmp_path):
    from pvd_blender.scene.placement import field_placement
    from pvd_blender.volume.vdb import openvdb_module
    from pvd_blender.volume.volume import create_volume_object, write_volume

    if openvdb_module() is None:
        pytest.skip("this build has no OpenVDB")
    box = OFFSET + SCALE * np.array([[-1.0] * 3, [1.0] * 3])
    density = np.full((12, 12, 12), 0.3, np.float32)
    color = np.full((12, 12, 12, 3), 0.5, np.float32)
    np.savez(tmp_path / "v.npz", density=density, color=color, box=box)
    path = write_volume(tmp_path / "v.npz", tmp_path / "volumes", "far", origin(far))
    volume = create_volume_object(path, far, "far")
    bpy.context.view_layer.update()
    volume.data.grids.load()
    voxels = np.array(volume.data.grids["density"].matrix_object)
    cell = 2 * SCALE / 12
    np.testing.assert_allclose(np.diag(voxels)[:3], cell, rtol=1e-6)
    first = np.array(volume.matrix_world @ Vector(voxels[:3, 3]))
    assert np.abs(first + origin(far) - box[0]).max() <= 1.01 * cell
    np.testing.assert_array_equal(field_placement(volume, far), np.eye(4))
    volume.location.x += 2.0
    bpy.context.view_layer.update()
    moved = field_placement(volume, far)
    assert moved[:3, 3] == pytest.approx([2.0, 0, 0], abs=1e-6)


def test_captures_of_one_place_share_an_origin(api, far, tmp_path):
    other = api.import_capture(write(tmp_path / "next", OFFSET + np.array([150.0, -40.0, 3.0])))
    np.testing.assert_array_equal(origin(other), origin(far))
    first = np.mean([np.array(item.matrix_world)[:3, 3] for item in cameras(far).values()], axis=0)
    second = np.mean(
        [np.array(item.matrix_world)[:3, 3] for item in cameras(other).values()], axis=0
    )
    assert second - first == pytest.approx([150.0, -40.0, 3.0], abs=1e-3)
