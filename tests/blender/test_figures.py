"""One number for one meaning: list, report, Compare and renders of `pvd` give the same PSNR."""

import json
import math
import re
from pathlib import Path

import numpy as np
import pytest
import small_capture
from engine_run import printed
from pictures import read_pixels
from test_panels import rows_of_list

PIXELS_OF_PNG = 0.1
"""Decibels that the eight bits of a rendered PNG may cost."""


@pytest.fixture
def frame(api, tmp_path, monkeypatch):
    """A capture with a validation view and ten test views, its teacher and its student."""
    monkeypatch.setattr(small_capture, "COUNTS", {"train": 8, "val": 1, "test": 10})
    frame = api.import_capture(small_capture.write(tmp_path / "ball"))
    api.train(frame, "hash", preset="small", steps=40)
    api.convert(frame, "hash", preset="small", steps=10)
    return frame


def on_white(path):
    rgba = read_pixels(path).astype(np.float64)
    return rgba[..., :3] * rgba[..., 3:] + 1 - rgba[..., 3:]


def mean_psnr(pictures, targets):
    errors = [np.mean((a - b) ** 2) for a, b in zip(pictures, targets, strict=True)]
    return np.mean([-10 * math.log10(error) for error in errors])


def renders(python, field, capture, out, split="test"):
    """Pictures of a field from a split's views on white, by `pvd render`."""
    printed(
        python, "-m", "pvd_engine", "render", field, "--capture", capture, "--split", split,
        "--out", out, "--device", "cpu",
    )  # fmt: skip
    count = len(list((capture / split).glob("*.png")))
    return [on_white(out / split / f"r_{number}.png") for number in range(count)]


def test_each_meaning_has_one_number_everywhere(frame, api, session, warm_python, tmp_path):
    capture = tmp_path / "ball"
    teacher, student = frame.convert_field.fields
    told = json.loads(Path(student.path).with_suffix(".report.json").read_text())
    measured = [view["name"] for view in told["views"]]
    assert len(measured) == 8 and told["capture"]["views"] == 10
    numbers = [int(name.rpartition("_")[2]) for name in measured]

    images = [on_white(capture / "test" / f"r_{number}.png") for number in range(10)]
    of_teacher = renders(warm_python, teacher.path, capture, tmp_path / "t")
    of_student = renders(warm_python, student.path, capture, tmp_path / "s")
    shown = lambda pictures: [pictures[number] for number in numbers]  # noqa: E731
    to_source = mean_psnr(shown(of_student), shown(of_teacher))
    to_images = mean_psnr(shown(of_student), shown(images))
    source_to_images = mean_psnr(shown(of_teacher), shown(images))
    assert abs(to_source - to_images) > 1, "otherwise the test could not tell them apart"

    for figure, expected, reported in (
        (student.psnr_to_source, to_source, told["to_teacher"]),
        (student.psnr_to_images, to_images, told["after"]),
        (teacher.psnr_to_images, source_to_images, told["before"]),
    ):
        assert figure.psnr == pytest.approx(expected, abs=PIXELS_OF_PNG)
        assert figure.psnr == pytest.approx(reported["psnr"], abs=1e-4)
        assert figure.measured_on == "8 of 10 test views, 24 px" and not figure.quick
    page = Path(student.report).read_text(encoding="utf-8")
    assert "8 of 10 test views, 24 px" in page
    assert f"{student.psnr_to_source.psnr:.2f} dB" in page
    assert rows_of_list(frame)[1:] == [
        ["name", f"{teacher.psnr_to_images.psnr:.1f}", "–", ""],
        ["name", f"{student.psnr_to_images.psnr:.1f}", f"{student.psnr_to_source.psnr:.1f}", ""],
    ]

    # Compare shows one view, and says which number that is.
    stem = measured[0].rpartition("/")[2]
    camera = next(
        item
        for item in frame.children_recursive
        if item.type == "CAMERA" and item.name == f"test/{stem}"
    )
    api.look_through(camera)
    api.compare(frame, student.path)
    said = re.search(r"PSNR to source (-?[\d.]+) dB \(1 view, 24 px\)", session.message)
    one = mean_psnr([of_student[numbers[0]]], [of_teacher[numbers[0]]])
    assert float(said[1]) == pytest.approx(one, abs=PIXELS_OF_PNG + 0.05)
    assert float(said[1]) == pytest.approx(told["views"][0]["to_teacher"]["psnr"], abs=0.06)
    api.compare(frame, teacher.path, student.path)
    assert f"PSNR to '{student.name}' {float(said[1])} dB" in session.message

    # `pvd eval` measures all views, and says so.
    evaluated = printed(
        warm_python, "-m", "pvd_engine", "eval", student.path, "--capture", capture, "--json"
    )
    evaluated = json.loads(evaluated.splitlines()[-1])
    assert evaluated["compared_with"] == "images"
    assert evaluated["measured_on"] == "10 test views, 24 px"
    assert evaluated["psnr"] == pytest.approx(mean_psnr(of_student, images), abs=PIXELS_OF_PNG)


