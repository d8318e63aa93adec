"""Two scenes of one file, each with a capture of its own, keep to themselves."""

import shutil

import bpy
import pytest
import small_capture


@pytest.fixture
def scenes(api, capture, tmp_path):
    """The two scenes and their frames; the second scene is open."""
    first = bpy.context.scene
    left = api.import_capture(capture)
    second = bpy.data.scenes.new("Second")
    bpy.context.window.scene = second
    right = api.import_capture(small_capture.write(tmp_path / "other"))
    return first, second, left, right


def test_each_scene_names_its_own_capture(scenes):
    from pvd_blender.state.properties import active_frame

    first, second, left, right = scenes
    assert first.convert_field.frame == left and second.convert_field.frame == right
    assert active_frame(bpy.context) == right
    bpy.context.window.scene = first
    assert active_frame(bpy.context) == left


def test_what_is_made_for_a_capture_stays_in_its_scene(scenes, api):
    first, second, left, right = scenes
    before = set(second.objects)
    field = api.train(left, "hash", preset="small", steps=2)
    volume = api.extract_volume(left, resolution=16)
    shape = api.add_shape(left, "erase", "box")
    assert volume.name in first.objects and shape.name in first.objects
    assert set(second.objects) == before
    assert [item.path for item in left.convert_field.fields] == [str(field)]
    assert not right.convert_field.fields
    assert api.collect_edits(right) == [] and len(api.collect_edits(left)) == 1


def test_each_scene_renders_its_own_field(teacher, scenes, api, tmp_path):
    from pvd_blender.render.node_preview import NodePreview
    from pvd_blender.render.render_engine import shown_field

    first, second, left, right = scenes
    copy = shutil.copy(teacher, tmp_path / "copy.safetensors")
    for frame, field in ((left, teacher), (right, copy)):
        api.add_field(frame, field)
    for scene, field in ((first, teacher), (second, copy), (first, teacher)):
        bpy.context.window.scene = scene
        assert shown_field(bpy.context.evaluated_depsgraph_get(), NodePreview()).path == field


def test_captures_of_one_name_keep_their_jobs_apart(scenes, api, tmp_path, capture):
    _, _, _, right = scenes
    twin = api.import_capture(small_capture.write(tmp_path / "deep" / "other"))
    fields = [api.train(frame, "hash", preset="small", steps=1) for frame in (right, twin)]
    assert fields[0] != fields[1] and all(path.is_file() for path in fields)
    assert [len(frame.convert_field.fields) for frame in (right, twin)] == [1, 1]
