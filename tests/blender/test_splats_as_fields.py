"""Fields as splats and splats as fields: jobs, the list of fields, frames without a capture."""

import bpy
import captures
import numpy as np
import pytest
import splat_engine
from in_window import in_a_window
from mathutils import Matrix
from splat_clouds import affine, cloud, same_bits
from splat_scene import PLACED, imported_by_blender, nearly_equal, needs_native, seen, select

from pvd_blender.errors import ConvertFieldError
from pvd_blender.scene.frame import create_frame
from pvd_blender.splats import native
from pvd_blender.splats.axes import RIGHT_DOWN_FORWARD
from pvd_blender.splats.cloud import transformed
from pvd_blender.splats.objects import show_splats
from pvd_blender.splats.ply import read_ply, write_ply
from pvd_blender.state.properties import frame_state

BOX = [[-2, -1, 0], [2, 1, 3]]


@pytest.fixture
def api(add_on, tmp_path):
    """The add-on's api with an engine that answers at once."""
    from pvd_blender import api

    write_ply(cloud(300), tmp_path / "answer.ply")
    python = splat_engine.program(
        tmp_path,
        **{
            "export": (tmp_path / "answer.ply").read_bytes(),
            "import": splat_engine.field_file(BOX),
        },
    )
    api.configure(engine_python=python)
    return api


@pytest.fixture
def frame(api, tmp_path):
    """A capture with a field in its list."""
    item = create_frame(captures.capture("toy", [], ((-1, -1, -1), (1, 1, 1)), root=tmp_path))
    frame_state(item)
    (tmp_path / "hash.safetensors").write_bytes(splat_engine.field_file(kind="radiance_field"))
    api.add_field(item, tmp_path / "hash.safetensors")
    bpy.context.scene.convert_field.frame = item
    return item


def work_folder():
    from pvd_blender.preferences import engine_settings

    return engine_settings().work_folder


def listed(frame):
    return [item.name for item in frame.convert_field.fields]


# Show as Splats ---------------------------------------------------------------------------------


def test_a_field_becomes_an_object_in_its_captures_frame(api, frame, session):
    frame.matrix_world = PLACED
    item = api.show_splats(frame, count=300)
    asked = splat_engine.asked(next(work_folder().rglob("splats.ply")))
    assert asked["verb"] == "export" and asked["arguments"]["to"] == "ply"
    assert asked["arguments"]["splats"] == 300 and asked["arguments"]["device"] == "cpu"
    assert asked["arguments"]["capture"] == frame["pvd_capture"]
    assert item.parent == frame and item.name == "toy Teacher hash splats"
    assert frame.convert_field.fields[0].splats == item
    assert "Made 300 splats of 'Teacher hash'" in session.message
    assert "The engine said something" in session.message
    if native.has_native_splats():
        assert nearly_equal(seen(item, frame=frame)[0], cloud(300), 1e-5)
        assert "display only" not in session.message
    else:
        assert len(item.data.vertices) == 300 and "for display only" in session.message
    assert api.show_splats(frame) == item, "showing again changes the same object"


def test_a_field_is_seen_once(api, frame):
    """Its volume is hidden where its splats show, and so are other fields of the capture."""
    field = frame.convert_field.fields[0]
    field.volume = bpy.data.objects.new("Volume", bpy.data.volumes.new("Volume"))
    bpy.context.collection.objects.link(field.volume)
    item = api.show_splats(frame)
    assert field.volume.hide_viewport and field.volume.hide_render
    assert not item.hide_viewport and not item.hide_render


def test_the_button_shows_splats_in_a_job(api, frame, session, monkeypatch):
    in_a_window(bpy.ops.convert_field.show_splats, session, monkeypatch)
    assert session.error is None and frame.convert_field.fields[0].splats is not None


def test_a_file_that_is_no_splats_is_one_sentence(api, frame, tmp_path):
    (tmp_path / "export").write_bytes(b"ply\nnothing")
    with pytest.raises(ConvertFieldError, match="header"):
        api.show_splats(frame)
    assert frame.convert_field.fields[0].splats is None


# Use as Field -----------------------------------------------------------------------------------


@needs_native
def test_an_edited_object_becomes_a_teacher_of_its_capture(api, frame, session):
    frame.matrix_world = PLACED
    item = show_splats(cloud(), "Cloud", frame)
    item.location = (0.25, 0, 0)
    path = api.use_as_field([item], frame)
    asked = splat_engine.asked(path)
    assert asked["verb"] == "import" and asked["arguments"]["capture"] == frame["pvd_capture"]
    baked, _ = read_ply(path.parent / "asked.ply")
    assert nearly_equal(baked, transformed(cloud(), affine(np.eye(3), (0.25, 0, 0)))[0])
    assert not (path.parent / "cloud.ply").exists(), "the engine has taken it in"
    assert listed(frame) == ["Teacher hash", "Teacher Cloud"]
    field = frame.convert_field.fields[1]
    assert field.path == str(path) and field.architecture == "gaussians" and field.role == "TEACHER"
    assert "Made 'Teacher Cloud' of Cloud" in session.message


