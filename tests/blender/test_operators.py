"""Registration, buttons and the api: the same things happen whichever way they are asked for."""

import ast
import inspect
import sys
from pathlib import Path

import bpy
import numpy as np
import pytest
from in_window import in_a_window, pump_to_the_end
from long_training import end_soon, train_until_told

ROOT = Path(__file__).resolve().parents[2]
ADD_ON = ROOT / "pvd_blender"
OPERATORS = bpy.ops.convert_field
IN_BLENDER = {
    "bl_operators",
    "bl_ui",
    "blf",
    "bmesh",
    "bpy",
    "bpy_extras",
    "gpu",
    "gpu_extras",
    "mathutils",
    "numpy",
    "openvdb",
    "pyopenvdb",
}


@pytest.fixture
def frame(api, capture):
    return api.import_capture(capture)


def settings():
    return bpy.context.scene.convert_field


# Registration -----------------------------------------------------------------------------------


def registered():
    names = {name for name in dir(bpy.types) if name.startswith("CONVERT_FIELD_")}
    names |= {f"convert_field.{name}" for name in dir(OPERATORS)}
    for cls in (bpy.types.Scene, bpy.types.Object):
        names |= {f"{cls.__name__}.convert_field"} & {f"{cls.__name__}.{n}" for n in dir(cls)}
    values = [getattr(bpy.app.handlers, name) for name in dir(bpy.app.handlers)]
    lists = [value for value in values if isinstance(value, list)]
    modules = [getattr(item, "__module__", "") for handlers in lists for item in handlers]
    ours = ("pvd_blender.", "bl_ext.user_default.convert_field.")
    return names, sum(module.startswith(ours) for module in modules)


def test_unregistering_leaves_nothing_and_registering_again_works(add_on):
    full = registered()
    assert len(full[0]) > 15 and full[1] >= 4
    for _ in range(2):
        add_on.unregister()
        assert registered() == (set(), 0)
        add_on.register()
        assert registered() == full


def test_a_failing_registration_is_raised_and_taken_back(add_on, monkeypatch):
    from pvd_blender.api import commands

    def fail():
        raise ValueError("no commands today")

    add_on.unregister()
    monkeypatch.setattr(commands, "register", fail)
    with pytest.raises(ValueError, match="no commands today"):
        add_on.register()
    left = registered()
    monkeypatch.undo()
    add_on.register()
    assert left == (set(), 0)


def test_every_button_and_setting_has_a_tooltip(add_on):
    from pvd_blender.state import properties
    from pvd_blender.ui.operators import CLASSES
    from pvd_blender.ui.panels import preferences

    for cls in CLASSES:
        assert cls.bl_idname.startswith("convert_field.")
        described = getattr(cls, "bl_description", "") or hasattr(cls, "description")
        assert described, f"{cls.bl_idname} has no tooltip"
    for cls in (*properties.CLASSES, *preferences.CLASSES):
        own = {name for base in cls.__mro__ for name in getattr(base, "__annotations__", ())}
        for prop in cls.bl_rna.properties:
            if prop.identifier in own:
                assert prop.description, f"{cls.__name__}.{prop.identifier} has no tooltip"


def test_the_add_on_imports_nothing_but_blender_numpy_and_the_standard_library():
    for path in ADD_ON.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            names = []
            if isinstance(node, ast.Import):
                names = [alias.name for alias in node.names]
            elif isinstance(node, ast.ImportFrom) and node.level == 0:
                names = [node.module]
            for name in names:
                top = name.split(".")[0]
                assert top in IN_BLENDER or top in sys.stdlib_module_names, f"{path}: {name}"


def test_the_engine_never_imports_bpy():
    for path in (ROOT / "pvd_engine").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import | ast.ImportFrom):
                names = [alias.name for alias in node.names] + [getattr(node, "module", "") or ""]
                assert not any(name.split(".")[0] == "bpy" for name in names), path


# Why a button is greyed out ---------------------------------------------------------------------


def why_not(name):
    from pvd_blender.ui import operators

    cls = next(cls for cls in operators.CLASSES if cls.bl_idname == f"convert_field.{name}")
    return cls.why_not(bpy.context)


def test_without_an_engine_nothing_can_be_started_and_the_reason_is_said(add_on):
    assert "Engine" in why_not("import_capture") or "engine" in why_not("import_capture")
    assert not OPERATORS.import_capture.poll()
    assert not OPERATORS.check_engine.poll()


