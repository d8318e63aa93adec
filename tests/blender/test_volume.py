import os
import subprocess
import sys
from pathlib import Path

import bpy
import numpy as np
import pytest
from mathutils import Matrix

ROOT = Path(__file__).resolve().parents[2]
for folder in (ROOT, Path(__file__).resolve().parent):
    if str(folder) not in sys.path:
        sys.path.insert(0, str(folder))

import captures  # noqa: E402
from pictures import read_pixels  # noqa: E402

from pvd_blender.errors import SceneError  # noqa: E402
from pvd_blender.scene import frame  # noqa: E402
from pvd_blender.volume import vdb, volume, volume_nodes  # noqa: E402
from pvd_blender.volume.volume_file import MOST_DENSITY, spread_color  # noqa: E402

needs_module = pytest.mark.skipif(
    vdb.openvdb_module() is None, reason="this Blender has no OpenVDB module"
)
SHAPE = (24, 20, 16)
CELL = np.array([0.125, 0.125, 0.125])
LOW = np.array([-1.0, -1.2, 0.3])
BLOCK = (slice(4, 9), slice(6, 8), slice(3, 10))
SIZE = 64


@pytest.fixture(autouse=True)
def exact_renders(add_on):
    scene = bpy.context.scene
    scene.render.engine = "CYCLES"
    scene.cycles.use_denoising = False
    scene.cycles.pixel_filter_type = "BOX"
    scene.cycles.filter_width = 1.0
    scene.cycles.volume_step_rate = 0.1
    scene.render.film_transparent = True
    scene.render.threads_mode, scene.render.threads = "FIXED", 2
    scene.view_settings.view_transform = "Standard"
    scene.render.dither_intensity = 0.0


def volume_file(tmp_path, density, low=LOW, cell=CELL, color=None):
    if color is None:
        color = np.full((*density.shape, 3), 0.5, dtype=np.float32)
    box = np.stack([low, low + cell * density.shape])
    np.savez(tmp_path / "v.npz", density=density, color=color, box=box)
    return volume.write_volume(tmp_path / "v.npz", tmp_path / "out", "toy", np.zeros(3))


def show(tmp_path, density, low=LOW, cell=CELL, color=None):
    origin = frame.create_frame(captures.capture("toy", [], (low, low + cell * density.shape)))
    path = volume_file(tmp_path, density, low, cell, color)
    return volume.create_volume_object(path, origin, "toy")


def orthographic_camera(axis, center, width):
    """A camera that looks down an axis; its image's right and up are the next two axes."""
    data = bpy.data.cameras.new("plan")
    data.type, data.ortho_scale = "ORTHO", width
    item = bpy.data.objects.new("plan", data)
    bpy.context.scene.collection.objects.link(item)
    right, up = (axis + 1) % 3, (axis + 2) % 3
    matrix = np.eye(4)
    matrix[:3, :3] = 0
    matrix[right, 0] = matrix[up, 1] = matrix[axis, 2] = 1
    matrix[:3, 3] = center
    matrix[axis, 3] += 10
    item.matrix_world = Matrix(matrix.tolist())
    bpy.context.scene.camera = item
    return right, up


def render(tmp_path, size, samples):
    """The rendered picture as (H, W, 4), premultiplied linear colour, first row on top."""
    scene = bpy.context.scene
    scene.render.resolution_x = scene.render.resolution_y = size
    scene.cycles.samples = samples
    scene.render.image_settings.file_format = "OPEN_EXR"
    scene.render.image_settings.color_depth = "32"
    scene.render.filepath = str(tmp_path / "view.exr")
    bpy.ops.render.render(write_still=True)
    return read_pixels(tmp_path / "view.exr")


def march(biased):
    """Choose how Cycles marches through volumes, from 5.0 on; its default, unbiased way takes
    some seconds to start."""
    if hasattr(bpy.context.scene.cycles, "volume_biased"):
        bpy.context.scene.cycles.volume_biased = biased


FINE = 4


def expected_opacity(density, cell, axis, center, width):
    """The picture that `orthographic_camera` takes, from the columns of cells alone."""
    right, up = (axis + 1) % 3, (axis + 2) % 3
    columns = density.transpose(axis, up, right).sum(axis=0, dtype=np.float64) * cell[axis]
    steps = ((np.arange(SIZE * FINE) + 0.5) / (SIZE * FINE) - 0.5) * width
    x = (center[right] + steps - LOW[right]) / cell[right] - 0.5
    y = (center[up] - steps - LOW[up]) / cell[up] - 0.5
    across = np.stack([np.interp(x, np.arange(columns.shape[1]), row) for row in columns])
    depth = np.stack([np.interp(y, np.arange(len(columns)), column) for column in across.T], 1)
    return (1 - np.exp(-depth)).reshape(SIZE, FINE, SIZE, FINE).mean(axis=(1, 3))


