"""Distillation into a light field: it learns, from the images at last, and can be stopped."""

import json
from pathlib import Path

import pytest
from short_teachers import erase_half, make_teachers, run_convert
from stopping_job import StoppingJob

from pvd_engine.data.images.downscale import view_on_white
from pvd_engine.data.readers import open_capture
from pvd_engine.distill.fine_tuning import REAL
from pvd_engine.distill.light_objective import PSEUDO
from pvd_engine.errors import Cancelled, UserError
from pvd_engine.fields.header import read_header
from pvd_engine.fields.storage import load_any_field
from pvd_engine.jobs.job import Job
from pvd_engine.measure.image_metrics import psnr
from pvd_engine.render.region import views_outside
from pvd_engine.render.render import render_image
from pvd_engine.verbs import eval as evaluate
from pvd_engine.verbs import render as render_verb
from pvd_engine.verbs import volume
from pvd_engine.verbs.convert import ConvertArguments
from pvd_engine.verbs.eval import EvalArguments
from pvd_engine.verbs.render import RenderArguments
from pvd_engine.verbs.volume import VolumeArguments


@pytest.fixture(scope="module")
def folder(shared, tmp_path_factory):
    """A folder with the ball's capture and a short teacher."""
    return make_teachers(shared, tmp_path_factory.mktemp("light"), ["hash"])


@pytest.fixture(scope="module")
def edited(folder):
    """The teacher with half of the ball erased."""
    return erase_half(folder)


@pytest.fixture(scope="module")
def learned(folder, tmp_path_factory):
    """A light field of the teacher, and what its conversion returned."""
    place = tmp_path_factory.mktemp("learned")
    result = run_convert(folder, place, to="light_field", steps=120, ray_pool=1 << 14, report=True)
    return place / "student.safetensors", result


def light(folder, tmp_path, source="hash", **options):
    options = {"to": "light_field", "steps": 4, "ray_pool": 1 << 13} | options
    return run_convert(folder, tmp_path, source, **options)


def test_a_light_field_learns_its_teachers_pictures(folder, learned, tmp_path):
    path, result = learned
    assert result["figures"]["psnr_to_source"]["psnr"] > 18
    assert result["rays"] == 120 * 512 and result["fine_tuned"]
    measured = evaluate.run(
        EvalArguments(field=path, capture=folder / "ball", device="cpu"), Job(tmp_path)
    )
    assert measured["psnr"] > 18 and measured["outside"] == []
    report = json.loads(path.with_suffix(".report.json").read_text(encoding="utf-8"))
    assert set(report["curves"]["stage"]) == {PSEUDO, REAL}
    assert report["student"]["kind"] == "light_field"


def test_an_edited_field_is_taught_and_the_images_are_left_out(folder, edited, tmp_path):
    result = light(folder, tmp_path, edited, steps=60)
    assert not result["fine_tuned"]
    student = load_any_field(tmp_path / "student.safetensors")
    teacher = load_any_field(folder / "edited.safetensors")
    whole = load_any_field(folder / "hash.safetensors")
    gone = kept = 0.0
    for view in open_capture(folder / "ball").split("test"):
        full, rest, seen = (render_image(f, view.camera).alpha for f in (whole, teacher, student))
        gone += float(seen[(full > 0.9) & (rest < 1e-3)].mean()) / 2
        kept += float(seen[rest > 0.9].mean()) / 2
    assert gone < 0.2 and kept > 0.8


def test_the_images_alone_can_teach(folder, tmp_path):
    light(folder, tmp_path, steps=1, fine_tune=0.0)
    before = load_any_field(tmp_path / "student.safetensors")
    light(folder, tmp_path / "images", steps=60, fine_tune=1.0)
    after = load_any_field(tmp_path / "images" / "student.safetensors")
    view = open_capture(folder / "ball").split("train")[0]
    first, second = (
        psnr(render_image(f, view.camera).over(1.0), view_on_white(view)) for f in (before, after)
    )
    assert second > first + 5


def test_pseudo_data_stays_in_memory(folder, tmp_path):
    rays, sizes = 1 << 19, []

    class Watching(Job):
        @property
        def cancelled(self):
            files = [path for path in tmp_path.rglob("*") if path.is_file()]
            sizes.append(sum(path.stat().st_size for path in files))
            return False

    light(folder, tmp_path, job=Watching(tmp_path / "job"), ray_pool=rays)
    assert sizes and max(sizes) < 32 * rays / 4, "32 bytes a ray are nowhere on disk"


def test_a_cancelled_light_field_goes_on_where_it_stopped(folder, tmp_path):
    job = StoppingJob(tmp_path / "job", after=5)
    with pytest.raises(Cancelled):
        light(folder, tmp_path, job=job, steps=12)
    assert not (tmp_path / "student.safetensors").exists()
    again = StoppingJob(tmp_path / "job", after=1000)
    assert light(folder, tmp_path, job=again, steps=12)["steps"] == 12
    assert 1000 - again.left <= 12


@pytest.mark.parametrize(
    "options",
    [{"decoder": "sh"}, {"through": "sparse_tensor"}, {"inherit": True}, {"max_size": "1MB"}],
)
def test_options_that_mean_nothing_for_a_light_field_are_refused(folder, tmp_path, options):
    with pytest.raises(UserError, match="light field"):
        light(folder, tmp_path, **options)
    assert not (tmp_path / "student.safetensors").exists()


@pytest.mark.parametrize("options", [{"ray_points": 1}, {"ray_pool": 3}, {"fine_tune": 1.5}])
def test_options_out_of_range_are_refused(options):
    with pytest.raises(UserError, match="--"):
        ConvertArguments(field=Path("f"), to="light_field", out=Path("o.safetensors"), **options)


def test_a_light_field_has_no_volume(learned, tmp_path):
    arguments = VolumeArguments(field=learned[0], out=tmp_path / "v.npz", device="cpu")
    with pytest.raises(UserError, match="no density"):
        volume.run(arguments, Job(tmp_path / "job"))
    assert not (tmp_path / "v.npz").exists()


def test_cameras_outside_the_taught_region_are_named(learned, folder, tmp_path):
    field = load_any_field(learned[0])
    views = open_capture(folder / "ball").split("train")
    assert views_outside(field, views) == []
    matrix = views[0].camera.camera_to_world.copy()
    matrix[:3, 3] *= 2
    cameras = tmp_path / "cameras.json"
    camera = {
        "name": "far",
        "camera_to_world": matrix.tolist(),
        "width": 16,
        "height": 16,
        "fx": 20.0,
        "fy": 20.0,
        "cx": 8.0,
        "cy": 8.0,
    }
    cameras.write_text(json.dumps({"cameras": [camera]}))
    result = render_verb.run(
        RenderArguments(field=learned[0], out=tmp_path / "out", cameras=cameras, device="cpu"),
        Job(tmp_path / "job"),
    )
    assert result["outside"] == ["far"]
    assert (tmp_path / "out" / "far.png").is_file()


def test_the_file_names_the_teacher_and_the_region(learned, folder):
    header = read_header(learned[0])
    assert header["kind"] == "light_field"
    assert header["provenance"]["teacher"]["file"] == "hash.safetensors"
    assert header["reach"]["region"]["distance"] == pytest.approx([2.5, 2.5], abs=1e-3)