def test_without_a_capture_or_a_field_the_reason_is_said(api, capture):
    assert why_not("import_capture") is None
    assert "import one first" in why_not("train")
    assert "import one first" in why_not("add_shape")
    frame = api.import_capture(capture)
    assert why_not("train") is None and why_not("add_shape") is None
    assert "train a teacher first" in why_not("convert")
    item = frame.convert_field.fields.add()
    item.path = "/nowhere/at.all"
    assert "missing" in why_not("convert")
    assert "no camera" in why_not("render")


def test_what_is_started_while_a_job_runs_waits_for_its_turn(api, capture, session, tmp_path):
    from pvd_blender.jobs import tasks

    session.start(tasks.importing(capture))
    for path in (tmp_path / "nothing", capture, tmp_path / "dropped"):
        session.start(tasks.importing(path))
    assert why_not("import_capture") is None
    assert len(session.queue) == 3
    assert OPERATORS.unqueue(index=2) == {"FINISHED"}
    with pytest.raises(RuntimeError, match="not in the queue"):
        OPERATORS.unqueue(index=2)
    pump_to_the_end(session)
    assert not session.queue
    assert sum("pvd_capture" in item for item in bpy.data.objects) == 2
    assert "nothing" in session.error.sentence, "and a failure stays to be read"


def test_cancelling_goes_on_with_what_waits(api, capture, session):
    from pvd_blender.jobs import tasks

    frame = api.import_capture(capture)
    session.start(
        tasks.training(
            frame, tasks.FieldSettings("hash", options={"steps": 100000}), {"device": "cpu"}
        )
    )
    session.start(tasks.importing(capture))
    api.cancel()
    pump_to_the_end(session)
    assert sum("pvd_capture" in item for item in bpy.data.objects) == 2
    assert session.error is None


def test_nobody_can_wait_for_a_second_job_while_one_runs(api, capture, session):
    from pvd_blender.jobs import tasks

    session.start(tasks.importing(capture))
    with pytest.raises(api.ConvertFieldError, match="A job is running"):
        api.import_capture(capture)
    assert why_not("cancel") is None
    pump_to_the_end(session)
    assert why_not("cancel") == "No job is running"


def test_in_background_mode_only_waiting_is_possible(api, capture):
    with pytest.raises(api.ConvertFieldError, match="background"):
        api.import_capture(capture, wait=False)


# Import -----------------------------------------------------------------------------------------


def described():
    """What is in the file, without what differs between two imports of one capture."""
    objects = {}
    for item in bpy.data.objects:
        matrix = np.array(item.matrix_basis).round(6).tolist()
        parent = item.parent.name if item.parent else None
        collections = sorted(c.name for c in item.users_collection)
        objects[item.name] = (item.type, parent, collections, matrix)
    return objects


def test_import_gives_cameras_images_frame_and_box(frame):
    cameras = [item for item in bpy.data.objects if item.type == "CAMERA"]
    assert len(cameras) == 10
    assert all(camera.data.background_images[0].image for camera in cameras)
    assert settings().frame == frame
    assert frame.convert_field.summary == "10 cameras: 8 train, 1 val, 1 test"
    assert "ball box" in bpy.data.objects


def test_the_button_imports_what_the_api_imports(api, capture, session, monkeypatch):
    api.import_capture(capture)
    by_api = described()
    for ways in ({"filepath": str(capture)}, {"directory": str(capture)}):
        bpy.ops.wm.read_homefile(use_empty=True)
        assert OPERATORS.import_capture(**ways) == {"FINISHED"}
        assert described() == by_api
    bpy.ops.wm.read_homefile(use_empty=True)
    in_a_window(OPERATORS.import_capture, session, monkeypatch, filepath=str(capture))
    assert described() == by_api
    assert session.message.startswith("Imported ball") and session.error is None


def test_the_cameras_of_some_splits_can_be_imported_alone(api, capture):
    OPERATORS.import_capture(filepath=str(capture), splits={"val", "test"})
    assert sum(item.type == "CAMERA" for item in bpy.data.objects) == 2
    frame = next(item for item in bpy.data.objects if "pvd_capture" in item)
    assert frame.convert_field.summary == "2 cameras: 1 val, 1 test"
    with pytest.raises(api.ConvertFieldError, match="no cameras of the chosen splits"):
        api.import_capture(capture, splits=())


