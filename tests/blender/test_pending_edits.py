"""Edits that a field has in it already are neither shown nor applied a second time."""

import bpy
import numpy as np
import pytest

from tests.blender.test_render_engine import pixels, psnr, rendered


@pytest.fixture
def frame(api, trained):
    """A capture with a teacher; the scene renders it, transparent, from its first camera."""
    api.look_through(next(item for item in trained.children if item.type == "CAMERA"))
    scene = bpy.context.scene
    scene.render.engine = "CONVERT_FIELD"
    scene.render.film_transparent = True
    scene.view_settings.view_transform = "Standard"
    scene.render.image_settings.file_format = "PNG"
    scene.render.image_settings.color_mode = "RGBA"
    return trained


def pending(frame):
    from pvd_blender.state.pending_edits import pending_shapes
    from pvd_blender.state.properties import source_field

    return pending_shapes(frame, source_field(frame))


def test_a_student_of_an_edited_field_shows_as_the_engine_renders_it(api, frame, tmp_path):
    erase = api.add_shape(frame, "erase", "sphere", location=(0.5, 0, 0))
    erase.scale = (0.6, 0.6, 0.6)
    tint = api.add_shape(frame, "tint", "box", location=(0, 0, 0), color=(1.0, 0.3, 0.3))
    tint.scale = (3, 3, 3)
    edited = api.apply_edits(frame)
    edited_picture = rendered(tmp_path / "edited.png")
    assert psnr(edited_picture, pixels(api.render(frame))) > 45
    api.convert(frame, "hash", preset="small", steps=3)
    assert pending(frame) == []
    shown = rendered(tmp_path / "student.png")
    assert psnr(shown, pixels(api.render(frame))) > 45
    with pytest.raises(api.ConvertFieldError, match="has all edit shapes in it"):
        api.apply_edits(frame)
    # What was added since is shown, and applied: the same as the engine's own edit of the student.
    added = api.add_shape(frame, "erase", "box", location=(0, 0, 0.4))
    added.scale = (3, 3, 0.4)
    assert [edit["id"] for edit in pending(frame)] == [added.convert_field.shape.uid]
    before = rendered(tmp_path / "before.png")
    assert psnr(before, shown) < 40
    again = api.apply_edits(frame)
    assert again != edited
    assert psnr(before, rendered(tmp_path / "after.png")) > 60


def test_a_merged_field_has_the_edits_of_its_parts(api, frame, teacher):
    shape = api.add_shape(frame, "erase", "box", location=(0.5, 0, 0))
    shape.scale = (0.4, 0.4, 0.4)
    edited = api.apply_edits(frame)
    api.merge(frame, [(edited, np.eye(4)), (teacher, np.eye(4))])
    assert frame.convert_field.fields[frame.convert_field.active_field].role == "MERGED"
    assert pending(frame) == []


def test_a_copy_of_an_applied_shape_is_another_shape(api, frame):
    shape = api.add_shape(frame, "erase", "box", location=(0.5, 0, 0))
    shape.scale = (0.4, 0.4, 0.4)
    api.apply_edits(frame)
    copy = shape.copy()
    shape.users_collection[0].objects.link(copy)
    (edit,) = pending(frame)
    assert edit["id"] == copy.convert_field.shape.uid != shape.convert_field.shape.uid
    shape.name = "Renamed"
    assert len(pending(frame)) == 1, "a name is no identity"
