"""A .blend from a stranger chooses no folder that is written to, and no page that is opened."""

import ast
import contextlib
import os
import time
import webbrowser
from pathlib import Path

import bpy
import pytest
import small_capture

OPERATORS = bpy.ops.convert_field
NAMED = ("pvd_work_folder",)
"""Custom properties by which a file once named a folder for the add-on's work."""


@pytest.fixture
def stranger(api, capture, tmp_path):
    """A file whose frame, fields and cameras name a folder outside everything the user chose."""
    hostile = tmp_path / "hostile"
    (tmp_path / "theirs").mkdir()
    teacher = bpy.context.scene.convert_field.teacher
    teacher.preset, teacher.limit, teacher.steps = "small", "STEPS", 2
    bpy.context.scene.convert_field.show_volume = False
    frame = api.import_capture(capture)
    for key in NAMED:
        frame[key] = str(hostile / "work")
    frame["pvd_name"] = f"..{os.sep}..{os.sep}hostile"
    item = frame.convert_field.fields.add()
    item.name, item.path = "Teacher", str(hostile / "a.safetensors")
    item.parent, item.report = str(hostile / "b.safetensors"), str(hostile / "r.html")
    item.picture = str(hostile / "a.png")
    camera = next(thing for thing in frame.children if thing.type == "CAMERA")
    camera.data["pvd_camera"]["distortion_model"] = "opencv"
    camera.data["pvd_camera"]["distortion"] = {"k1": 0.1}
    camera.data.background_images.clear()
    bpy.ops.wm.save_as_mainfile(filepath=str(tmp_path / "theirs" / "file.blend"))
    bpy.ops.wm.read_homefile(use_empty=True)
    api.configure(work_folder=tmp_path / "mine")
    bpy.ops.wm.open_mainfile(filepath=str(tmp_path / "theirs" / "file.blend"))
    return hostile


def frame_and_camera():
    frame = bpy.context.scene.convert_field.frame
    return frame, next(
        item
        for item in frame.children
        if item.type == "CAMERA" and item.data["pvd_camera"]["distortion_model"] == "opencv"
    )


def test_nothing_is_made_where_a_file_says(stranger, api, session, tmp_path, monkeypatch):
    frame, camera = frame_and_camera()
    session.look_for_unfinished(frame["pvd_name"])
    while session.pump():
        time.sleep(0.01)
    api.look_through(camera)
    behind = camera.data.background_images[0].image
    mine = tmp_path / "mine"
    assert bpy.path.abspath(behind.filepath).startswith(str(mine)), "the copy is the user's"
    for name in dir(OPERATORS):
        if name in ("set_up_engine", "cancel_set_up", "export_scene", "import_capture"):
            continue
        with contextlib.suppress(RuntimeError):  # most have nothing to work on
            getattr(OPERATORS, name)()
    assert not stranger.exists()
    assert [path.name for path in mine.iterdir() if path.is_dir()] == ["hostile"]


def test_a_field_is_trained_in_the_users_own_folder(stranger, api, tmp_path):
    frame, _ = frame_and_camera()
    made = api.train(frame, "hash", preset="small", steps=1)
    assert made.is_relative_to(tmp_path / "mine")
    assert not stranger.exists()


def test_volumes_read_back_are_kept_in_the_users_own_folder(stranger, api, tmp_path):
    from pvd_blender.jobs.tasks import capture_work_folder

    frame, _ = frame_and_camera()
    assert capture_work_folder(frame) == tmp_path / "mine" / "hostile"


def test_only_pages_in_the_work_folder_are_opened(stranger, api, tmp_path, monkeypatch):
    opened = []
    monkeypatch.setattr(webbrowser, "open", opened.append)
    frame, _ = frame_and_camera()
    item = frame.convert_field.fields[0]
    mine = tmp_path / "mine" / "toy" / "convert-1"
    mine.mkdir(parents=True)
    page = mine / "a.report.html"
    outside = tmp_path / "outside.html"
    for file in (page, outside, mine / "a.sh", mine / "a.desktop"):
        file.write_text("<p>a page</p>")
    (mine / "link.html").symlink_to(outside)
    (mine / "page.html").symlink_to(mine / "a.sh")
    (mine / "folder.html").mkdir()
    for refused in (
        str(outside), str(mine / "link.html"), str(mine / "page.html"), str(mine / "a.sh"),
        str(mine / "a.desktop"), str(mine / "folder.html"), f"{mine}/../../../outside.html",
        "https://example.org/a.html", f"file://{page}", "javascript:alert(1)//.html", "x" * 9000,
        "a\x1b.html", "outside.html",
    ):  # fmt: skip
        item.report = refused
        assert not OPERATORS.open_report.poll(), refused
    item.report = str(page)
    assert OPERATORS.open_report() == {"FINISHED"}
    assert opened == [page.as_uri()]


