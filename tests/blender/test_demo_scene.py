import sys
from pathlib import Path

import bpy
import numpy as np
import pytest

ROOT = Path(__file__).resolve().parents[2]
for folder in (ROOT, ROOT / "examples"):
    if str(folder) not in sys.path:
        sys.path.insert(0, str(folder))

import demo_scene  # noqa: E402


@pytest.fixture(autouse=True)
def scene(add_on):
    return demo_scene.build_scene()


def corners():
    """Every vertex of the scene in the space of the bucket's box, by collection."""
    depsgraph = bpy.context.evaluated_depsgraph_get()
    world = {name: [] for name in ("Excavator", "Bucket")}
    for name, points in world.items():
        for item in bpy.data.collections[name].objects:
            mesh = item.evaluated_get(depsgraph).to_mesh()
            points += [tuple(item.matrix_world @ v.co) for v in mesh.vertices]
    return {name: np.array(points) for name, points in world.items()}


def in_box(points):
    inverse = np.linalg.inv(demo_scene.bucket_box())
    return points @ inverse[:3, :3].T + inverse[:3, 3]


def test_the_box_holds_the_bucket_and_nothing_else():
    found = corners()
    assert (np.abs(in_box(found["Bucket"])) < 1).all()
    assert (np.abs(in_box(found["Excavator"])).max(axis=1) > 1).all()


def test_no_part_reaches_through_the_box():
    depsgraph = bpy.context.evaluated_depsgraph_get()
    weights = [(i, j, 20 - i - j) for i in range(21) for j in range(21 - i)]
    for item in bpy.data.collections["Excavator"].objects:
        mesh = item.evaluated_get(depsgraph).to_mesh()
        mesh.calc_loop_triangles()
        points = in_box(np.array([tuple(item.matrix_world @ v.co) for v in mesh.vertices]))
        triangles = points[[tuple(t.vertices) for t in mesh.loop_triangles]]
        across = np.einsum("wk,tkd->twd", np.array(weights) / 20, triangles)
        assert (np.abs(across).max(axis=-1) > 1).all(), item.name


def test_the_scene_is_compact():
    everything = np.vstack(list(corners().values()))
    assert np.linalg.norm(everything - demo_scene.CENTER, axis=1).max() < 1.3


def test_the_bucket_can_be_taken_away_and_put_back():
    bucket = bpy.data.collections["Bucket"].objects[0]
    demo_scene.show_bucket(False)
    bpy.context.view_layer.update()
    assert not bucket.visible_get()
    assert bpy.data.collections["Bucket"].hide_render
    demo_scene.show_bucket(True)
    bpy.context.view_layer.update()
    assert bucket.visible_get()