def test_a_dropped_file_is_imported_without_asking(api, capture):
    handler = bpy.types.CONVERT_FIELD_FH_capture
    assert handler.bl_import_operator == "convert_field.import_capture"
    path = next(capture.glob("transforms_train.json"))
    assert path.suffix in handler.bl_file_extensions.split(";")
    assert OPERATORS.import_capture("INVOKE_DEFAULT", filepath=str(path)) == {"FINISHED"}
    assert sum("pvd_capture" in item for item in bpy.data.objects) == 1


def test_field_files_are_taken_into_the_list_and_out_of_it(api, trained, teacher, tmp_path):
    frame, field = trained, teacher
    state = frame.convert_field
    assert Path(state.fields[0].picture).is_file(), "as it was seen last"
    api.remove_field(frame)
    assert len(state.fields) == 0 and field.is_file()
    assert not OPERATORS.remove_field.poll()
    OPERATORS.add_field(filepath=str(field))
    assert [(item.path, item.role) for item in state.fields] == [(str(field), "TEACHER")]
    assert state.fields[0].architecture == "hash" and state.fields[0].seconds >= 0
    edits = [{"op": "erase", "region": {"box": {"min": [0, 0, 0], "max": [1, 1, 1]}}}]
    edited = api.apply_edits(frame, field, edits)
    api.remove_field(frame, edited)
    assert api.add_field(frame, edited) == edited
    assert api.add_field(frame, field) == field, "what is there is only selected"
    assert [item.role for item in state.fields] == ["TEACHER", "EDITED"]
    camera = next(item for item in frame.children if item.type == "CAMERA")
    image = api.compare(frame, edited, field, camera)
    assert image.size[0] > 3 * image.size[1] and image.name.startswith("Teacher")
    with pytest.raises(api.ConvertFieldError, match="not made from another"):
        api.compare(frame, field, camera=camera)
    assert state.active_field == 0
    wrong = tmp_path / "wrong.safetensors"
    for content in (b"", b"\xff" * 64, b"\x02\0\0\0\0\0\0\0{}"):
        wrong.write_bytes(content)
        with pytest.raises(api.ConvertFieldError, match="no field file"):
            api.add_field(frame, wrong)


def test_a_wrong_folder_is_one_sentence_and_leaves_the_scene_alone(api, tmp_path, session):
    before = described()
    with pytest.raises(api.ConvertFieldError) as failed:
        api.import_capture(tmp_path)
    assert str(tmp_path) in str(failed.value) and "Log: " in str(failed.value)
    with pytest.raises(RuntimeError) as reported:
        OPERATORS.import_capture(directory=str(tmp_path))
    assert str(reported.value).startswith("Error: ")
    assert "Traceback" not in str(reported.value)
    assert described() == before


def test_a_failure_in_a_window_is_kept_for_the_panel(api, tmp_path, session, monkeypatch):
    in_a_window(OPERATORS.import_capture, session, monkeypatch, filepath=str(tmp_path))
    assert str(tmp_path) in session.error.sentence
    assert session.error.log.is_file()
    assert OPERATORS.open_log.poll()
    OPERATORS.dismiss()
    assert session.error is None and not OPERATORS.open_log.poll()


def test_a_work_folder_that_cannot_be_written_is_one_sentence(api, capture, tmp_path):
    (tmp_path / "file").write_text("")
    api.configure(work_folder=tmp_path / "file")
    with pytest.raises(api.ConvertFieldError, match="work folder cannot be written"):
        api.import_capture(capture)


# Cameras ----------------------------------------------------------------------------------------


def test_looking_through_cameras_goes_round_and_sets_the_render_size(frame):
    cameras = [item for item in frame.children if item.type == "CAMERA"]
    bpy.context.scene.render.resolution_x = 999
    OPERATORS.look_through(offset=1)
    assert bpy.context.scene.camera == cameras[0]
    assert bpy.context.scene.render.resolution_x == 24
    OPERATORS.look_through(offset=1)
    assert bpy.context.scene.camera == cameras[1]
    OPERATORS.look_through(offset=-1)
    OPERATORS.look_through(offset=-1)
    assert bpy.context.scene.camera == cameras[-1]
    bpy.context.view_layer.objects.active = cameras[4]
    OPERATORS.look_through()
    assert bpy.context.scene.camera == cameras[4]


# Edit shapes ------------------------------------------------------------------------------------