@pytest.mark.parametrize(
    ("cell", "biased"), [((0.125, 0.125, 0.125), False), ((0.125, 0.1, 0.16), True)]
)
def test_a_block_lies_where_the_engine_has_it(tmp_path, record_property, cell, biased):
    cell = np.array(cell)
    march(biased)
    density = np.zeros(SHAPE, dtype=np.float32)
    density[BLOCK] = 5.0
    show(tmp_path, density, cell=cell)
    start, stop = (np.array([getattr(s, end) for s in BLOCK]) for end in ("start", "stop"))
    true_center = LOW + cell * (start + stop) / 2
    width = 1.6
    worst_place, worst_picture = 0.0, 0.0
    for axis in range(3):
        right, up = orthographic_camera(axis, true_center, width)
        alpha = render(tmp_path, SIZE, 16)[..., 3].astype(np.float64)
        steps = (np.arange(SIZE) + 0.5 - SIZE / 2) * width / SIZE
        found = np.array([alpha.sum(axis=0) @ steps, -(alpha.sum(axis=1) @ steps)]) / alpha.sum()
        worst_place = max(worst_place, np.abs(found / cell[[right, up]]).max())
        wanted = expected_opacity(density, cell, axis, true_center, width)
        worst_picture = max(worst_picture, abs(alpha.sum() / wanted.sum() - 1))
    record_property("worst", f"{worst_place:.4f} voxels, opacity in all {worst_picture:.4f}")
    assert worst_place < 0.1
    assert worst_picture < 0.02


def solid_alpha(tmp_path):
    """What Solid mode draws, as alpha."""
    bpy.context.scene.render.engine = "BLENDER_WORKBENCH"
    return render(tmp_path, SIZE, 1)[..., 3]


