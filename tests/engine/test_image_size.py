"""The size at which images are read: chosen for the device, kept for what comes after, and told."""

import pytest
from capture_files import real_capture, write_transforms
from short_teachers import run_convert, run_train

from pvd_engine.data.capture import Camera, View
from pvd_engine.data.images.image_size import automatic_factor, trained_downscale
from pvd_engine.data.readers import open_capture
from pvd_engine.fields.header import read_header
from pvd_engine.jobs.job import Job
from pvd_engine.verbs import eval as evaluate
from pvd_engine.verbs import render as render_verb
from pvd_engine.verbs.eval import EvalArguments
from pvd_engine.verbs.render import RenderArguments

HALF = (
    "Images are read at 1/2 of their width and height because {}; "
    "--downscale 1 reads them at full size."
)


def view(width, height):
    return View("view", Camera(None, width, height, 1.0, 1.0, 0.0, 0.0), "train", None)


@pytest.mark.parametrize(
    ("size", "device", "factor"),
    [
        ((800, 800), "cpu", 1),
        ((270, 480), "cpu", 1),
        ((801, 600), "cpu", 2),
        ((3000, 4000), "cpu", 5),
        ((2400, 1600), "cuda", 1),
        ((4000, 3000), "cuda", 2),
        ((100_000, 10), "cpu", 64),
    ],
)
def test_images_are_made_just_small_enough_for_the_device(size, device, factor):
    assert automatic_factor([view(*size)], device) == factor


def test_the_median_image_decides():
    views = [view(4000, 10), view(500, 10), view(500, 10)]
    assert automatic_factor(views, "cpu") == 1


@pytest.mark.parametrize("name", ["fox_270x480", "llff_fern_504x378", "nerf_synthetic_lego_200"])
def test_small_captures_are_read_whole(name):
    assert automatic_factor(open_capture(real_capture(name)).split("train"), "cpu") == 1


def test_what_a_field_was_made_from_says_its_size():
    assert trained_downscale(None) is None
    assert trained_downscale({"seed": 0}) is None
    taught = {"teacher_provenance": {"parent_provenance": {"downscale": 3}}}
    assert trained_downscale(taught) == 3
    assert trained_downscale({"downscale": 1, **taught}) == 1
    merged = [{"downscale": 2}, {"teacher_provenance": {"downscale": 2}}]
    assert trained_downscale({"parent_provenances": merged}) == 2
    assert trained_downscale({"parent_provenances": [*merged, {"downscale": 4}]}) is None


def test_the_choice_is_reported_and_kept_for_students_and_measures(tmp_path):
    capture = tmp_path / "capture"
    write_transforms(capture, size=(1000, 24), fl_x=900.0)
    out = tmp_path / "field.safetensors"
    result = run_train(capture, out, Job(tmp_path / "train"), steps=2)
    assert result["downscale"] == 2 == read_header(out)["provenance"]["downscale"]
    assert HALF.format("the work runs on a CPU") in result["warnings"]
    assert HALF.format("the work runs on a CPU") in (tmp_path / "train/events.jsonl").read_text()

    told = [HALF.format("the field was trained at that size")]
    measuring = EvalArguments(field=out, capture=capture, device="cpu")
    measured = evaluate.run(measuring, Job(tmp_path / "eval"))
    assert (measured["downscale"], measured["warnings"]) == (2, told)
    options = {"to": "vm", "capture": capture, "steps": 2, "fine_tune": 0.0}
    assert run_convert(tmp_path, tmp_path, "field", **options)["warnings"] == told
    assert read_header(tmp_path / "student.safetensors")["provenance"]["downscale"] == 2
    rendering = RenderArguments(
        field=out, capture=capture, out=tmp_path / "pictures", split="test", device="cpu"
    )
    assert render_verb.run(rendering, Job(tmp_path / "render"))["warnings"] == told

    obeyed = EvalArguments(field=out, capture=capture, downscale=1, device="cpu")
    measured = evaluate.run(obeyed, Job(tmp_path / "whole"))
    assert (measured["downscale"], measured["warnings"]) == (1, [])
