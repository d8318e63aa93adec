"""Fine-tuning: at the end of a conversion the student learns from the images, where they fit."""

import json

import pytest
import torch
from short_teachers import erase_half, make_teachers, run_convert

from pvd_engine.data.readers import open_capture
from pvd_engine.distill.fine_tuning import REAL, FieldOnImages
from pvd_engine.fields.architectures import make_field
from pvd_engine.fields.storage import load_field
from pvd_engine.jobs.job import Job
from pvd_engine.train.batch_size import BatchSize
from pvd_engine.train.pixels import PixelTable
from pvd_engine.train.training import Training
from pvd_engine.verbs import eval as evaluate
from pvd_engine.verbs.eval import EvalArguments


@pytest.fixture(scope="module")
def folder(shared, tmp_path_factory):
    """A folder with the ball's capture and a short teacher."""
    return make_teachers(shared, tmp_path_factory.mktemp("fine"), ["hash"])


@pytest.fixture(scope="module")
def edited(folder):
    """The name of the teacher with half of the ball erased."""
    return erase_half(folder)


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


def test_a_student_that_is_far_from_its_teacher_goes_on_with_it(folder, tmp_path):
    result = run_convert(folder, tmp_path, to="mlp", steps=20, fine_tune=0.5)
    assert not result["fine_tuned"]


def test_the_turn_comes_when_the_student_is_nearer_than_the_images(folder):
    """The teacher itself, as its own student, is due; noise is not."""
    device = torch.device("cpu")
    teacher = load_field(folder / "hash.safetensors", device)
    noise = make_field(teacher.header["architecture"], teacher.space)
    with PixelTable.open(open_capture(folder / "ball").split("train"), device) as pixels:
        for student, due in ((teacher, True), (noise, False)):
            training = Training.start(student, seed=0)
            on_images = FieldOnImages(training, teacher, pixels, BatchSize(1 << 10))
            assert on_images.is_due(0) == due
            assert not on_images.is_due(1), "it is looked at in some steps only"


def test_the_last_part_of_the_work_is_on_images(folder, tmp_path, monkeypatch):
    monkeypatch.setattr(FieldOnImages, "is_due", lambda self, step: True)
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


def test_the_bridge_of_an_edit_is_not_fine_tuned_and_its_student_is(folder, tmp_path, monkeypatch):
    taught = []

    def is_due(self, step):
        taught.append(type(self.training.field.encoder).__name__)
        return True

    monkeypatch.setattr(FieldOnImages, "is_due", is_due)
    result = run_convert(folder, tmp_path, steps=30, through="sparse_tensor", fine_tune=0.3)
    assert result["fine_tuned"] and taught == ["HashEncoder"]
