"""Splats and the real engine: PVD Field draws fields of splats."""

import bpy
import numpy as np
import pytest
from engine_run import printed
from pictures import read_pixels
from splat_clouds import cloud

from pvd_blender.splats.cloud import Splats
from pvd_blender.splats.ply import write_ply

FIELD_OF_SPLATS = """
import sys
from pathlib import Path
import torch
from pvd_engine.exchange.splats.splat_files import read_splats
from pvd_engine.fields.gaussians import GaussianField
from pvd_engine.fields.storage import load_field, save_field

splats = read_splats(Path(sys.argv[1])).splats
like = load_field(Path(sys.argv[2]))
spec = {"name": "gaussians", "splats": len(splats), "degree": splats.degree,
        "rules": "inria", "antialiased": False}
field = GaussianField(spec, like.occupancy, like.step)
field.take(splats)
save_field(Path(sys.argv[3]), field)
"""


@pytest.fixture
def field_of_splats(teacher, engine_python, tmp_path):
    """A field of a few hundred large, opaque splats, in the ball's box."""
    some = cloud(300, 2)
    splats = Splats(
        np.tanh(some.centers) * 0.4, some.scales * 2, some.rotations,
        np.full(300, 0.95, np.float32), some.sh,
    )  # fmt: skip
    write_ply(splats, tmp_path / "cloud.ply")
    path = tmp_path / "splats.safetensors"
    printed(engine_python, "-c", FIELD_OF_SPLATS, tmp_path / "cloud.ply", teacher, path)
    return path


def test_pvd_field_draws_splats_as_the_engine_does(api, trained, field_of_splats, tmp_path):
    """F12 shows the drawn picture of a field of splats, with its alpha."""
    api.add_field(trained, field_of_splats)
    camera = next(item for item in trained.children if item.type == "CAMERA")
    api.look_through(camera)
    scene = bpy.context.scene
    scene.render.engine, scene.render.film_transparent = "CONVERT_FIELD", True
    scene.view_settings.view_transform = "Standard"
    scene.render.image_settings.file_format = "PNG"
    scene.render.image_settings.color_mode = "RGBA"
    scene.render.filepath = str(tmp_path / "f12.png")
    bpy.ops.render.render(write_still=True)
    shown = read_pixels(tmp_path / "f12.png")
    api.render(trained).save(filepath=str(tmp_path / "drawn.png"))
    drawn = read_pixels(tmp_path / "drawn.png")
    assert shown[..., 3].max() > 0.9 and shown[..., 3].min() == 0
    assert np.abs(shown[..., 3] - drawn[..., 3]).max() < 0.01
    difference = (shown[..., :3] - drawn[..., :3]) * drawn[..., 3:]
    assert -10 * np.log10(np.square(difference).mean()) > 45
