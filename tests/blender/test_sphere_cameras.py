"""Cameras on a sphere around a scene, for captures made by script."""

import math
import sys
from pathlib import Path

import bpy
import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "examples"))
from sphere_cameras import sphere_cameras


@pytest.fixture
def scene(add_on):
    """An empty scene."""
    return bpy.context.scene


def test_cameras_on_a_sphere_look_at_its_centre_from_the_band(scene):
    from pvd_blender.scene.intrinsics import read_intrinsics

    center = np.array([1.0, 2.0, 0.5])
    made = sphere_cameras(
        scene,
        {"train": 60, "test": 7},
        center=tuple(center),
        radius=2.5,
        elevation=(-10, 60),
        angle=35.0,
        seed=1,
    )
    assert [len(made[s]) for s in ("train", "test")] == [60, 7]
    scene.render.resolution_x = scene.render.resolution_y = 100
    poses = [np.array(c.matrix_world) for items in made.values() for c in items]
    for item, pose in zip([c for items in made.values() for c in items], poses, strict=True):
        offset = pose[:3, 3] - center
        assert np.linalg.norm(offset) == pytest.approx(2.5, rel=1e-5)
        assert np.allclose(pose[:3, 2], offset / 2.5, atol=1e-5)
        assert abs(pose[2, 0]) < 1e-6
        assert pose[2, 1] > 0
        assert -10.01 < math.degrees(math.asin(offset[2] / 2.5)) < 60.01
        wanted = 50 / math.tan(math.radians(17.5))
        assert read_intrinsics(item, scene).fx == pytest.approx(wanted, rel=1e-5)
    assert np.linalg.norm(np.mean([p[:2, 3] for p in poses[:60]], 0) - center[:2]) < 0.2


def test_the_same_seed_gives_the_same_cameras(scene):
    poses = [
        [np.array(c.matrix_world) for c in sphere_cameras(scene, {"train": 4}, seed=s)["train"]]
        for s in (5, 5, 6)
    ]
    assert np.array_equal(poses[0], poses[1])
    assert not np.allclose(poses[0], poses[2])
