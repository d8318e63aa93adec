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
    from pvd_blender.volume.volume import create_volume_object, write_volume

    density = np.zeros((16, 16, 16), np.float32)
    density[2:14, 3:13, 4:15] = np.random.default_rng(0).random(SHAPE) * 5 + 1
    color = np.full((16, 16, 16, 3), 0.5, np.float32)
    np.savez(tmp_path / "v.npz", density=density, color=color, box=[[-1, -1, -1], [1, 1, 1]])
    path = write_volume(tmp_path / "v.npz", tmp_path, "toy", np.zeros(3))
    item = create_volume_object(path, origin, "toy")
    item["density"] = density[2:14, 3:13, 4:15].ravel().tolist()
    return item


def erase_box(volume, origin, location, scale=(1, 2, 2)):
    from pvd_blender.volume.field_nodes import add_erase_modifier

    cube = bpy.data.objects.new("cube", None)
    bpy.context.scene.collection.objects.link(cube)
    cube.parent, cube.location, cube.scale = origin, location, scale
    add_erase_modifier(volume, cube)
    return cube


def edit(volume, folder):
    from pvd_blender.volume.volume_edit import evaluated, volume_edits

    folder.mkdir(exist_ok=True)
    with evaluated(volume) as depsgraph:
        return volume_edits(volume, depsgraph, folder)


def change_density(volume, build):
    """A modifier that stores what `build` makes of the grid's socket."""
    tree = bpy.data.node_groups.new("Change", "GeometryNodeTree")
    tree.interface.new_socket("Volume", in_out="INPUT", socket_type="NodeSocketGeometry")
    tree.interface.new_socket("Volume", in_out="OUTPUT", socket_type="NodeSocketGeometry")
    start, end = tree.nodes.new("NodeGroupInput"), tree.nodes.new("NodeGroupOutput")
    get = tree.nodes.new("GeometryNodeGetNamedGrid")
    store = tree.nodes.new("GeometryNodeStoreNamedGrid")
    for node in (get, store):
        node.inputs["Name"].default_value = "density"
    get.inputs["Remove"].default_value = False
    tree.links.new(start.outputs[0], get.inputs["Volume"])
    tree.links.new(get.outputs["Volume"], store.inputs["Volume"])
    tree.links.new(build(tree, get.outputs["Grid"]), store.inputs["Grid"])
    tree.links.new(store.outputs[0], end.inputs[0])
    volume.modifiers.new("Change", "NODES").node_group = tree


def math(tree, operation, *inputs):
    node = tree.nodes.new("ShaderNodeMath")
    node.operation = operation
    for socket, value in zip(node.inputs, inputs, strict=False):
        if isinstance(value, bpy.types.NodeSocket):
            tree.links.new(value, socket)
        else:
            socket.default_value = value
    return node.outputs[0]


def test_what_no_node_has_changed_is_no_edit(volume, origin, tmp_path):
    assert edit(volume, tmp_path / "e").edits == []
    erase_box(volume, origin, (50, 0, 0))
    found = edit(volume, tmp_path / "e")
    assert found.edits == [] and found.added == 0
    assert not list((tmp_path / "e").iterdir())


def test_a_box_that_was_deleted_erases_nothing(volume, origin, tmp_path):
    cube = erase_box(volume, origin, (0, 0, 0), (0.5, 0.5, 0.5))
    assert edit(volume, tmp_path / "before").edits != []
    bpy.data.objects.remove(cube)
    assert edit(volume, tmp_path / "after").edits == []


def test_a_density_that_nodes_multiply_is_scaled_by_their_factor(volume, tmp_path):
    change_density(volume, lambda tree, grid: math(tree, "MULTIPLY", grid, 0.25))
    (found,) = edit(volume, tmp_path / "e").edits
    assert found["op"] == "scale_density" and found["factor"] == pytest.approx(0.25, rel=1e-6)
    cells = np.load(found["region"]["grid"])["density"] > 0
    assert cells.all()


