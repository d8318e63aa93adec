"""Every format's points are where its own numbers put them: through Blender's cameras."""

import json
from pathlib import Path

import bpy
import numpy as np
from bpy_extras.object_utils import world_to_camera_view
from engine_run import printed
from mathutils import Vector

SAMPLES = Path(__file__).resolve().parents[1] / "engine"
WRITE_SAMPLES = """
import runpy, sys
del sys.argv[0]
sys.path.append(sys.argv[0])
runpy.run_module("reprojection_samples", run_name="__main__")
"""
PIXEL = 5e-5
"""Of the samples' 24 pixels: a thousandth of one in images 480 wide. Blender's float32 matrices
leave a seventh of it."""


def test_known_points_of_every_format_are_at_their_pixels(
    api, warm_python, tmp_path, record_property
):
    printed(warm_python, "-c", WRITE_SAMPLES, SAMPLES, tmp_path)
    expected = json.loads((tmp_path / "expected.json").read_text(encoding="utf-8"))
    points = [Vector(point) for point in expected["points"]]
    assert len(expected["pixels"]) == 9
    for name, views in expected["pixels"].items():
        frame = api.import_capture(tmp_path / name)
        cameras = {i.data["pvd_camera"]["name"]: i for i in frame.children if i.type == "CAMERA"}
        assert frame["pvd_format"] == name and set(cameras) == set(views)
        worst = max(np.abs(seen(api, cameras[view], points) - views[view]).max() for view in views)
        record_property(f"{name}_worst_pixels", float(worst))
        assert worst < PIXEL, name


def seen(api, camera, points):
    """Pixels (N, 2) of points by Blender's own formula, at the render size of the camera."""
    api.look_through(camera)
    bpy.context.view_layer.update()
    scene = bpy.context.scene
    shares = np.array([world_to_camera_view(scene, camera, point) for point in points])
    size = scene.render.resolution_x, scene.render.resolution_y
    return np.stack([shares[:, 0], 1 - shares[:, 1]], axis=1) * size