def test_a_files_paths_of_any_length_do_not_break_the_panels(stranger, api):
    from test_panels import drawn, panels

    frame, _ = frame_and_camera()
    item = frame.convert_field.fields[0]
    for path in ("x" * 9000, "/" + "y/" * 5000, "\x1b[2J", "//"):
        item.path = item.parent = item.picture = item.report = path
        frame.convert_field.summary = frame.convert_field.notes = path
        for panel in panels().values():
            drawn(panel)
        assert not OPERATORS.render.poll()
    for number in (float("inf"), float("nan"), -float("inf"), 3e38):
        item.seconds = item.psnr_to_source.psnr = number
        item.psnr_to_source.measured_on = "1 view"
        for panel in panels().values():
            drawn(panel)


def test_values_that_this_version_does_not_know_are_drawn(stranger, api):
    from test_panels import drawn, panels

    if bpy.app.version >= (5, 0, 0):
        pytest.skip("scripts cannot write such values here")
    frame, _ = frame_and_camera()
    shape = api.add_shape(frame, "erase", "box")
    values = bpy.context.scene.convert_field
    frame.convert_field.fields[0]["role"] = 99
    shape.convert_field.shape["op"] = values["edit_operation"] = 99
    values.teacher["architecture"] = values.student["architecture"] = 99
    for panel in panels().values():
        drawn(panel)


def test_a_frame_without_the_values_of_its_file_is_not_exported(stranger, api):
    from pvd_blender.scene.frame import file_frame

    frame, _ = frame_and_camera()
    assert len(file_frame(frame)["applied_transform"]) == 3
    for value in ("x", [1.0, 2.0], [float("nan")] * 12):
        frame["pvd_applied_transform"] = value
        with pytest.raises(api.SceneError, match="import the capture again"):
            file_frame(frame)


def test_captures_beside_a_hostile_one_still_work(stranger, api, tmp_path):
    other = api.import_capture(small_capture.write(tmp_path / "other"))
    assert api.train(other, "hash", preset="small", steps=1).is_file()


# What is printed --------------------------------------------------------------------------------

PRINTS = {"print", "print_exc", "print_exception", "print_stack", "basicConfig", "getLogger"}
STREAMS = {"stdout", "stderr"}


def test_only_one_function_prints():
    package = Path(__file__).resolve().parents[2] / "pvd_blender"
    found = set()
    for path in package.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            function = node.func if isinstance(node, ast.Call) else None
            called = getattr(function, "id", getattr(function, "attr", ""))
            is_stream = isinstance(node, ast.Attribute) and node.attr in STREAMS
            if called in PRINTS or (is_stream and getattr(node.value, "id", "") == "sys"):
                found.add(path.name)
    assert found == {"texts.py"}


def test_names_of_files_reach_neither_terminal_nor_report(api, tmp_path, capsys):
    name = "ball\x1b]0;owned\x07\u202e\x9b2J"
    try:
        small_capture.write(tmp_path / name)
    except (OSError, ValueError):
        pytest.skip("this file system takes no such names")
    with contextlib.suppress(api.ConvertFieldError):  # the engine may refuse it
        api.import_capture(tmp_path / name)
    with pytest.raises(api.ConvertFieldError) as refused:
        api.add_field(api.import_capture(small_capture.write(tmp_path / "ball")), tmp_path / name)
    with pytest.raises(RuntimeError) as reported:
        OPERATORS.import_capture(filepath=str(tmp_path / f"{name} missing"))
    shown = capsys.readouterr()
    for text in (shown.out, shown.err, str(refused.value), str(reported.value)):
        assert not {"\x1b", "\x07", "\u202e", "\x9b"} & set(text)
    assert "\\u001b]0;owned\\u0007\\u202e" in str(refused.value)
