"""What the engine can do is what the panels offer: architectures, options, edits, merging."""

import ast
import json
import webbrowser
from pathlib import Path

import bpy
import numpy as np
import pytest
from engine_run import printed
from in_window import in_a_window
from mathutils import Euler, Matrix, Vector

from pvd_blender.engine import environment

OPERATORS = bpy.ops.convert_field
HERE = Matrix.LocRotScale(Vector((1, 2, 0)), Euler((0, 0, 0.5)), Vector((1, 1, 1)))
THERE = Matrix.LocRotScale(Vector((-1, 0, 3)), Euler((0.3, 0.2, 0)), Vector((2, 2, 2)))
CELLS = 48


def settings():
    return bpy.context.scene.convert_field


@pytest.fixture(scope="session")
def engine(warm_python):
    """The engine's command line; returns what it answers with ``--json``."""

    def ask(*arguments):
        told = printed(warm_python, "-m", "pvd_engine", *arguments, "--json")
        return json.loads(told.splitlines()[-1])

    return ask


@pytest.fixture
def frame(trained):
    """The capture, with the field of the ball in its list."""
    return trained


def newest(frame):
    return frame.convert_field.fields[-1]


def request_of(item):
    return json.loads((Path(item.path).parent / "request.json").read_text())["arguments"]


# Architectures and options ----------------------------------------------------------------------


def test_the_panels_offer_the_engines_operations_and_options(add_on, warm_python):
    from pvd_blender.state.engine_options import ARCHITECTURES, AUTO, TABLE, changed_options
    from pvd_blender.state.settings import ALONE

    told = json.loads(
        printed(
            warm_python,
            "-c",
            "import json, pvd_engine\n"
            "from pvd_engine.edit.edit_list import OPERATIONS\n"
            "print(json.dumps([list(OPERATIONS), pvd_engine.__file__]))",
        )
    )
    operations, where = told
    assert Path(where).is_relative_to(environment.engine_sources())

    def offered(group, name):
        return [item.identifier for item in group.bl_rna.properties[name].enum_items]

    values = settings()
    trainable = [name for name, entry in ARCHITECTURES.items() if not entry["target_only"]]
    assert offered(values.teacher, "architecture") == trainable
    assert offered(values.student, "architecture") == list(ARCHITECTURES)
    joined = [name for name, entry in ARCHITECTURES.items() if entry["joined"]]
    assert "gaussians" in trainable and "gaussians" not in joined
    for making in (values.teacher, values.student):
        assert offered(making, "parallel") == [ALONE, *joined]
    assert sorted(offered(values, "edit_operation")) == sorted(operations)
    for name, entry in TABLE["options"]["convert"].items():
        chosen = [AUTO if value is None else value for value, _, _ in entry["choices"]]
        if chosen:
            assert offered(values.student, name) == chosen
    image_sizes = bpy.types.Object.bl_rna.properties["convert_field"].fixed_type.properties
    assert image_sizes["downscale"].default == AUTO
    assert changed_options("convert", values.student.distilling()) == {}
    for architecture in ("light_field", "gaussians"):
        values.student.architecture = architecture
        assert changed_options("convert", values.student.distilling()) == {}


def test_only_options_that_differ_from_the_engines_defaults_are_sent(add_on):
    from pvd_blender.errors import ConvertFieldError
    from pvd_blender.state.engine_options import changed_options

    given = {"stages": "23", "hard_rays": True, "ray_points": 16, "seed": 3}
    assert changed_options("convert", given) == {"stages": "23", "seed": 3}
    with pytest.raises(ConvertFieldError, match="no option 'stage'"):
        changed_options("convert", {"stage": "23"})


def test_a_composition_is_trained_and_converted_by_the_buttons(frame, engine, monkeypatch):
    values = settings()
    values.show_volume = False
    for making in (values.teacher, values.student):
        making.preset, making.limit, making.steps = "small", "STEPS", 2
    values.teacher.architecture, values.teacher.parallel = "hash", "cp"
    OPERATORS.train()
    trained = newest(frame)
    assert trained.name == "Teacher hash+cp"
    assert engine("info", trained.path)["field"]["architecture"]["name"] == "hash+cp"
    assert not OPERATORS.open_report.poll()

    frame.convert_field.active_field = 0
    student = values.student
    student.architecture, student.stages, student.max_size = "vm", "23", " 3MB "
    student.report_budget = "90s"
    student.hard_rays, student.density_constraint, student.projection = False, False, False
    OPERATORS.convert()
    made = newest(frame)
    assert engine("info", made.path)["field"]["architecture"]["name"] == "vm"
    told = request_of(made)
    assert (told["stages"], told["max_size"]) == ("23", "3MB") and "through" not in told
    assert told["report_budget"] == "90s"
    assert "hard_poses" not in told, "what is as the engine has it is not sent"
    assert not told["hard_rays"]
    assert not told["density_constraint"] and not told["projection"]

    report = Path(made.report)
    assert report.name == "vm.report.html" and report.is_file()
    opened = []
    monkeypatch.setattr(webbrowser, "open", opened.append)
    OPERATORS.open_report()
    assert opened == [report.as_uri()]
    report.unlink()
    assert not OPERATORS.open_report.poll()


