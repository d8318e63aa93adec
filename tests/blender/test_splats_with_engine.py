"""Splats and the real engine: drawn by PVD Field, shown of a field, saved, and used as a field."""

import bpy
import numpy as np
import pytest
from engine_run import printed
from pictures import read_pixels
from splat_clouds import cloud
from splat_scene import PLACED, nearly_equal, needs_native, seen

from pvd_blender.splats.cloud import Splats
from pvd_blender.splats.native import has_native_splats
from pvd_blender.splats.objects import show_splats
from pvd_blender.splats.ply import read_ply, write_ply

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


def test_a_field_of_splats_is_shown_as_they_are(api, trained, field_of_splats, tmp_path):
    api.add_field(trained, field_of_splats)
    item = api.show_splats(trained)
    expected, _ = read_ply(tmp_path / "cloud.ply")
    if has_native_splats():
        assert nearly_equal(seen(item, frame=trained)[0], expected, 1e-5)
    else:
        found = np.array([vertex.co for vertex in item.data.vertices])
        assert np.allclose(found, expected.centers, atol=1e-6)


@pytest.mark.slow
def test_a_trained_field_is_shown_as_splats(api, trained, session):
    """One click after training: a cloud of splats in the capture's box."""
    item = api.show_splats(trained, count=2000)
    assert item.parent == trained and "splats of 'Teacher hash'" in session.message
    count = len(item.data.points) if has_native_splats() else len(item.data.vertices)
    assert 100 < count <= 2000
    if has_native_splats():
        low, high = np.reshape(trained["pvd_box"], (2, 3))
        centers = seen(item, frame=trained)[0].centers
        assert (low <= centers).all() and (centers <= high).all()


@needs_native
def test_an_spz_of_the_engine_lands_where_the_object_is(api, tmp_path):
    """Saved with y up as the format defines, and brought back upright by Blender's own import."""
    splats = cloud(300, 1)
    item = show_splats(splats, "Cloud")
    item.matrix_world = PLACED
    api.save_splats(tmp_path / "a.spz", [item])
    known = set(bpy.data.objects)
    bpy.ops.wm.spz_import(filepath=str(tmp_path / "a.spz"))
    again = next(other for other in bpy.data.objects if other not in known)
    ours, theirs = seen(item)[0], seen(again)[0]
    assert np.abs(ours.centers - theirs.centers).max() < 1e-3
    assert np.abs(ours.opacities - theirs.opacities).max() < 1 / 255
    assert np.abs(ours.sh[:, 1:].clip(-0.95, 0.95) - theirs.sh[:, 1:]).max() < 0.2
