"""Curves, error maps and the history behind them, against formulas of their own."""

import math
import re
import xml.etree.ElementTree as ET

import numpy as np
import pytest

from pvd_engine.measure.curves import Axis, line_plot, linear_ticks, log_ticks, stage_spans
from pvd_engine.measure.page import megabytes, number, page, positive
from pvd_engine.measure.pictures import ERROR_SCALE, INFERNO, error_map, inferno, smaller
from pvd_engine.train.history import LIMIT, History


def filled(steps, stages=(0.03, 0.15)):
    """A history whose loss is 1 / step and whose stages change at shares of the steps."""
    history = History()
    for step in range(1, steps + 1):
        stage = 1 + sum(step > share * steps for share in stages)
        metrics = {"stage": float(stage)} | ({"psnr_to_source": step / 10} if stage == 3 else {})
        history.add(step, step * 0.5, 1 / step, metrics)
    return history


@pytest.mark.parametrize("steps", [1, LIMIT, LIMIT + 1, 5000, 100_003])
def test_a_history_stays_small_and_keeps_every_step_in_a_mean(steps):
    history = filled(steps)
    points = history.points
    assert len(points) <= LIMIT + 3
    assert len(points) >= min(steps, LIMIT // 4)
    assert sum(point.steps for point in points) == steps
    assert points[-1].step == steps
    total = sum(point.loss * point.steps for point in points)
    assert total == pytest.approx(sum(1 / step for step in range(1, steps + 1)))
    assert [p.step for p in points] == sorted({p.step for p in points})


def test_no_point_of_a_history_mixes_stages():
    steps = 4096
    before = 0
    for point in filled(steps).points:
        for step in (before + 1, point.step):
            assert point.stage == 1 + (step > 0.03 * steps) + (step > 0.15 * steps)
        assert (point.psnr is None) == (point.stage < 3)
        before = point.step


def test_a_history_goes_through_a_checkpoint_unchanged():
    history = filled(700)
    restored = History()
    restored.load_state(history.state())
    for step in range(701, 900):
        for each in (history, restored):
            each.add(step, step * 0.5, 1.0, {"psnr_to_images": 20.0})
    assert restored.curves() == history.curves()
    for stage, lost in enumerate((math.nan, math.inf)):
        history.add(900 + stage, 450.0, lost, {"stage": float(stage)})
    restored.load_state(history.state())
    not_a_number, infinite = restored.points[-2:]
    assert math.isnan(not_a_number.loss) and math.isinf(infinite.loss)
    assert (infinite.stage, infinite.psnr) == (1, None)


def test_an_empty_history_goes_through_a_checkpoint():
    restored = filled(3)
    restored.load_state(History().state())
    assert restored.points == []


def points_of(svg):
    """Places along the curve, and the parsed drawing."""
    root = ET.fromstring(svg)
    line = next(e for e in root.iter("path") if e.get("class") == "line")
    moves = re.findall(r"([ML])([-\d.]+) ([-\d.]+)", line.get("d"))
    return [(pen, float(x), float(y)) for pen, x, y in moves], root


def test_a_plot_is_well_formed_linear_in_time_and_in_the_logarithm():
    seconds = [1.0, 2.0, 4.0, 8.0]
    moves, root = points_of(
        line_plot("a & b", "<dB>", seconds, [1, 0.1, 0.01, 1], [2, 2, 3, 3], True)
    )
    x = [move[1] for move in moves]
    y = [move[2] for move in moves]
    assert (x[2] - x[0]) == pytest.approx(3 * (x[1] - x[0]), abs=0.3)
    assert (y[1] - y[0]) == pytest.approx(y[2] - y[1], abs=0.3)
    assert y[1] > y[0]
    assert y[3] == y[0]
    assert root.get("aria-label") == "a & b"
    width = [float(e.get("width")) for e in root.iter("rect")]
    assert width[0] == pytest.approx(width[1] / 3, rel=0.01)
    assert [e.text for e in root.iter("text") if e.get("class") == "stage"] == ["2", "3"]


def test_a_curve_has_gaps_where_nothing_is_known_and_none_is_drawn_of_too_little():
    moves, _ = points_of(
        line_plot("t", "u", [1, 2, 3, 4, 5], [1, 2, None, math.inf, 3], [None] * 5)
    )
    assert [pen for pen, *_ in moves] == ["M", "L", "M"]
    assert "too few" in line_plot("t", "u", [1, 2], [None, 1.0], [2, 3])
    assert "too few" in line_plot("t", "u", [], [], [])
    assert "<svg" in line_plot("t", "u", [1, 2], [5.0, 5.0], [2, 3])


def test_stages_follow_each_other_without_gaps_from_zero():
    assert stage_spans([1, 2, 5, 9], [1, 1, 2, 3]) == [(0.0, 2, 1), (2, 5, 2), (5, 9, 3)]


@pytest.mark.parametrize(("low", "high"), [(0, 1), (24.7, 31.2), (-3, 1e5), (0.5, 0.5003)])
def test_ticks_are_round_and_within_the_axis(low, high):
    ticks = linear_ticks(low, high)
    assert 3 <= len(ticks) <= 7
    assert all(low - 1e-9 <= tick <= high + 1e-9 for tick in ticks)
    step = ticks[1] - ticks[0]
    assert round(step / 10 ** math.floor(math.log10(step * 1.0001)), 3) in (1, 2, 5)


def test_logarithmic_ticks_fall_back_on_linear_ones_within_a_narrow_range():
    assert log_ticks(0.04, 3) == pytest.approx([0.05, 0.1, 0.2, 0.5, 1, 2])
    assert log_ticks(1e-4, 1) == pytest.approx([1e-4, 1e-3, 1e-2, 1e-1, 1])
    assert len(Axis(0.11, 0.19, 0, 1, log=True).ticks()) >= 3


def lightness(color):
    """L* of CIE 1976 of an sRGB colour, from the standard's formulas."""
    c = np.asarray(color, float) / 255
    linear = np.where(c <= 0.04045, c / 12.92, ((c + 0.055) / 1.055) ** 2.4)
    y = linear @ (0.2126, 0.7152, 0.0722)
    return 116 * np.cbrt(y) - 16 if y > 0.008856 else 903.3 * y


def test_the_colours_of_errors_become_lighter_evenly():
    values = [lightness(color) for color in inferno(np.linspace(0, 1, 65))]
    steps = np.diff(values)
    assert values[0] < 2
    assert values[-1] > 95
    assert (steps > 0).all()
    assert steps.max() < 3 * steps.mean()


def test_an_error_map_shows_the_mean_absolute_error_on_its_stated_scale():
    zero = np.zeros((4, 6, 3), np.float32)
    other = zero.copy()
    other[0, 0] = (3 * ERROR_SCALE / 2, 0, 0)
    other[1, 1] = 5 * ERROR_SCALE
    colors = error_map(other, zero)
    hexadecimal = ["#{:02x}{:02x}{:02x}".format(*colors[i]) for i in ((0, 0), (1, 1), (2, 2))]
    assert hexadecimal == [INFERNO[4], INFERNO[-1], INFERNO[0]]
    assert (error_map(other, zero) == error_map(zero, other)).all()


def test_smaller_pictures_are_averages():
    picture = np.random.default_rng(0).random((8, 800, 3))
    expected = picture.reshape(4, 2, 400, 2, 3).mean(axis=(1, 3))
    assert smaller(picture) == pytest.approx(expected, abs=1e-6)
    assert smaller(picture[:, :100]).shape == (8, 100, 3)


def test_figures_that_are_unknown_or_without_bound_can_be_read():
    assert [number(v) for v in (None, math.nan, math.inf, 1234.567)] == ["–", "–", "∞", "1,234.57"]


def test_what_is_not_nothing_is_not_shown_as_nothing():
    assert [megabytes(size) for size in (0, 10, 49_900, 5_000_000)] == [
        "0 bytes", "10 bytes", "49.9 kB", "5.00 MB",
    ]  # fmt: skip
    assert [positive(value) for value in (0.0, 0.04, 0.1, 12.34)] == [
        "0.0", "less than 0.1", "0.1", "12.3",
    ]  # fmt: skip


def test_a_page_can_be_made_of_a_report_without_figures():
    nothing = {"psnr": None, "ssim": None}
    part = {"file": "a.safetensors", "kind": "merged_field", "architecture": None}
    text = page(
        {
            "made": "2024-01-01T00:00:00+00:00",
            "capture": {"name": "c", "split": "test", "views": 0, "measured": 0},
            "notes": [],
            "figures": {"psnr_to_source": {"measured_on": "3 test views, 24 px"}},
            "before": nothing,
            "after": nothing,
            "to_teacher": {"psnr": math.inf, "ssim": 1.0},
            "views": [],
            "curves": {name: [] for name in ("step", "seconds", "stage", "loss", "psnr")},
            "teacher": part | {"parameters": 0, "size": 10},
            "student": part | {"parameters": 0, "size": 10},
            "times": {"steps": 0, "seconds": 0.0, "steps_per_second": 0.0, "report_seconds": 0.0},
            "settings": {"a": None},
            "provenance": {"loss": math.inf},
            "machine": {
                name: None
                for name in ("device", "threads", "cores", "platform", "python", "engine")
            }
            | {"torch": "2", "warp": None},
        },
        [],
    )
    assert "∞ dB" in text
    assert "too few steps" in text