def test_a_light_field_is_made_and_rendered_and_nothing_else(frame, engine, api):
    values = settings()
    student = values.student
    student.architecture, student.parallel, student.max_size = "light_field", "vm", "1MB"
    student.preset, student.limit, student.steps = "small", "STEPS", 2
    student.ray_points, student.report = 4, False
    OPERATORS.convert()
    made = newest(frame)
    assert (made.name, made.role, made.volume) == ("Light Field", "LIGHT", None)
    described = engine("info", made.path)["field"]
    assert described["kind"] == "light_field" and described["architecture"]["ray"]["points"] == 4
    for button in (OPERATORS.convert, OPERATORS.apply_edits, OPERATORS.extract_volume):
        assert not button.poll()
    frame.convert_field.active_field = len(frame.convert_field.fields) - 1
    camera = next(item for item in frame.children if item.name.startswith("train"))
    api.look_through(camera)
    assert api.render(frame) is not None
    from pvd_blender.jobs.session import session

    assert "outside" not in session().message
    camera.location *= 3
    bpy.context.view_layer.update()
    assert api.render(frame) is not None
    assert "outside the region" in session().message


def test_an_architecture_or_a_size_that_there_is_not_is_one_sentence(api, frame):
    with pytest.raises(api.ConvertFieldError, match="No architecture is called 'dream'"):
        api.convert(frame, "hash+dream", steps=2)
    with pytest.raises(api.ConvertFieldError, match="'much' is no file size"):
        api.convert(frame, "mlp", steps=2, max_size="much")


# Edits ------------------------------------------------------------------------------------------


def density(engine, field, folder):
    """Return the cells' centres (N, 3), dataset frame, and what each of them holds."""
    path = folder / f"{Path(field).stem}.npz"
    engine("volume", field, "--resolution", CELLS, "--out", path)
    with np.load(path) as volume:
        amount, (low, high) = volume["density"].astype(np.float64), volume["box"]
    size = (high - low) / amount.shape
    index = np.stack(np.meshgrid(*map(np.arange, amount.shape), indexing="ij"), axis=-1)
    cells = (low + (index + 0.5) * size).reshape(-1, 3)
    return cells, amount.ravel() * size.prod()


def middle(cells, amount):
    return amount @ cells / amount.sum()


def placed(matrix, point):
    return (np.array(matrix, dtype=np.float64) @ [*point, 1])[:3]


def test_the_engine_reads_every_edit_that_shapes_make(api, frame, warm_python, tmp_path):
    from pvd_blender.scene.edit_properties import OPERATIONS as EDITS

    frame.matrix_world = THERE
    values = {"factor": 0.5, "color": (1, 0.5, 0), "soft": 0.1}
    for op, _, _ in EDITS:
        api.add_shape(frame, op, "box", (1, 2, 3), **values)
    path = tmp_path / "edits.json"
    path.write_text(json.dumps(api.collect_edits(frame)))
    read = printed(
        warm_python,
        "-c",
        "import sys, pathlib\nfrom pvd_engine.edit.edits_json import read_edits\n"
        "print([e.operation for e in read_edits(pathlib.Path(sys.argv[1]))])",
        path,
    )
    assert sorted(ast.literal_eval(read)) == sorted(op for op, _, _ in EDITS)


def test_what_a_shape_holds_is_seen_where_its_target_stands(api, frame, engine, tmp_path):
    frame.matrix_world = THERE
    settings().show_volume = False
    # A piece of the ball's surface, of which the engine samples less than of the ball.
    piece = api.add_shape(frame, "keep", "box", THERE @ Vector((0, 0, 0.9)))
    piece.scale = (0.3, 0.3, 0.3)
    before = middle(*density(engine, api.apply_edits(frame), tmp_path))
    bpy.context.scene.cursor.location = THERE.translation
    OPERATORS.add_shape(op="move", shape="box")
    item = bpy.context.active_object
    item.scale = (2, 2, 2)
    bpy.context.view_layer.update()
    target = item.convert_field.shape.target
    target.matrix_world = Matrix.Translation((0, 0, 9)) @ item.matrix_world
    target.scale = (1, 1, 1)
    frame.convert_field.active_field = 0
    OPERATORS.apply_edits()
    assert newest(frame).role == "EDITED"
    after = middle(*density(engine, newest(frame).path, tmp_path))
    moved = np.linalg.inv(np.array(THERE, dtype=np.float64))[:3, :3] @ [0, 0, 9]
    assert np.allclose(after, before + moved, atol=0.05)


