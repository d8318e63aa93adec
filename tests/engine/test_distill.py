"""Distillation: any architecture teaches any other, and nothing is copied unasked."""

import json

import numpy as np
import pytest
import torch
from analytic_field import AnalyticField, gaussian_blob
from short_teachers import make_teachers, run_convert
from stopping_job import StoppingJob

from pvd_engine.data.geometry.poses import PoseDistribution
from pvd_engine.data.readers import open_capture
from pvd_engine.distill.feature_match import match_features
from pvd_engine.distill.objective import DistillObjective
from pvd_engine.distill.ray_source import RaySource
from pvd_engine.distill.recipe import Recipe
from pvd_engine.distill.student import make_student
from pvd_engine.edit.edited_field import EditedField
from pvd_engine.edit.edits_json import parse_edits
from pvd_engine.errors import Cancelled, UserError
from pvd_engine.fields.architectures import architecture
from pvd_engine.fields.header import read_header
from pvd_engine.fields.storage import load_field
from pvd_engine.jobs.job import Job
from pvd_engine.render.render import render_image
from pvd_engine.train.batch_size import BatchSize
from pvd_engine.train.training import Training
from pvd_engine.verbs import edit as apply
from pvd_engine.verbs.edit import EditArguments


def to_source(result):
    """The PSNR to source of a conversion."""
    return result["figures"]["psnr_to_source"]["psnr"]


@pytest.fixture(scope="module")
def folder(shared, tmp_path_factory):
    """A folder with the ball's capture and two short teachers."""
    return make_teachers(shared, tmp_path_factory.mktemp("distill"), ["hash", "vm"])


@pytest.fixture(scope="module")
def plain(folder, tmp_path_factory):
    """What students of `vm` come to without any switch, by architecture."""
    paths = {to: tmp_path_factory.mktemp(to) for to in ("hash", "vm")}
    return {
        to: to_source(run_convert(folder, path, "vm", to=to, steps=40))
        for to, path in paths.items()
    }


@pytest.mark.parametrize(
    "options", [{"to": "vm+cp", "steps": 20}, {"max_size": "1MB", "to": "hash"}]
)
def test_compositions_and_smaller_copies_learn_too(folder, tmp_path, options):
    assert to_source(run_convert(folder, tmp_path, **options)) > 15
    if "max_size" in options:
        assert (tmp_path / "student.safetensors").stat().st_size <= 1_000_000


@pytest.mark.parametrize(
    "switches",
    [
        {"stages": "23"},
        {"stages": "13"},
        {"stages": "3"},
        {"hard_poses": False, "hard_rays": False},
        {"hard_points": False},
        {"projection": False, "to": "vm"},
    ],
)
def test_each_switch_changes_the_lesson_and_still_teaches(folder, plain, tmp_path, switches):
    switched = run_convert(folder, tmp_path, "vm", **{"to": "hash", "steps": 40} | switches)
    assert to_source(switched) > 12
    assert to_source(switched) != plain[switches.get("to", "hash")]


@pytest.mark.parametrize(("target", "bridged"), [("vm", False), ("sparse_tensor", True)])
def test_no_pair_loses_its_first_stage_for_a_reason_of_size(folder, tmp_path, target, bridged):
    assert run_convert(folder, tmp_path, to=target, steps=2)["stages"] == [1, 2, 3]
    teacher = load_field(folder / "hash.safetensors")
    student = load_field(tmp_path / "student.safetensors")
    match = match_features(teacher, student, torch.rand(50, 3) - 0.5)
    assert (match.bridge is not None) == bridged


def test_weights_are_copied_only_when_asked_and_then_named(folder, tmp_path):
    result = run_convert(folder, tmp_path, "vm", inherit=True, steps=1)
    assert "decoder.layers.0.weight" in result["inherited"]
    assert not any(name.startswith("encoder.") for name in result["inherited"])


def test_a_field_can_be_converted_without_its_capture(folder, tmp_path):
    assert to_source(run_convert(folder, tmp_path, capture=None)) > 15


@pytest.mark.parametrize("through", [None, "sparse_tensor"])
def test_the_quick_figure_compares_with_the_source_and_not_with_a_bridge(folder, tmp_path, through):
    result = run_convert(folder, tmp_path, steps=6, through=through)
    figure = result["figures"]["psnr_to_source"]
    view = open_capture(folder / "ball").split("val")[0]
    files = folder / "hash.safetensors", tmp_path / "student.safetensors"
    source, student = (
        render_image(load_field(file), view.camera).over(1.0).clip(0, 1).astype(float)
        for file in files
    )
    assert figure["psnr"] == pytest.approx(
        -10 * np.log10(np.mean((source - student) ** 2)), abs=0.01
    )
    side = max(view.camera.width, view.camera.height)
    assert figure["quick"] and figure["measured_on"] == f"quick: 1 val view, {side} px"
    assert read_header(files[1])["provenance"]["figures"] == result["figures"]


