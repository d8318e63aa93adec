"""Fine-tuning: at the end of a conversion the student learns from the images, where they fit."""

import json

import pytest
from short_teachers import make_teachers, run_convert

from pvd_engine.distill.fine_tuning import REAL
from pvd_engine.jobs.job import Job
from pvd_engine.verbs import edit as apply
from pvd_engine.verbs import eval as evaluate
from pvd_engine.verbs.edit import EditArguments
from pvd_engine.verbs.eval import EvalArguments


@pytest.fixture(scope="module")
def folder(shared, tmp_path_factory):
    """A folder with the ball's capture and a short teacher."""
    return make_teachers(shared, tmp_path_factory.mktemp("fine"), ["hash"])


@pytest.fixture(scope="module")
def edited(folder):
    """The name of the teacher with half of the ball erased."""
    edits = [{"op": "erase", "region": {"box": {"min": [0, -1, -1], "max": [1, 1, 1]}}}]
    (folder / "edits.json").write_text(json.dumps(edits))
    apply.run(
        EditArguments(
            field=folder / "hash.safetensors",
            edits=folder / "edits.json",
            out=folder / "edited.safetensors",
        ),
        Job(folder / "edit"),
    )
    return "edited"


def measured(folder, path, job):
    arguments = EvalArguments(field=path, capture=folder / "ball", device="cpu")
    return evaluate.run(arguments, Job(job))["psnr"]


def test_a_student_passes_its_teacher_by_the_images(folder, tmp_path):
    """The teacher is short, so that the images know more."""
    taught = measured(folder, folder / "hash.safetensors", tmp_path / "teacher")
    figures = {}
    for fine_tune in (0.0, 0.5):
        place = tmp_path / f"{fine_tune}"
        result = run_convert(folder, place, to="vm", steps=80, fine_tune=fine_tune)
        assert result["fine_tuned"] == (fine_tune > 0)
        figures[fine_tune] = measured(folder, place / "student.safetensors", place / "eval")
    assert figures[0.5] > figures[0.0]
    assert figures[0.5] > taught


def test_the_last_part_of_the_work_is_on_images(folder, tmp_path):
    run_convert(folder, tmp_path, to="hash", steps=40, fine_tune=0.25, report=True)
    report = json.loads((tmp_path / "student.report.json").read_text(encoding="utf-8"))
    stages = report["curves"]["stage"]
    last = stages.index(REAL)
    assert set(stages[last:]) == {REAL} and REAL not in stages[:last]
    assert report["curves"]["step"][last] == pytest.approx(30, abs=2)


def test_images_that_show_something_else_are_left_out(folder, edited, tmp_path):
    result = run_convert(folder, tmp_path / "of_edited", edited, steps=12)
    assert not result["fine_tuned"]
    again = run_convert(
        folder, tmp_path / "again", source_of(folder, tmp_path / "of_edited"), steps=12
    )
    assert not again["fine_tuned"], "its teacher's teacher was edited"


def source_of(folder, place):
    """Copy a student next to the teachers, and return its name there."""
    (folder / "copied.safetensors").write_bytes((place / "student.safetensors").read_bytes())
    return "copied"


def test_without_a_capture_there_is_nothing_to_learn_from(folder, tmp_path):
    result = run_convert(folder, tmp_path, capture=None, steps=12)
    assert not result["fine_tuned"]


def test_the_bridge_of_an_edit_is_not_fine_tuned_and_its_student_is(folder, tmp_path):
    result = run_convert(folder, tmp_path, steps=30, through="sparse_tensor", fine_tune=0.3)
    assert result["fine_tuned"]