def test_shapes_by_buttons_are_shapes_by_the_api(api, frame):
    bpy.context.scene.cursor.location = (0.1, 0.2, 0.3)
    api.add_shape(frame, "erase", "box")
    api.add_shape(frame, "keep", "sphere")
    by_api = api.collect_edits(frame)
    assert [edit["op"] for edit in by_api] == ["erase", "keep"]
    for item in [i for i in frame.children if i.name.startswith(("Erase", "Keep"))]:
        OPERATORS.remove_shape(name=item.name)
    assert api.collect_edits(frame) == []
    OPERATORS.add_shape(op="erase", shape="box")
    OPERATORS.add_shape(op="keep", shape="sphere")
    assert bpy.context.active_object.empty_display_type == "SPHERE"
    assert bpy.context.selected_objects == [bpy.context.active_object]
    by_buttons = api.collect_edits(frame)
    ids = {edit.pop("id") for edit in (*by_api, *by_buttons)}
    assert by_buttons == by_api and len(ids) == 4, "each shape is one of its own"


def test_selected_meshes_become_shapes_and_plain_meshes_again(api, frame):
    with pytest.raises(RuntimeError, match="No mesh is selected"):
        OPERATORS.add_shape(op="erase", shape="meshes")
    bpy.ops.mesh.primitive_ico_sphere_add(radius=0.5)
    mesh = bpy.context.active_object
    OPERATORS.add_shape(op="erase", shape="meshes")
    assert "mesh" in api.collect_edits(frame)[0]["region"]
    OPERATORS.remove_shape(name=mesh.name)
    assert api.collect_edits(frame) == [] and mesh.name in bpy.data.objects


def test_applying_without_shapes_or_field_is_one_sentence(api, frame):
    with pytest.raises(api.ConvertFieldError, match="train a teacher first"):
        api.apply_edits(frame)
    with pytest.raises(api.ConvertFieldError, match="no edit shape"):
        api.apply_edits(frame, field="/some/field.safetensors")


# The whole way ----------------------------------------------------------------------------------


def outcome(frame):
    """The fields and volumes that came of a run, but for where their files are."""
    from pvd_blender.state.figures import short

    rows = []
    for item in frame.convert_field.fields:
        volume = item.volume and (item.volume.name, item.volume.hide_render)
        figures = short(item.psnr_to_images), short(item.psnr_to_source)
        rows.append((item.name, item.role, Path(item.path).name, figures, volume))
    return rows


def by_api(api, capture):
    frame = api.import_capture(capture)
    api.train(frame, "hash", preset="small", steps=20, volume_resolution=24)
    api.add_shape(frame, "erase", "box", (0, 0, 1))
    api.apply_edits(frame, volume_resolution=24)
    api.convert(frame, "hash", preset="small", steps=2)
    with pytest.raises(api.ConvertFieldError, match="is not a camera"):
        api.render(frame, frame)
    api.look_through(next(item for item in frame.children if item.type == "CAMERA"))
    return frame, api.render(frame)


def by_buttons(capture):
    OPERATORS.import_capture(filepath=str(capture))
    values = settings()
    for making in (values.teacher, values.student):
        making.preset, making.limit = "small", "STEPS"
    values.teacher.steps, values.student.steps, values.volume_resolution = 20, 2, 24
    values.student.architecture = "hash"
    OPERATORS.train()
    bpy.context.scene.cursor.location = (0, 0, 1)
    OPERATORS.add_shape(op="erase", shape="box")
    OPERATORS.apply_edits()
    values.show_volume = False
    OPERATORS.convert()
    OPERATORS.look_through(offset=1)
    OPERATORS.render()
    return values.frame, next(i for i in bpy.data.images if i.name.startswith("Student"))


