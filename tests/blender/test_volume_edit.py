"""Volumes changed by geometry nodes come back as edits (Blender 5.0 and later)."""

import bpy
import captures
import numpy as np
import pytest

pytestmark = pytest.mark.skipif(
    bpy.app.version < (5, 0, 0), reason="nodes change grids from Blender 5.0 on"
)

SHAPE = (12, 10, 11)


@pytest.fixture
def origin(add_on):
    from pvd_blender.scene.frame import create_frame

    item = create_frame(captures.capture("toy", [], ((-1, -1, -1), (1, 1, 1))))
    item.location, item.rotation_euler, item.scale = (1, 2, 3), (0.3, -0.2, 0.5), (2, 2, 2)
    return item


@pytest.fixture
def volume(origin, tmp_path):
    """A Volume object of random density, in cells 2:14, 3:13, 4:15 of 16 along each axis."""
    from pvd_blender.scene.volume import create_volume_object, write_volume

    density = np.zeros((16, 16, 16), np.float32)
    density[2:14, 3:13, 4:15] = np.random.default_rng(0).random(SHAPE) * 5 + 1
    color = np.full((16, 16, 16, 3), 0.5, np.float32)
    np.savez(tmp_path / "v.npz", density=density, color=color, box=[[-1, -1, -1], [1, 1, 1]])
    path = write_volume(tmp_path / "v.npz", tmp_path, "toy")
    item = create_volume_object(path, origin, "toy")
    item["density"] = density[2:14, 3:13, 4:15].ravel().tolist()
    return item


def erase_box(volume, origin, location, scale=(1, 2, 2)):
    from pvd_blender.scene.field_nodes import add_erase_modifier

    cube = bpy.data.objects.new("cube", None)
    bpy.context.scene.collection.objects.link(cube)
    cube.parent, cube.location, cube.scale = origin, location, scale
    add_erase_modifier(volume, cube)
    return cube


def edit(volume, path):
    from pvd_blender.scene.volume_edit import evaluated, volume_edit

    with evaluated(volume) as depsgraph:
        return volume_edit(volume, depsgraph, path)


def test_what_no_node_has_changed_is_no_edit(volume, origin, tmp_path):
    assert not edit(volume, tmp_path / "e.npz")
    erase_box(volume, origin, (50, 0, 0))
    assert not edit(volume, tmp_path / "e.npz")
    assert not (tmp_path / "e.npz").exists()


def test_what_nodes_took_away_is_erased_and_the_rest_is_bit_exact(volume, origin, tmp_path):
    erase_box(volume, origin, (1, 0, 0))
    assert edit(volume, tmp_path / "e.npz")
    found = np.load(tmp_path / "e.npz")
    before = np.reshape(volume["density"], SHAPE).astype(np.float32)
    assert np.array_equal(found["original"], before)
    assert not found["density"][:6].any(), "cells at x below 0"
    assert np.array_equal(found["density"][6:], before[6:])
    assert np.allclose(found["box"], [[-0.75, -0.625, -0.5], [0.75, 0.625, 0.875]], atol=1e-6)


def test_a_volume_that_is_switched_off_still_gives_its_edit(volume, origin, tmp_path):
    erase_box(volume, origin, (1, 0, 0))
    volume.hide_viewport = True
    assert edit(volume, tmp_path / "e.npz")
    assert volume.hide_viewport


def test_modifiers_that_leave_no_density_are_named(volume, tmp_path):
    from pvd_blender.scene.errors import SceneError

    tree = bpy.data.node_groups.new("Nothing", "GeometryNodeTree")
    tree.interface.new_socket("Out", in_out="OUTPUT", socket_type="NodeSocketGeometry")
    tree.nodes.new("NodeGroupOutput")
    volume.modifiers.new("Nothing", "NODES").node_group = tree
    with pytest.raises(SceneError, match="leave no grid 'density'"):
        edit(volume, tmp_path / "e.npz")


def test_nodes_erase_what_a_box_shape_erases(api, capture, tmp_path):
    frame = api.import_capture(capture)
    field = api.train(frame, "hash", preset="small", steps=60)
    api.extract_volume(frame, resolution=64)
    shape = api.add_shape(frame, "erase", "box", location=(0.6, 0, 0))
    shape.scale = (0.6, 2, 2)
    by_shape = picture(api, frame, api.apply_edits(frame, field=field))
    bpy.data.objects.remove(shape)
    before = picture(api, frame, field)
    box = api.add_field_erase(frame, location=(0.6, 0, 0), field=field)
    box.scale = (0.6, 2, 2)
    by_nodes = picture(api, frame, api.apply_edits(frame, field=field))
    assert psnr(by_nodes, by_shape) > 25 > psnr(by_shape, before)
    assert psnr(by_nodes, by_shape) > psnr(by_shape, before) + 8


def picture(api, frame, field):
    camera = next(item for item in frame.children if item.type == "CAMERA")
    image = api.render(frame, camera=camera, field=field)
    width, height = image.size
    rgba = np.array(image.pixels[:]).reshape(height, width, 4)
    return rgba[..., :3] * rgba[..., 3:] + 1 - rgba[..., 3:]


def psnr(a, b):
    return -10 * np.log10(np.square(a - b).mean() + 1e-12)
