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


needs_nodes = pytest.mark.skipif(
    bpy.app.version < (5, 0, 0), reason="nodes change grids from Blender 5.0 on"
)


@needs_nodes
def test_what_nodes_erase_shows_before_it_is_applied(api, frame, tmp_path):
    whole = rendered(tmp_path / "whole.png")
    api.extract_volume(frame, resolution=24)
    box = api.add_field_erase(frame, (0.4, 0, 0))
    box.scale = (0.4, 3, 3)
    preview = rendered(tmp_path / "preview.png")
    assert psnr(preview, whole) < 30
    box.location.x -= 0.3
    moved = rendered(tmp_path / "moved.png")
    assert psnr(moved, preview) < 35, "the preview follows the box"
    api.apply_edits(frame)
    assert psnr(rendered(tmp_path / "applied.png"), moved) > 60


@needs_nodes
def test_nodes_of_a_hidden_volume_are_said_not_to_show(api, frame):
    from pvd_blender.render.node_preview import NodePreview
    from pvd_blender.render.render_engine import shown_field

    volume = api.extract_volume(frame, resolution=16)
    api.add_field_erase(frame, (0.4, 0, 0))
    assert not shown_field(bpy.context.evaluated_depsgraph_get(), NodePreview()).note
    volume.hide_viewport = True
    bpy.context.view_layer.update()
    shown = shown_field(bpy.context.evaluated_depsgraph_get(), NodePreview())
    assert "while it is hidden" in shown.note and shown.edits == []


@needs_nodes
def test_a_volume_with_nodes_is_merged_only_once_they_are_applied(api, frame):
    volume = api.extract_volume(frame, resolution=16)
    api.add_field_erase(frame, (0.4, 0, 0))
    with pytest.raises(api.ConvertFieldError, match="apply the edits first"):
        api.merge(frame, [volume, volume])