def test_buttons_do_what_the_api_does_from_capture_to_picture(api, capture, tmp_path, capfd):
    frame, picture = by_api(api, capture)
    first = outcome(frame)
    assert [(row[0], row[1]) for row in first] == [
        ("Teacher hash", "TEACHER"), ("Edited", "EDITED"), ("Student hash", "STUDENT"),
    ]  # fmt: skip
    (measured, none), nothing, (_, quality) = (row[3] for row in first)
    assert (
        float(measured.lstrip("~")) > 5
        and none == "–"
        and nothing == ("–", "–")
        and float(quality) > 5
    )
    shown = [row[4] and not row[4][1] for row in first]
    assert shown == [False, True, None], "only the newest volume is shown"
    assert tuple(picture.size) == (24, 24) and picture.channels == 4
    from pvd_blender.volume.vdb import openvdb_module

    printed = capfd.readouterr().out
    assert "Train Hash Grid: Trained 'Teacher hash'" in printed
    assert "Extracted the volume of 'Edited'" in printed
    assert ("has no OpenVDB module" in printed) == (openvdb_module() is None)

    path = tmp_path / "saved.blend"
    bpy.ops.wm.save_as_mainfile(filepath=str(path))
    bpy.ops.wm.read_homefile(use_empty=True)
    bpy.ops.wm.open_mainfile(filepath=str(path))
    assert outcome(settings().frame) == first, "the .blend keeps it all"

    bpy.ops.wm.read_homefile(use_empty=True)
    frame, picture = by_buttons(capture)
    second = outcome(frame)
    assert [row[:3] + row[4:] for row in second] == [row[:3] + row[4:] for row in first]
    assert tuple(picture.size) == (24, 24)


def test_applying_again_starts_from_the_field_that_was_edited(api, trained, teacher):
    frame = trained
    api.add_shape(frame, "erase", "sphere", (0, 0, 1))
    first = api.apply_edits(frame)
    second = api.apply_edits(frame)
    parents = {item.path: item.parent for item in frame.convert_field.fields}
    assert parents[str(first)] == parents[str(second)] == str(teacher)


def test_a_result_comes_to_its_capture_after_renaming_and_reopening(
    api, capture, session, tmp_path
):
    from pvd_blender.jobs import tasks

    frame = api.import_capture(capture)
    path = tmp_path / "saved.blend"
    bpy.ops.wm.save_as_mainfile(filepath=str(path))
    session.start(
        tasks.training(
            frame,
            tasks.FieldSettings("hash", options={"preset": "small", "steps": 2}),
            {"device": "cpu"},
        )
    )
    bpy.ops.wm.open_mainfile(filepath=str(path))
    settings().frame.name = "renamed"
    pump_to_the_end(session)
    assert session.error is None
    assert [item.name for item in settings().frame.convert_field.fields] == ["Teacher hash"]


def test_a_result_without_its_capture_says_where_it_is(api, capture, session):
    from pvd_blender.jobs import tasks

    frame = api.import_capture(capture)
    session.start(
        tasks.training(
            frame,
            tasks.FieldSettings("hash", options={"preset": "small", "steps": 2}),
            {"device": "cpu"},
        )
    )
    bpy.ops.wm.read_homefile(use_empty=True)
    pump_to_the_end(session)
    assert "no longer in this file" in str(session.error)
    assert "hash.safetensors" in str(session.error)


def test_a_cancelled_job_is_offered_and_resumed(api, capture, session):
    frame = api.import_capture(capture)
    job = train_until_told(session, frame)
    OPERATORS.cancel()
    pump_to_the_end(session)
    assert session.message.endswith("was cancelled") and len(session.unfinished) == 1
    assert not frame.convert_field.fields
    end_soon(job.folder, job.progress.step)
    OPERATORS.resume()
    assert [item.name for item in frame.convert_field.fields] == ["Teacher hash"]
    assert session.unfinished == []
    with pytest.raises(RuntimeError, match="no unfinished job"):
        OPERATORS.resume()


def test_a_cancelled_job_can_be_discarded(api, capture, session):
    train_until_told(session, api.import_capture(capture))
    api.cancel()
    pump_to_the_end(session)
    folder = session.unfinished[0].folder
    OPERATORS.discard(folder=str(folder))
    assert session.unfinished == []
    with pytest.raises(api.ConvertFieldError, match="no job that was stopped"):
        api.discard(folder)


# Commands ---------------------------------------------------------------------------------------


def test_the_command_line_imports_and_saves(api, capture, tmp_path, capsys):
    from pvd_blender.api.commands import run_command

    path = tmp_path / "made" / "ball.blend"
    assert run_command(["import", str(capture), "--save", str(path)]) == 0
    assert path.is_file()
    assert run_command(["import", str(tmp_path), "--save", str(path)]) == 1
    assert str(tmp_path) in capsys.readouterr().err


def test_the_api_says_what_it_offers(add_on):
    from pvd_blender import api

    for name in api.__all__:
        assert inspect.getdoc(getattr(api, name)), name