@pytest.mark.parametrize("through", [None, "sparse_tensor"])
def test_what_was_erased_is_empty_after_conversion(folder, tmp_path, through):
    edits = [{"op": "erase", "region": {"box": {"min": [0, -1, -1], "max": [1, 1, 1]}}}]
    (tmp_path / "edits.json").write_text(json.dumps(edits))
    edited = folder / "edited.safetensors"
    apply.run(
        EditArguments(field=folder / "hash.safetensors", edits=tmp_path / "edits.json", out=edited),
        Job(tmp_path / "edit"),
    )
    run_convert(folder, tmp_path, "edited", through=through)
    student = load_field(tmp_path / "student.safetensors")
    views = open_capture(folder / "ball").split("test")
    full = load_field(folder / "hash.safetensors")
    # A student may be dense anywhere in the occupied cells that the cut goes through.
    cell = float((full.box[1] - full.box[0]).max()) / full.occupancy.resolution
    edits[0]["region"]["box"]["min"][0] = cell
    rest = EditedField(full, parse_edits(edits, tmp_path, "edits"))
    for view in views:
        covered = render_image(full, view.camera).alpha > 0.9
        gone = covered & (render_image(rest, view.camera).alpha < 1e-3)
        assert gone.sum() > 20
        assert render_image(student, view.camera).alpha[gone].mean() < 0.01


@pytest.mark.parametrize(
    "options",
    [
        {"steps": 16},
        {"steps": 16, "through": "sparse_tensor"},
        {"steps": 20, "to": "vm", "hard_poses": False, "hard_rays": False},
    ],
)
def test_a_cancelled_conversion_comes_to_what_it_would_have_without(folder, tmp_path, options):
    with pytest.raises(Cancelled):
        run_convert(folder, tmp_path, job=StoppingJob(tmp_path / "job", after=10), **options)
    assert not (tmp_path / "student.safetensors").exists()
    run_convert(folder, tmp_path, **options)
    run_convert(folder, tmp_path / "whole", **options)
    paths = (tmp_path / "student.safetensors", tmp_path / "whole" / "student.safetensors")
    first, second = (load_field(path).state_dict() for path in paths)
    assert all(torch.equal(first[name], second[name]) for name in first)


def test_an_empty_field_is_not_converted(folder, tmp_path):
    edits = [{"op": "erase", "region": {"sphere": {"center": [0, 0, 0], "radius": 9}}}]
    (tmp_path / "edits.json").write_text(json.dumps(edits))
    empty = folder / "empty.safetensors"
    arguments = EditArguments(
        field=folder / "hash.safetensors", edits=tmp_path / "edits.json", out=empty
    )
    apply.run(arguments, Job(tmp_path / "edit"))
    with pytest.raises(UserError, match="empty"):
        run_convert(folder, tmp_path, "empty", steps=2)


def test_stages_follow_each_other_and_one_that_is_left_out_gives_its_time_to_the_next():
    times = (0.0, 0.2, 0.6)
    for stages, expected in {
        "123": [1, 2, 3],
        "23": [2, 2, 3],
        "13": [1, 3, 3],
        "3": [3, 3, 3],
    }.items():
        recipe = Recipe(stages=stages, features_until=0.1, points_until=0.5)
        assert [recipe.stage(fraction) for fraction in times] == expected


def test_the_density_constraint_is_pvds_and_can_be_taken_away():
    log_density = torch.tensor([-30.0, -2.0, 0.5, 7.0, 9.0])
    assert Recipe().constrained(log_density).tolist() == [-2.0, -2.0, 0.5, 7.0, 7.0]
    free = Recipe(density_constraint=False)
    assert torch.equal(free.constrained(log_density), log_density)


def test_the_density_constraint_is_no_part_of_rendering(folder):
    field = load_field(folder / "hash.safetensors")
    with torch.no_grad():
        field.encoder.output.weight.zero_()
        field.encoder.output.weight[0] = -10.0
    image = render_image(field, open_capture(folder / "ball").views[0].camera)
    assert image.alpha.max() < 0.02


def test_a_step_whose_rays_all_miss_has_a_loss_of_zero_that_moves_nothing():
    camera = {"width": 32, "height": 24, "fx": 30.0, "fy": 30.0, "cx": 16.0, "cy": 12.0}
    poses = PoseDistribution(
        [0.0, 0.0, 0.0], 0.1, [2.0, 3.0], [0.0, 1.0], [0.0, 6.28], [0.0, 0.0, 1.0], camera
    )
    teacher = AnalyticField(gaussian_blob(60.0, 0.25))
    student = make_student(architecture("hash", "small"), teacher)
    teacher.occupancy.binary.zero_()
    training = Training.start(student, 0)
    source = RaySource(poses, None, student.device, 0)
    features = match_features(teacher, student, torch.rand(50, 3))
    objective = DistillObjective(training, teacher, source, Recipe(), features, BatchSize(1 << 10))
    before = [parameter.clone() for parameter in student.parameters()]
    for fraction in (0.0, 0.1, 1.0):
        loss, report = objective(0, fraction)
        training.optimizer.step(loss, 1.0)
        assert loss.item() == 0 and "psnr_to_source" not in report
    assert all(torch.equal(a, b) for a, b in zip(before, student.parameters(), strict=True))