@needs_module
def test_solid_mode_draws_the_density_whatever_its_colour(tmp_path):
    density = np.zeros(SHAPE, dtype=np.float32)
    density[4:20, 4:16, 2:14] = 0.05  # haze: a few percent on the way through
    density[BLOCK] = 60.0
    color = np.zeros((*SHAPE, 3), dtype=np.float32)
    color[..., :8] = 1.0  # half of the block is black
    show(tmp_path, density, color=color)
    start, stop = (np.array([getattr(s, end) for s in BLOCK]) for end in ("start", "stop"))
    orthographic_camera(1, LOW + CELL * (start + stop) / 2, 4.0)
    alpha = solid_alpha(tmp_path)
    middle = SIZE // 2
    across = int((stop - start)[2] * CELL[2] / 4.0 * SIZE)  # the block's length along z, in pixels
    inside = alpha[middle, middle - across // 2 + 2 : middle + across // 2 - 2]
    assert inside.min() > 0.9
    assert 0.02 < alpha[middle, middle + across * 3 // 4] < 0.6


def soft_slab():
    """Density that varies along z and is even across, like a field's soft surface."""
    z = np.arange(32)
    profile = 3.0 * np.exp(-(((z - 14) / 6.0) ** 2)) + 0.4 * np.sin(z / 3.0) ** 2
    profile[:3] = profile[-3:] = 0
    return np.broadcast_to(profile, (12, 12, 32)).astype(np.float32), profile


@pytest.mark.parametrize("strength", [0.4, 2.0])
def test_opacity_along_a_ray_is_that_of_the_density(tmp_path, record_property, strength):
    density, profile = soft_slab()
    cell = np.array([0.05, 0.05, 0.05])
    march(biased=True)
    show(tmp_path, density * strength, np.zeros(3), cell)
    orthographic_camera(2, np.array([0.3, 0.3, 0.8]), 0.05)
    opacity = render(tmp_path, 8, 512)[..., 3].mean()
    expected = 1 - np.exp(-strength * profile.sum() * cell[2])
    record_property("opacity", f"{opacity:.5f} expected {expected:.5f}")
    assert opacity == pytest.approx(expected, rel=0.02)


def light_behind(z):
    bpy.ops.mesh.primitive_plane_add(size=4, location=(0.3, 0.3, z))
    material = bpy.data.materials.new("light")
    if bpy.app.version < (5, 0, 0):
        material.use_nodes = True
    tree = material.node_tree
    tree.nodes.clear()
    emission = tree.nodes.new("ShaderNodeEmission")
    output = tree.nodes.new("ShaderNodeOutputMaterial")
    tree.links.new(emission.outputs[0], output.inputs[0])
    bpy.context.object.data.materials.append(material)


def test_light_behind_the_volume_is_dimmed_by_its_transmittance(tmp_path, record_property):
    density, profile = soft_slab()
    cell = np.array([0.05, 0.05, 0.05])
    color = np.zeros((*density.shape, 3), dtype=np.float32)
    item = show(tmp_path, density, np.zeros(3), cell, color)
    if vdb.openvdb_module() is None:
        shader = next(
            n for n in item.data.materials[0].node_tree.nodes if n.type == "PRINCIPLED_VOLUME"
        )
        next(s for s in shader.inputs if s.identifier == "Color").default_value = (0, 0, 0, 1)
    light_behind(-1.0)
    orthographic_camera(2, np.array([0.3, 0.3, 0.8]), 0.05)
    bpy.context.scene.cycles.max_bounces = 1
    seen = render(tmp_path, 8, 512)[..., 0].mean()
    expected = np.exp(-profile.sum() * cell[2])
    record_property("transmittance", f"{seen:.5f} expected {expected:.5f}")
    assert seen == pytest.approx(expected, rel=0.02)


@needs_module
def test_a_dense_volume_shows_the_fields_colour_without_any_light(tmp_path):
    density = np.full((8, 8, 8), 80.0, dtype=np.float32)
    srgb = np.array([0.8, 0.4, 0.1], dtype=np.float32)
    cell = np.full(3, 0.1)
    show(tmp_path, density, np.zeros(3), cell, np.broadcast_to(srgb, (8, 8, 8, 3)))
    orthographic_camera(1, np.full(3, 0.4), 0.1)
    linear = ((srgb + 0.055) / 1.055) ** 2.4
    assert render(tmp_path, 4, 1024)[..., :3].mean((0, 1)) == pytest.approx(linear, rel=0.02)


def test_the_volume_follows_its_frame(tmp_path):
    density = np.zeros(SHAPE, dtype=np.float32)
    density[BLOCK] = 60.0
    item = show(tmp_path, density)
    item.parent.location = (2, 0, 0)
    bpy.context.view_layer.update()
    assert tuple(item.matrix_world.translation) == (2, 0, 0)


def test_every_export_gets_a_new_file(tmp_path):
    density = np.ones((4, 4, 4), dtype=np.float32)
    names = [volume_file(tmp_path, density).name for _ in range(3)]
    assert names == ["toy_0001.vdb", "toy_0002.vdb", "toy_0003.vdb"]
    assert sorted(p.name for p in (tmp_path / "out").iterdir()) == names


def test_an_empty_field_is_reported(tmp_path):
    with pytest.raises(SceneError, match="empty"):
        volume_file(tmp_path, np.full((4, 4, 4), 1e-7, dtype=np.float32))
    assert not list(tmp_path.glob("out/*"))


@pytest.mark.parametrize("content", [b"", b"not a zip", None])
def test_a_file_that_is_no_volume_is_reported(tmp_path, content):
    path = tmp_path / "bad.npz"
    if content is None:
        np.savez(path, density=np.ones((2, 2, 2)))
    else:
        path.write_bytes(content)
    with pytest.raises(SceneError, match="bad"):
        volume.write_volume(path, tmp_path / "out", "toy", np.zeros(3))


@needs_module
def test_the_file_holds_the_values_sparsely_and_names_its_voxel_origin(tmp_path):
    rng = np.random.default_rng(0)
    density = np.zeros(SHAPE, dtype=np.float32)
    density[BLOCK] = rng.uniform(1, 9, density[BLOCK].shape)
    density[4, 6, 3] = 1e9
    # A transposed copy has other strides than C order, which OpenVDB itself would ignore.
    color = np.asfortranarray(rng.uniform(0, 1, (*SHAPE, 3)).astype(np.float32))
    path = volume_file(tmp_path, np.asfortranarray(density), color=color)
    module = vdb.openvdb_module()
    grids = {grid.name: grid for grid in module.readAll(str(path))[0]}
    assert set(grids) == {"density", "color", "display"}
    assert grids["density"].activeVoxelCount() == density[BLOCK].size
    assert grids["color"].activeVoxelCount() == np.prod([s.stop - s.start + 2 for s in BLOCK])
    for grid in grids.values():
        assert grid["pvd_voxel_origin"] == vdb.voxel_origin()
    assert grids["density"].gridClass == module.GridClass.FOG_VOLUME
    values = np.zeros(SHAPE, dtype=np.float32)
    grids["density"].copyToArray(values)
    assert np.array_equal(values, np.minimum(density, MOST_DENSITY))
    colors = np.zeros((*SHAPE, 3), dtype=np.float32)
    grids["color"].copyToArray(colors)
    assert np.allclose(colors[BLOCK], decode(color)[BLOCK], atol=1e-6)
    shown = np.zeros((*SHAPE, 3), dtype=np.float32)
    grids["display"].copyToArray(shown)
    opacity = 1 - np.exp(-np.minimum(density, MOST_DENSITY) * CELL[0])
    assert np.allclose(shown.mean(axis=-1), opacity, atol=1e-6)


@needs_module
def test_blenders_own_python_writes_the_same_file_in_a_process_of_its_own(tmp_path):
    rng = np.random.default_rng(0)
    density = rng.uniform(1, 9, SHAPE).astype(np.float32)
    here = volume_file(tmp_path, density, color=rng.uniform(0, 1, (*SHAPE, 3)))
    command, variables = volume.writer(tmp_path / "v.npz", np.zeros(3))
    subprocess.run(command, env=os.environ | variables, check=True)
    moved = volume.write_volume(tmp_path / "v.npz", tmp_path / "out", "toy", np.zeros(3))
    assert not (tmp_path / "v.vdb").exists(), "it was taken, not written again"
    module = vdb.openvdb_module()
    for name, width in (("density", ()), ("color", (3,))):
        values = [np.zeros((*(np.array(SHAPE) + 2), *width), np.float32) for _ in range(2)]
        for path, array in zip((here, moved), values, strict=True):
            module.read(str(path), name).copyToArray(array)
        assert values[0].any() and np.array_equal(*values)


def decode(values):
    return np.where(values <= 0.04045, values / 12.92, ((values + 0.055) / 1.055) ** 2.4)


def test_colour_reaches_one_cell_beyond_the_density_and_no_further():
    density = np.zeros((5, 5, 5), dtype=np.float32)
    density[1, 2, 2], density[3, 2, 2] = 1.0, 3.0
    color = np.random.default_rng(2).uniform(0, 1, (5, 5, 5, 3)).astype(np.float32)
    out = spread_color(color, density)
    assert np.array_equal(out[1, 2, 2], color[1, 2, 2])
    assert np.allclose(out[2, 1, 3], (color[1, 2, 2] + 3 * color[3, 2, 2]) / 4)
    assert np.allclose(out[0, 1, 1], color[1, 2, 2])
    assert np.count_nonzero(out.any(axis=-1)) == 5 * 3 * 3
    assert not out[:, 0].any()


@needs_module
@pytest.mark.parametrize("shape", [(24, 20, 16), (3, 50, 7), (5, 1, 40)])
def test_the_way_without_openvdb_writes_the_same_values(tmp_path, shape):
    rng = np.random.default_rng(1)
    density = rng.uniform(0, 5, shape).astype(np.float32)
    density[density < 2] = 0
    box = np.array([[-1.0, 0.5, 2.0], [1.0, 3.0, 4.0]])
    paths = tmp_path / "module.vdb", tmp_path / "nodes.vdb"
    vdb.write_vdb(paths[0], density, None, box)
    volume_nodes.write_density_by_nodes(paths[1], density, box)
    module = vdb.openvdb_module()
    grids = [module.read(str(path), "density") for path in paths]
    for grid in grids:
        values = np.zeros(shape, dtype=np.float32)
        grid.copyToArray(values)
        assert np.array_equal(values, density)
    for corner in ((0, 0, 0), (2, 0, 5)):
        points = [np.array(grid.transform.indexToWorld(corner)) for grid in grids]
        assert np.allclose(*points, atol=1e-5)


def test_the_way_without_openvdb_leaves_nothing_behind(tmp_path):
    before = {name: len(getattr(bpy.data, name)) for name in ("objects", "images", "node_groups")}
    density = np.ones((3, 3, 3), dtype=np.float32)
    volume_nodes.write_density_by_nodes(tmp_path / "n.vdb", density, np.array([[0] * 3, [1] * 3]))
    assert (tmp_path / "n.vdb").stat().st_size > 0
    after = {name: len(getattr(bpy.data, name)) for name in before}
    assert after == before