def figures_of(item):
    return [
        (round(figure.psnr, 4), figure.measured_on, figure.quick)
        for figure in (item.psnr_to_images, item.psnr_to_source)
    ]


NOT_MEASURED = (0.0, "", False)


def test_a_quick_figure_says_so_until_a_report_replaces_it(trained, api, session, tmp_path):
    teacher = trained.convert_field.fields[0]
    assert teacher.psnr_to_images.measured_on == "quick: 1 val view, 24 px"
    assert teacher.psnr_to_images.quick and rows_of_list(trained)[1][1].startswith("~")
    quick = teacher.psnr_to_images.psnr

    api.convert(trained, "hash", preset="small", steps=2, report=False)
    student = trained.convert_field.fields[-1]
    to_images, to_source = figures_of(student)
    assert to_images == NOT_MEASURED, "the PSNR to source is not taken for it"
    assert to_source[1:] == ("quick: 1 val view, 24 px", True)
    assert rows_of_list(trained)[2][1] == "–"
    assert "to images" not in session.message
    assert f"PSNR to source {to_source[0]:.1f} dB (quick: 1 val view" in session.message
    assert trained.convert_field.fields[0].psnr_to_images.psnr == quick

    trained.convert_field.active_field = 0
    api.convert(trained, "hash", preset="small", steps=2)
    teacher, student = (trained.convert_field.fields[index] for index in (0, -1))
    assert teacher.psnr_to_images.measured_on == "1 test view, 24 px"
    assert teacher.psnr_to_images.psnr != quick and not teacher.psnr_to_images.quick
    assert [views for _, views, _ in figures_of(student)] == ["1 test view, 24 px"] * 2
    assert rows_of_list(trained)[1][1] == f"{teacher.psnr_to_images.psnr:.1f}"


def test_an_edited_field_and_its_student_are_not_compared_with_the_images(trained, api):
    api.add_shape(trained, "erase", "box", (0, 0, 1))
    api.apply_edits(trained)
    edited = trained.convert_field.fields[-1]
    assert figures_of(edited) == [NOT_MEASURED] * 2
    api.convert(trained, "hash", preset="small", steps=2)
    edited, student = trained.convert_field.fields[-2], trained.convert_field.fields[-1]
    assert figures_of(edited) == [NOT_MEASURED] * 2
    assert student.psnr_to_source.measured_on == "1 test view, 24 px"
    assert figures_of(student)[0] == NOT_MEASURED, "the images show another scene"


def test_a_field_that_is_added_has_its_reports_figures_or_else_its_own(trained, api, tmp_path):
    api.convert(trained, "hash", preset="small", steps=2)
    student = trained.convert_field.fields[-1]
    path, expected = Path(student.path), figures_of(student)
    api.remove_field(trained, path)
    api.add_field(trained, path)
    assert figures_of(trained.convert_field.fields[-1]) == expected

    alone = tmp_path / "alone.safetensors"
    alone.write_bytes(path.read_bytes())
    api.add_field(trained, alone)
    to_images, to_source = figures_of(trained.convert_field.fields[-1])
    assert to_images == NOT_MEASURED and to_source[1:] == ("quick: 1 val view, 24 px", True)

    # A report on another field, or none at all, is not believed.
    teacher = Path(trained.convert_field.fields[0].path)
    for text in (path.with_suffix(".report.json").read_text(), "[]", "{"):
        copy = tmp_path / f"copy{len(text)}.safetensors"
        copy.write_bytes(teacher.read_bytes())
        copy.with_suffix(".report.json").write_text(text)
        api.add_field(trained, copy)
        assert figures_of(trained.convert_field.fields[-1])[0][1] == "quick: 1 val view, 24 px"


def test_a_short_time_and_a_small_number_are_not_shown_as_nothing():
    from pvd_blender.engine.job import describe_seconds
    from pvd_blender.texts import decibel

    assert [describe_seconds(value) for value in (0, 0.2, 0.6, 75)] == [
        "0 s", "less than 1 s", "1 s", "1:15 min",
    ]  # fmt: skip
    assert [decibel(value) for value in (-0.04, 0.04, 24.06)] == ["0.0 dB", "0.0 dB", "24.1 dB"]
