"""The report of a conversion: its figures are those of the field file, and it survives a stop."""

import base64
import io
import json
import shutil
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from short_teachers import share_ball, share_field
from stopping_job import StoppingJob
from tiny_fields import tiny_fields

from pvd_engine.data.readers import open_capture
from pvd_engine.data.splits import evenly_spaced
from pvd_engine.errors import Cancelled
from pvd_engine.fields.storage import load_field
from pvd_engine.jobs.job import Job
from pvd_engine.jobs.summary import summary
from pvd_engine.measure import report
from pvd_engine.measure import report_views as measure
from pvd_engine.measure.pictures import MAX_WIDTH, ViewPictures, panels
from pvd_engine.render.render import render_image
from pvd_engine.verbs import convert
from pvd_engine.verbs import edit as apply
from pvd_engine.verbs import eval as evaluate
from pvd_engine.verbs.convert import ConvertArguments
from pvd_engine.verbs.edit import EditArguments
from pvd_engine.verbs.eval import EvalArguments

VOID = {"meta", "img", "br", "hr", "link", "input", "path", "rect"}


class Page(HTMLParser):
    """Reads a page strictly: every element that opens closes, in order."""

    def __init__(self, text):
        super().__init__()
        self.open, self.tags, self.links, self.text = [], [], [], []
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.links += [value for name, value in attrs if name in ("src", "href", "srcset")]
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.tags.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.text.append(data)


@pytest.fixture(scope="module")
def folder(shared, tmp_path_factory):
    """A folder with the ball's capture and a short teacher."""
    folder = tmp_path_factory.mktemp("report")
    capture = share_ball(shared, counts=(("train", 10), ("val", 1), ("test", 3)))
    shutil.copytree(capture, folder / "ball")
    shutil.copyfile(share_field(shared, capture, steps=40), folder / "teacher.safetensors")
    return folder


def run_convert(folder, out, job=None, **options):
    options = {"to": "hash", "steps": 40, "capture": folder / "ball"} | options
    arguments = ConvertArguments(
        **({"field": folder / "teacher.safetensors"} | options), out=out, device="cpu"
    )
    with tiny_fields():
        return convert.run(arguments, job or Job(out.parent / "job"))


