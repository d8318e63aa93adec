"""An interrupted job that resumes notices what has changed since, and starts again."""

import json
import shutil

import pytest
import torch
from ball_capture import write_ball_capture
from engine_process import read_json
from safetensors.torch import load_file
from short_teachers import run_convert, run_train
from stopping_job import StoppingJob

from pvd_engine.data.fingerprint import capture_fingerprint
from pvd_engine.data.readers import open_capture
from pvd_engine.errors import Cancelled
from pvd_engine.files.images import load_image, write_png
from pvd_engine.jobs.job import INPUTS, Job

STEPS = 12


def paint_a_pixel(folder):
    path = folder / "train" / "r_1.png"
    image = load_image(path).copy()
    image[3, 4] = (255, 0, 0, 255)
    write_png(path, image)


def move_a_camera(folder):
    path = folder / "transforms_train.json"
    content = json.loads(path.read_text())
    content["frames"][2]["transform_matrix"][0][3] += 0.01
    path.write_text(json.dumps(content))


def leave_a_frame_out(folder):
    path = folder / "transforms_train.json"
    content = json.loads(path.read_text())
    del content["frames"][0]
    path.write_text(json.dumps(content))


def touch_all(folder):
    for path in folder.rglob("*"):
        path.touch()


CHANGES = {
    paint_a_pixel: "images",
    move_a_camera: "cameras",
    leave_a_frame_out: "cameras, images",
    touch_all: None,
}


def same(first, second):
    a, b = load_file(first), load_file(second)
    return a.keys() == b.keys() and all(torch.equal(a[key], b[key]) for key in a)


@pytest.fixture
def ball(tmp_path):
    return write_ball_capture(tmp_path / "ball", size=16, counts=(("train", 4), ("test", 1)))


@pytest.mark.parametrize("change", CHANGES)
def test_a_training_starts_again_when_its_capture_has_changed(ball, tmp_path, change):
    ball = tmp_path / "ball"
    out, options = tmp_path / "field.safetensors", {"steps": STEPS, "seed": 3}
    with pytest.raises(Cancelled):
        run_train(ball, out, StoppingJob(tmp_path / "job", after=6), **options)
    change(ball)
    job = Job(tmp_path / "job")
    run_train(ball, out, job, **options)
    told = [warning for warning in job.warnings if "this job was interrupted" in warning]
    if CHANGES[change] is None:
        assert told == []
        return
    assert f"Changed since this job was interrupted: {CHANGES[change]}" in told[0]
    fresh = tmp_path / "fresh.safetensors"
    run_train(ball, fresh, Job(tmp_path / "other"), **options)
    assert same(out, fresh)


def test_a_checkpoint_that_does_not_say_what_it_began_from_starts_again(ball, tmp_path):
    out, options = tmp_path / "field.safetensors", {"steps": STEPS}
    with pytest.raises(Cancelled):
        run_train(tmp_path / "ball", out, StoppingJob(tmp_path / "job", after=6), **options)
    (tmp_path / "job" / INPUTS).unlink()
    job = Job(tmp_path / "job")
    run_train(tmp_path / "ball", out, job, **options)
    assert any("from another version" in warning for warning in job.warnings)


@pytest.mark.parametrize("changed", ["source", "capture", None])
def test_a_conversion_starts_again_when_its_source_or_capture_has_changed(ball, tmp_path, changed):
    run_train(tmp_path / "ball", tmp_path / "hash.safetensors", steps=20, seed=1)
    with pytest.raises(Cancelled):
        run_convert(tmp_path, tmp_path, job=StoppingJob(tmp_path / "job", after=6), steps=STEPS)
    if changed == "source":
        shutil.rmtree(tmp_path / "hash.job")
        run_train(tmp_path / "ball", tmp_path / "hash.safetensors", steps=20, seed=2)
    elif changed == "capture":
        paint_a_pixel(tmp_path / "ball")
    job = Job(tmp_path / "job")
    run_convert(tmp_path, tmp_path, job=job, steps=STEPS)
    names = {"source": ["source field"], "capture": ["images"], None: []}[changed]
    told = [warning for warning in job.warnings if "this job was interrupted" in warning]
    assert all(f"interrupted: {name};" in one for name, one in zip(names, told, strict=True))
    assert len(told) == len(names)


def test_a_fingerprint_tells_the_parts_of_a_capture_apart(ball, tmp_path):
    before = capture_fingerprint(open_capture(tmp_path / "ball"))
    assert before == capture_fingerprint(open_capture(tmp_path / "ball"))
    exposed = capture_fingerprint(open_capture(tmp_path / "ball", downscale=2))
    assert {key for key in before if before[key] != exposed[key]} == {"cameras", "settings"}


def test_what_a_job_begins_from_is_in_its_folder(ball, tmp_path):
    run_train(tmp_path / "ball", tmp_path / "a.safetensors", Job(tmp_path / "job"), steps=2)
    inputs = read_json(tmp_path / "job" / INPUTS)
    assert set(inputs) == {"cameras", "images", "masks", "settings"}