# Merging ----------------------------------------------------------------------------------------


@pytest.fixture
def volumes(api, frame, capture, teacher):
    """The ball's volume in two captures that stand in different places."""
    other = api.import_capture(capture)
    api.add_field(other, teacher)
    frame.matrix_world, other.matrix_world = HERE, THERE
    first, second = (api.extract_volume(item, resolution=24) for item in (frame, other))
    bpy.context.view_layer.update()
    return first, second


def select(*items):
    bpy.ops.object.select_all(action="DESELECT")
    for item in items:
        item.select_set(True)
    bpy.context.view_layer.objects.active = items[-1]


def test_merged_fields_lie_where_their_volumes_stand(api, volumes, teacher, engine, tmp_path):
    first, second = volumes
    first.matrix_world = Matrix.Translation((0, 0, -7)) @ first.matrix_world
    select(first, second)
    settings().volume_resolution = 24
    OPERATORS.merge_fields()
    other = second.parent
    merged = newest(other)
    assert (merged.name, merged.role) == ("Merged", "MERGED")
    assert merged.volume.parent == other and not merged.volume.hide_viewport
    assert first.hide_viewport and second.hide_viewport, "the parts would show once more"

    cells, amount = density(engine, teacher, tmp_path)
    center, mass = middle(cells, amount), amount.sum()
    there = np.linalg.inv(np.array(THERE, dtype=np.float64))
    goal = placed(there, placed(HERE, center) - (0, 0, 7))
    cells, amount = density(engine, merged.path, tmp_path)
    near = np.linalg.norm(cells - goal, axis=1) < np.linalg.norm(cells - center, axis=1)
    assert np.allclose(middle(cells[near], amount[near]), goal, atol=0.05)
    assert np.allclose(middle(cells[~near], amount[~near]), center, atol=0.05)
    # Half as long in the merged frame: an eighth of the room, and twice as dense.
    assert amount[~near].sum() == pytest.approx(mass, rel=0.1)
    assert amount[near].sum() == pytest.approx(mass / 4, rel=0.1)
    (_, stays) = json.loads((Path(merged.path).parent / "placements.json").read_text())
    assert np.array_equal(stays, np.eye(4)), "what was not moved is placed exactly"


def test_a_copy_of_a_volume_is_merged_and_a_merged_field_is_converted(api, volumes):
    _, second = volumes
    copy = second.copy()
    bpy.context.scene.collection.objects.link(copy)
    copy.location.x += 4
    path = api.merge(second.parent, [second, copy])
    told = request_of(newest(second.parent))
    assert told["fields"] == [second.convert_field.shown_field] * 2
    api.convert(second.parent, "hash", path, preset="small", steps=2)
    # Its own file says from where both are seen; the capture's cameras see one of them.
    assert "capture" not in request_of(newest(second.parent))


def test_merging_from_a_window_can_be_undone(api, volumes, session, monkeypatch):
    first, second = volumes
    uid, names = second.parent.convert_field.uid, {item.name for item in bpy.data.objects}
    select(first, second)
    settings().volume_resolution = 24
    bpy.ops.ed.undo_push(message="Before")
    in_a_window(OPERATORS.merge_fields, session, monkeypatch)
    assert session.error is None and session.message.startswith("Made 'Merged'")
    assert len({item.name for item in bpy.data.objects} - names) == 1
    bpy.ops.ed.undo()
    bpy.ops.ed.undo()
    from pvd_blender.state.properties import find_frame

    assert {item.name for item in bpy.data.objects} == names
    assert [item.name for item in find_frame(uid).convert_field.fields] == ["Teacher hash"]
    assert not any(item.hide_viewport for item in bpy.data.objects if item.type == "VOLUME")


def test_a_stretched_volume_and_too_few_volumes_are_refused(api, volumes):
    first, second = volumes
    select(first)
    assert not OPERATORS.merge_fields.poll()
    first.scale = (1, 1, 2)
    select(first, second)
    with pytest.raises(RuntimeError, match=f"{first.name}.*stretched, sheared or mirrored"):
        OPERATORS.merge_fields()
    with pytest.raises(api.ConvertFieldError, match="shows no field"):
        api.merge(second.parent, [second, second.parent])
    with pytest.raises(api.ConvertFieldError, match="at least two fields"):
        api.merge(second.parent, [second])
    skewed = np.diag([1.0, 2.0, 1.0, 1.0])
    path = second.convert_field.shown_field
    with pytest.raises(api.ConvertFieldError, match="shears or scales unevenly"):
        api.merge(second.parent, [(path, np.eye(4)), (path, skewed)])