def read(out):
    """The report's JSON next to a field file."""
    return json.loads(out.with_name(f"{out.stem}.report.json").read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def converted(folder):
    """A conversion: its result, its field file, its report."""
    out = folder / "converted" / "student.safetensors"
    result = run_convert(folder, out)
    return result, out, read(out)


@pytest.mark.parametrize(
    ("key", "field"),
    [("before", "teacher.safetensors"), ("after", "converted/student.safetensors")],
)
def test_figures_against_images_are_those_of_eval(folder, converted, key, field):
    told = converted[2]
    arguments = EvalArguments(field=folder / field, capture=folder / "ball", device="cpu")
    expected = evaluate.run(arguments, Job(folder / "eval"))
    assert told[key]["psnr"] == pytest.approx(expected["psnr"], abs=1e-6)
    assert told[key]["ssim"] == pytest.approx(expected["ssim"], abs=1e-6)
    for entry, view in zip(told["views"], expected["views"], strict=True):
        assert entry["name"] == view["name"]
        assert entry[key]["psnr"] == pytest.approx(view["psnr"], abs=1e-6)


def test_figures_against_the_teacher_are_those_of_its_renders(folder, converted):
    told = converted[2]
    fields = [load_field(path) for path in (folder / "teacher.safetensors", converted[1])]
    decibels = []
    for view in open_capture(folder / "ball").split("test"):
        a, b = (render_image(field, view.camera).over(1.0).clip(0, 1) for field in fields)
        decibels.append(-10 * np.log10(np.mean((a.astype(np.float64) - b) ** 2)))
    assert [v["to_teacher"]["psnr"] for v in told["views"]] == pytest.approx(decibels, abs=1e-5)
    assert told["to_teacher"]["psnr"] == pytest.approx(np.mean(decibels), abs=1e-5)


def test_sizes_settings_and_machine_are_reported(folder, converted):
    result, out, told = converted
    assert told["schema"] == report.SCHEMA
    assert told["capture"] == {"name": "ball", "split": "test", "views": 3, "measured": 3}
    assert told["student"]["size"] == out.stat().st_size
    assert told["student"]["architecture"]["name"] == "hash"
    assert told["student"]["parameters"] * 4 < out.stat().st_size
    assert told["times"]["steps"] == result["steps"] == 40
    assert told["times"]["seconds"] == result["seconds"]
    assert told["settings"]["to"] == "hash"
    assert told["settings"]["capture"] == "ball"
    assert str(folder) not in json.dumps(told)
    assert told["provenance"]["steps"] == 40
    assert told["machine"]["threads"] >= 1
    assert told["machine"]["device"]["type"] == "cpu"
    assert told["comparable"] is True


def test_the_curves_rise_in_time_and_carry_the_stages(converted):
    curves = converted[2]["curves"]
    assert all(len(values) == len(curves["step"]) for values in curves.values())
    assert curves["step"] == sorted(set(curves["step"]))
    assert curves["step"][-1] == 40
    assert curves["seconds"] == sorted(curves["seconds"])
    assert curves["seconds"][-1] <= converted[2]["times"]["seconds"]
    assert curves["stage"] == sorted(curves["stage"])
    assert {2, 3} <= set(curves["stage"])
    for stage, decibel in zip(curves["stage"], curves["psnr"], strict=True):
        assert (decibel is not None) == (stage >= 3)


def test_the_page_is_whole_and_needs_nothing_else(converted):
    result, out, told = converted
    path = out.with_name("student.report.html")
    assert result["report"] == str(path)
    assert f"report: {path}" in summary(result)
    text = path.read_text(encoding="utf-8")
    page = Page(text)
    assert "://" not in text
    assert all(link.startswith("data:image/png;base64,") for link in page.links)
    assert page.links
    assert len(page.links) == 3 * 5
    assert not {"script", "link", "iframe", "object"} & set(page.tags)
    assert page.tags.count("svg") == 2
    words = " ".join(page.text)
    assert f"{told['to_teacher']['psnr']:.2f} dB" in words
    assert "prefers-color-scheme: dark" in text


def test_names_from_strangers_are_escaped(folder, tmp_path):
    name = "<script>alert(1)<" + chr(0x2215) + "script> & 'b'"
    capture = tmp_path / name
    (folder / "ball").rename(capture)
    try:
        run_convert(folder, tmp_path / "s.safetensors", capture=capture, steps=3)
    finally:
        capture.rename(folder / "ball")
    text = (tmp_path / "s.report.html").read_text(encoding="utf-8")
    page = Page(text)
    assert "script" not in page.tags
    assert "<script" not in text
    assert name in " ".join(page.text)
    assert "&lt;script&gt;alert(1)" in text


@pytest.mark.parametrize("options", [{"capture": None}, {"report": False}])
def test_no_report_without_a_capture_or_unasked(folder, tmp_path, options):
    result = run_convert(folder, tmp_path / "s.safetensors", steps=2, **options)
    assert result["report"] is None
    assert list(tmp_path.glob("*report*")) == []


def test_a_stopped_conversion_has_the_curve_of_both_parts(folder, tmp_path):
    out = tmp_path / "s.safetensors"
    with pytest.raises(Cancelled):
        run_convert(folder, out, job=StoppingJob(tmp_path / "job", after=15))
    run_convert(folder, out)
    curves = read(out)["curves"]
    assert curves["step"] == list(range(1, 41))
    assert curves["seconds"] == sorted(curves["seconds"])


def test_a_conversion_stopped_in_its_report_is_reported_without_learning_again(folder, tmp_path):
    out = tmp_path / "s.safetensors"
    with pytest.raises(Cancelled):
        run_convert(folder, out, job=StoppingJob(tmp_path / "job", after=41))
    field = load_field(out).state_dict()
    assert not out.with_name("s.report.html").exists()
    result = run_convert(folder, out)
    assert result["steps"] == 40
    assert Path(result["report"]).is_file()
    again = load_field(out).state_dict()
    assert all(torch.equal(field[name], again[name]) for name in field)


def test_of_an_edited_teacher_the_images_are_said_to_show_something_else(folder, tmp_path):
    edits = [{"op": "erase", "region": {"box": {"min": [0, -1, -1], "max": [1, 1, 1]}}}]
    (tmp_path / "edits.json").write_text(json.dumps(edits))
    edited = tmp_path / "edited.safetensors"
    arguments = EditArguments(
        field=folder / "teacher.safetensors", edits=tmp_path / "edits.json", out=edited
    )
    apply.run(arguments, Job(tmp_path / "edit"))
    first, second = tmp_path / "first.safetensors", tmp_path / "second.safetensors"
    run_convert(folder, first, job=Job(tmp_path / "a"), field=edited)
    run_convert(folder, second, job=Job(tmp_path / "b"), field=first, steps=2)
    for out, kind in ((first, "edited_field"), (second, "radiance_field")):
        told = read(out)
        assert told["teacher"]["kind"] == kind
        assert told["comparable"] is False
        assert "The teacher is edited" in told["notes"][0]
        assert told["to_teacher"]["psnr"] > 10
        page = Page(out.with_name(f"{out.stem}.report.html").read_text(encoding="utf-8"))
        assert told["notes"][0] in "".join(page.text)


def test_an_image_that_cannot_be_read_costs_its_figures_and_not_the_report(folder, tmp_path):
    picture = folder / "ball" / "test" / "r_1.png"
    whole = picture.read_bytes()
    picture.write_bytes(whole[: len(whole) // 2])
    try:
        run_convert(folder, tmp_path / "s.safetensors", steps=2)
    finally:
        picture.write_bytes(whole)
    told = read(tmp_path / "s.safetensors")
    assert [view["before"]["psnr"] is None for view in told["views"]] == [False, True, False]
    known = [told["views"][i]["before"]["psnr"] for i in (0, 2)]
    assert told["before"]["psnr"] == pytest.approx(np.mean(known))
    assert any("test/r_1" in note for note in told["notes"])


def views_sized(folder, width, height):
    view = open_capture(folder / "ball").split("test")[0]
    return [replace(view, camera=replace(view.camera, width=width, height=height))] * 50


def test_many_or_large_views_are_measured_in_part(folder):
    assert measure.affordable(views_sized(folder, 200, 200), "cpu") == measure.MAX_VIEWS == 8
    assert measure.affordable(views_sized(folder, 1000, 1000), "cpu") == 2
    assert measure.affordable(views_sized(folder, 4000, 3000), "cpu") == 1
    assert evenly_spaced(range(25), 8) == (0, 3, 6, 9, 12, 15, 18, 21)
    assert evenly_spaced(range(3), 8) == (0, 1, 2)


def test_without_test_images_validation_views_are_measured_then_training_views(folder):
    capture = open_capture(folder / "ball")

    def without(*splits):
        views = [replace(v, image_path=None) if v.split in splits else v for v in capture.views]
        split, chosen = measure.views_of(replace(capture, views=tuple(views)))
        assert {view.split for view in chosen} == {split}
        return split, len(chosen)

    assert without() == ("test", 3)
    assert without("test") == ("val", 1)
    assert without("test", "val") == ("train", 10)
    assert without("test", "val", "train") == ("test", 3)


def test_wide_pictures_are_shown_smaller(folder, tmp_path):
    wide = np.random.default_rng(1).random((30, 900, 3), dtype=np.float32)
    shown = panels(ViewPictures("v", None, wide, 1 - wide))
    assert [caption for caption, _ in shown] == ["teacher", "student", "error, student − teacher"]
    for _, uri in shown:
        with Image.open(io.BytesIO(base64.b64decode(uri.split(",")[1]))) as picture:
            assert picture.size == (MAX_WIDTH, 13)
            assert picture.mode == "RGB"