@needs_native
def test_without_a_capture_the_field_gets_a_frame_of_its_own(api, session):
    item = show_splats(cloud(), "Cloud")
    item.matrix_world = PLACED
    path = api.use_as_field([item])
    assert "capture" not in splat_engine.asked(path)["arguments"]
    baked, _ = read_ply(path.parent / "asked.ply")
    assert nearly_equal(baked, transformed(cloud(), np.array(PLACED))[0])
    frame = bpy.context.scene.convert_field.frame
    assert frame.name == "Cloud frame" and frame.matrix_world == Matrix()
    assert list(frame["pvd_box"]) == [x for corner in BOX for x in corner]
    assert listed(frame) == ["Teacher Cloud"]
    assert "a frame of its own" in session.message


@needs_native
def test_the_button_takes_the_selected_objects(api, frame, session, monkeypatch):
    first, second = show_splats(cloud(30), "A", frame), show_splats(cloud(20), "B", frame)
    select(first, second)
    in_a_window(bpy.ops.convert_field.use_as_field, session, monkeypatch)
    assert session.error is None and len(listed(frame)) == 2
    baked, _ = read_ply(next(work_folder().rglob("asked.ply")))
    assert len(baked) == 50


@pytest.mark.parametrize(
    ("name", "axes", "turned"),
    [("a.ply", "BLENDER", False), ("a.ply", "3DGS", True), ("a.spz", "BLENDER", True)],
)
def test_a_file_becomes_a_field_that_stands_upright(api, tmp_path, name, axes, turned):
    write_ply(cloud(), tmp_path / name)
    path = api.use_as_field(tmp_path / name, axes=axes)
    assert splat_engine.asked(path)["arguments"]["cloud"] == str(tmp_path / name)
    frame = bpy.context.scene.convert_field.frame
    expected = np.linalg.inv(RIGHT_DOWN_FORWARD) if turned else np.eye(4)
    assert np.allclose(np.array(frame.matrix_world), expected)
    # "Up" of such a file is minus y; it has become Blender's.
    up = np.array(frame.matrix_world)[:3, :3] @ ([0, -1, 0] if turned else [0, 0, 1])
    assert np.allclose(up, [0, 0, 1])


def test_a_file_of_a_capture_comes_into_its_list(api, frame, tmp_path):
    write_ply(cloud(), tmp_path / "a.ply")
    bpy.ops.convert_field.import_splats(
        filepath=str(tmp_path / "a.ply"), use="FIELD", of_capture=True
    )
    assert listed(frame) == ["Teacher hash", "Teacher a"]
    bpy.ops.convert_field.import_splats(filepath=str(tmp_path / "a.ply"), use="FIELD")
    assert listed(frame) == ["Teacher hash", "Teacher a"], "without a tick it is not of the capture"
    assert listed(bpy.context.scene.convert_field.frame) == ["Teacher a"]


def test_a_frame_without_photographs_converts_and_does_not_train(api, tmp_path):
    from pvd_blender.jobs import tasks
    from pvd_blender.ui.operators.teacher import CONVERT_FIELD_OT_train

    write_ply(cloud(), tmp_path / "a.ply")
    path = api.use_as_field(tmp_path / "a.ply")
    frame = bpy.context.scene.convert_field.frame
    settings = tasks.FieldSettings("hash", 10.0)
    assert tasks.converting(frame, path, settings, {}).arguments["capture"] is None
    with pytest.raises(ConvertFieldError, match="no photographs"):
        tasks.training(frame, settings, {})
    assert "no photographs" in CONVERT_FIELD_OT_train.why_not(bpy.context)
    bpy.ops.wm.save_as_mainfile(filepath=str(tmp_path / "a.blend"))
    bpy.ops.wm.open_mainfile(filepath=str(tmp_path / "a.blend"))
    frame = bpy.context.scene.convert_field.frame
    assert frame["pvd_capture"] == "" and listed(frame) == ["Teacher a"]


# Save Splats ------------------------------------------------------------------------------------


@needs_native
@pytest.mark.parametrize("suffix", ["spz", "glb", "splat"])
def test_other_formats_are_written_by_the_engine(api, session, tmp_path, suffix):
    item = show_splats(cloud(), "Cloud")
    out = api.save_splats(tmp_path / f"a.{suffix}", [item])
    assert out == tmp_path / f"a.{suffix}" and out.is_file()
    folder = next(work_folder().rglob("asked.json")).parent
    given, _ = read_ply(folder / "asked.ply")
    upright = suffix == "splat"
    expected = cloud() if upright else transformed(cloud(), RIGHT_DOWN_FORWARD)[0]
    assert nearly_equal(given, expected, 1e-5)
    assert f"Saved a.{suffix}" in session.message and not (folder / "cloud.ply").exists()


@needs_native
def test_splats_of_a_field_are_saved_and_imported_where_they_are(api, frame, tmp_path):
    frame.matrix_world = PLACED
    item = api.show_splats(frame)
    api.save_splats(tmp_path / "a.ply", [item])
    again = imported_by_blender(tmp_path / "a.ply")
    assert nearly_equal(seen(again)[0], seen(item)[0])
    frame.matrix_world = Matrix()
    api.save_splats(tmp_path / "b.ply", [item])
    assert same_bits(seen(imported_by_blender(tmp_path / "b.ply"))[0], seen(item)[0])