def test_many_factors_are_distinguished_and_untouched_cells_are_in_none(volume, tmp_path):
    # Above 4 the density becomes its square, at 4 and below it stays.
    def build(tree, grid):
        above = math(tree, "GREATER_THAN", grid, 4.0)
        more = math(tree, "SUBTRACT", math(tree, "MULTIPLY", grid, grid), grid)
        return math(tree, "ADD", grid, math(tree, "MULTIPLY", above, more))

    change_density(volume, build)
    before = np.reshape(volume["density"], SHAPE)
    scaled = np.ones(SHAPE)
    for entry in edit(volume, tmp_path / "e").edits:
        scaled[np.load(entry["region"]["grid"])["density"] > 0] *= entry["factor"]
    expected = np.where(before > 4, before, 1.0)
    assert (scaled[before <= 4] == 1.0).all()
    assert np.abs(scaled / expected - 1).max() < 0.02


def test_density_where_the_field_has_none_is_counted(volume, tmp_path, monkeypatch):
    from pvd_blender.volume import volume_edit
    from pvd_blender.volume.volume import write_volume

    density = np.zeros((16, 16, 16), np.float32)
    density[2:14, 3:13, 4:15] = np.reshape(volume["density"], SHAPE)
    density[12:] = 0
    np.savez(tmp_path / "less.npz", density=density, box=[[-1, -1, -1], [1, 1, 1]])
    less = volume_edit.read_grid(
        write_volume(tmp_path / "less.npz", tmp_path, "less", np.zeros(3)), "density"
    )
    monkeypatch.setattr(volume_edit, "_stored_grid", lambda _volume: less)
    found = edit(volume, tmp_path / "e")
    assert found.edits == [] and found.added == 2 * 10 * 11


def test_what_nodes_took_away_is_erased_and_the_rest_is_bit_exact(volume, origin, tmp_path):
    erase_box(volume, origin, (1, 0, 0))
    (found,) = edit(volume, tmp_path / "e").edits
    assert found["op"] == "erase"
    found = np.load(found["region"]["grid"])
    before = np.reshape(volume["density"], SHAPE).astype(np.float32)
    assert np.array_equal(found["original"], before)
    assert not found["density"][:6].any(), "cells at x below 0"
    assert np.array_equal(found["density"][6:], before[6:])
    assert np.allclose(found["box"], [[-0.75, -0.625, -0.5], [0.75, 0.625, 0.875]], atol=1e-6)


def test_a_volume_that_is_switched_off_still_gives_its_edit(volume, origin, tmp_path):
    erase_box(volume, origin, (1, 0, 0))
    volume.hide_viewport = True
    assert edit(volume, tmp_path / "e").edits
    assert volume.hide_viewport


def test_modifiers_that_leave_no_density_are_named(volume, tmp_path):
    from pvd_blender.errors import SceneError

    tree = bpy.data.node_groups.new("Nothing", "GeometryNodeTree")
    tree.interface.new_socket("Out", in_out="OUTPUT", socket_type="NodeSocketGeometry")
    tree.nodes.new("NodeGroupOutput")
    volume.modifiers.new("Nothing", "NODES").node_group = tree
    with pytest.raises(SceneError, match="leave no grid 'density'"):
        edit(volume, tmp_path / "e")


def test_nodes_erase_what_a_box_shape_erases(api, trained, teacher):
    frame, field = trained, teacher
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


def test_solid_mode_shows_no_more_what_nodes_have_erased(volume, origin):
    import openvdb

    erase_box(volume, origin, (0.5, 0, 0), (0.5, 2, 2))
    volume.update_tag()
    bpy.context.view_layer.update()
    evaluated = volume.evaluated_get(bpy.context.evaluated_depsgraph_get())
    geometry = evaluated.evaluated_geometry()
    shown = geometry.volume.grids[evaluated.data.grids.active_index]
    assert shown.name == "display"
    path = bpy.app.tempdir + "shown.vdb"
    geometry.volume.grids.save(filepath=path)
    values = np.zeros((16, 16, 16, 3), np.float32)
    openvdb.read(path, "display").copyToArray(values)
    assert not values[8:].any()
    assert (values[2:8, 3:13, 4:15].mean(axis=-1) > 0.1).all()
