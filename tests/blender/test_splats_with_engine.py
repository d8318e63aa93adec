"""Splats and the real engine: drawn by PVD Field, shown of a field, saved, and used as a field."""

import bpy
import numpy as np
import pytest
from pictures import read_pixels
from splat_clouds import cloud
from splat_scene import PLACED, nearly_equal, needs_native, seen

from pvd_blender.splats.cloud import Splats
from pvd_blender.splats.native import has_native_splats
from pvd_blender.splats.objects import show_splats
from pvd_blender.splats.ply import read_ply, write_ply


@pytest.fixture
def field_of_splats(api, trained, tmp_path):
    """A field of a few hundred large, opaque splats in the list of the ball's capture."""
    some = cloud(300, 2)
    splats = Splats(
        np.tanh(some.centers) * 0.4, some.scales * 2, some.rotations,
        np.full(300, 0.95, np.float32), some.sh,
    )  # fmt: skip
    write_ply(splats, tmp_path / "cloud.ply")
    return api.use_as_field(tmp_path / "cloud.ply", trained)


def test_pvd_field_draws_splats_as_the_engine_does(api, trained, field_of_splats, tmp_path):
    """F12 shows the drawn picture of a field of splats, with its alpha."""
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
    item = api.show_splats(trained, field_of_splats)
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


@needs_native
def test_splats_without_a_capture_convert(api, tmp_path):
    """Someone's splats, moved in Blender, become a field, and that another one."""
    some = cloud(300, 1)
    item = show_splats(Splats(*some.parts()[:3], np.full(300, 0.9, np.float32), some.sh), "Cloud")
    item.location = (5, 0, 0)
    field = api.use_as_field([item])
    frame = bpy.context.scene.convert_field.frame
    low, high = np.reshape(frame["pvd_box"], (2, 3))
    assert low[0] < 5 < high[0] and low[1] < 0 < high[1], "it is where the object is"
    student = api.convert(frame, "hash", field, preset="small", steps=2)
    assert student.is_file()
    assert [entry.role for entry in frame.convert_field.fields] == ["TEACHER", "STUDENT"]
