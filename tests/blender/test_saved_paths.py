"""A .blend keeps paths as seen from its own folder; a project that is moved is found again."""

import shutil

import bpy
import pytest
import small_capture


@pytest.fixture
def project(tmp_path, api):
    """A folder with a capture, a field and a file that shows both."""
    folder = tmp_path / "project"
    small_capture.write(folder / "ball")
    frame = api.import_capture(folder / "ball")
    field = folder / "hash.safetensors"
    field.touch()
    item = frame.convert_field.fields.add()
    item.name, item.path, item.report = "Teacher", str(field), str(folder / "r.html")
    (folder / "scene").mkdir()
    bpy.ops.wm.save_as_mainfile(filepath=str(folder / "scene" / "ball.blend"))
    return folder


def state():
    frame = bpy.context.scene.convert_field.frame
    camera = next(item for item in frame.children if item.type == "CAMERA")
    return frame, frame.convert_field.fields[0], camera


def test_while_a_file_is_open_its_paths_are_whole(project):
    frame, field, camera = state()
    assert frame["pvd_capture"] == str(project / "ball")
    assert field.path == str(project / "hash.safetensors")
    assert camera.data["pvd_camera"]["image_path"].startswith(str(project))


def test_a_moved_project_is_found_again(project, tmp_path, api):
    bpy.ops.wm.read_homefile(use_empty=True)
    moved = tmp_path / "elsewhere" / "project"
    moved.parent.mkdir()
    shutil.move(project, moved)
    bpy.ops.wm.open_mainfile(filepath=str(moved / "scene" / "ball.blend"))
    frame, field, camera = state()
    assert frame["pvd_capture"] == str(moved / "ball")
    assert field.path == str(moved / "hash.safetensors")
    assert field.report == str(moved / "r.html")
    assert field.parent == "", "what is empty stays so"
    image = camera.data.background_images[0].image
    assert bpy.path.abspath(image.filepath).startswith(str(moved)) and image.size[0] > 0
    assert camera.data["pvd_camera"]["image_path"].startswith(str(moved))


def test_saving_elsewhere_keeps_what_was_meant(project, tmp_path, api):
    bpy.ops.wm.save_as_mainfile(filepath=str(tmp_path / "copy.blend"))
    bpy.ops.wm.read_homefile(use_empty=True)
    bpy.ops.wm.open_mainfile(filepath=str(tmp_path / "copy.blend"))
    frame, field, _ = state()
    assert frame["pvd_capture"] == str(project / "ball")
    assert field.path == str(project / "hash.safetensors")


def test_who_wants_whole_paths_in_files_keeps_them(project, tmp_path, api, monkeypatch):
    monkeypatch.setattr(bpy.context.preferences.filepaths, "use_relative_paths", False)
    bpy.ops.wm.save_as_mainfile(filepath=str(project / "scene" / "whole.blend"))
    moved = tmp_path / "whole.blend"
    shutil.move(project / "scene" / "whole.blend", moved)
    bpy.ops.wm.open_mainfile(filepath=str(moved))
    assert state()[1].path == str(project / "hash.safetensors")


def test_a_linked_capture_is_found_from_its_librarys_folder(project, tmp_path, api):
    bpy.ops.wm.read_homefile(use_empty=True)
    library = str(project / "scene" / "ball.blend")
    with bpy.data.libraries.load(library, link=True, relative=True) as (source, target):
        target.objects = [name for name in source.objects if name.endswith("frame")]
    bpy.context.scene.collection.objects.link(target.objects[0])
    (tmp_path / "other").mkdir()
    bpy.ops.wm.save_as_mainfile(filepath=str(tmp_path / "other" / "linking.blend"))
    bpy.ops.wm.open_mainfile(filepath=str(tmp_path / "other" / "linking.blend"))
    frame = next(item for item in bpy.data.objects if item.library is not None)
    assert frame["pvd_capture"] == str(project / "ball")
    assert frame.convert_field.fields[0].path == str(project / "hash.safetensors")
