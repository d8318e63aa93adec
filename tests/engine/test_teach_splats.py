"""Gaussian splats as a student and as a field of images: verbs, resuming, sizes, fine-tuning."""

import shutil

import numpy as np
import pytest
import torch
from short_teachers import erase_half, make_teachers, run_convert, run_train
from stopping_job import StoppingJob

from pvd_engine.data.readers import open_capture
from pvd_engine.errors import Cancelled, UserError
from pvd_engine.fields.header import read_header
from pvd_engine.fields.storage import load_any_field
from pvd_engine.jobs.job import Job
from pvd_engine.measure.image_metrics import psnr
from pvd_engine.render.render import render_image
from pvd_engine.verbs import eval as evaluate
from pvd_engine.verbs.eval import EvalArguments

SPLATS = 400


@pytest.fixture(scope="module")
def folder(shared, tmp_path_factory):
    """A folder with the ball's capture and short teachers."""
    return make_teachers(shared, tmp_path_factory.mktemp("splats"), ["hash", "vm"])


def to_images(folder, field, job):
    """PSNR of a field file to the images of the test views."""
    arguments = EvalArguments(field=field, capture=folder / "ball", device="cpu")
    return evaluate.run(arguments, Job(job))["psnr"]


def between(folder, *paths):
    """PSNR between the pictures of two field files, on the test views."""
    fields = [load_any_field(path, "cpu") for path in paths]
    views = open_capture(folder / "ball").split("test")
    pictures = [[render_image(f, v.camera).on_white() for f in fields] for v in views]
    return float(np.mean([psnr(*pair) for pair in pictures]))


def student(folder, place, **options):
    options = {"to": "gaussians", "splats": SPLATS, "fine_tune": 0.0, "steps": 60} | options
    return run_convert(folder, place, **options)


@pytest.mark.parametrize("teacher", ["hash", "vm"])
def test_splats_learn_what_a_teacher_shows(folder, tmp_path, teacher):
    values = []
    for steps in (1, 120):
        place = tmp_path / f"{steps}"
        result = student(folder, place, source=teacher, steps=steps)
        assert result["to"] == "gaussians" and 0 < result["splats"] <= SPLATS
        made = place / "student.safetensors"
        values.append(between(folder, made, folder / f"{teacher}.safetensors"))
    # Of pictures of 40 pixels the blur of drawn splats is a large part.
    assert values[1] > values[0] + 1.5 and values[1] > 24


def test_a_file_is_as_small_as_is_asked(folder, tmp_path):
    result = student(folder, tmp_path, steps=2, splats=None, max_size="80kB")
    assert 70_000 < result["size"] <= 80_000
    with pytest.raises(UserError, match="no room for splats"):
        student(folder, tmp_path / "small", steps=2, max_size="10kB")


def test_a_stopped_conversion_goes_on_where_it_was(folder, tmp_path):
    whole = student(folder, tmp_path / "whole", steps=90)
    place = tmp_path / "stopped"
    place.mkdir()
    with pytest.raises(Cancelled):
        student(folder, place, steps=90, job=StoppingJob(place / "job", 75))
    result = student(folder, place, steps=90, job=Job(place / "job"))
    assert result["steps"] == 90
    fields = [load_any_field(p / "student.safetensors", "cpu") for p in (tmp_path / "whole", place)]
    assert whole["steps"] == 90
    assert [len(f.centers) for f in fields] == [len(fields[0].centers)] * 2
    assert torch.isfinite(fields[1].centers).all()


def test_images_bring_splats_nearer_to_what_they_show(folder, tmp_path):
    values = []
    teacher = folder / "short.safetensors"
    run_train(folder / "ball", teacher, arch="hash", steps=30)
    for fine_tune in (0.0, 0.5):
        place = tmp_path / f"{fine_tune}"
        result = student(folder, place, source="short", steps=120, fine_tune=fine_tune)
        assert result["fine_tuned"] == (fine_tune > 0)
        values.append(to_images(folder, place / "student.safetensors", place / "eval"))
    assert values[1] > values[0] + 0.3


def test_of_an_edited_field_splats_show_the_edits(folder, tmp_path):
    name = erase_half(folder)
    result = student(folder, tmp_path, source=name, steps=60, fine_tune=0.5)
    assert not result["fine_tuned"]
    field = load_any_field(tmp_path / "student.safetensors", "cpu")
    splats = field.splats()
    erased = splats.centers[:, 0] > 0.15
    assert (splats.opacities * erased).sum() < 0.01 * splats.opacities.sum()


@pytest.mark.parametrize("option", [{"decoder": "sh"}, {"inherit": True}])
def test_options_of_blocks_are_refused(folder, tmp_path, option):
    with pytest.raises(UserError, match="means nothing for Gaussian splats"):
        student(folder, tmp_path, **option)


def test_splats_are_trained_from_images(folder, tmp_path):
    out = tmp_path / "field.safetensors"
    result = run_train(folder / "ball", out, arch="gaussians", steps=200, splats=SPLATS)
    assert result["arch"] == "gaussians"
    assert read_header(out)["architecture"]["splats"] <= SPLATS
    assert to_images(folder, out, tmp_path / "eval") > 22


def test_splats_are_a_teacher(folder, tmp_path):
    student(folder, tmp_path, steps=120)
    made = tmp_path / "student.safetensors"
    shutil.copytree(folder / "ball", tmp_path / "ball")
    back = tmp_path / "back"
    back.mkdir()
    result = run_convert(tmp_path, back, source="student", to="hash", steps=120, fine_tune=0.0)
    assert result["to"] == "hash"
    assert between(folder, back / "student.safetensors", made) > 22
