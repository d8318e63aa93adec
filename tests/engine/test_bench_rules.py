"""The rules by which benchmarks judge, on made-up numbers."""

import itertools

import numpy as np
import pytest
from ball_capture import write_ball_capture

from pvd_engine.bench import ablation
from pvd_engine.bench.head_start import arrival
from pvd_engine.bench.matrix import verdict
from pvd_engine.bench.matrix_picture import gap_color
from pvd_engine.bench.measure import held_out
from pvd_engine.bench.plan import Plan
from pvd_engine.bench.speed import format_table, median_fraction, reached
from pvd_engine.data.readers import open_capture
from pvd_engine.fields.registry import RADIANCE_FIELDS


@pytest.mark.parametrize(
    ("student", "teacher", "scratch", "expected"),
    [
        (30.3, 31.2, 23.0, "within 1 dB of its teacher"),
        (30.0, 31.0, 35.0, "within 1 dB of its teacher"),
        (33.0, 31.0, 35.0, "within 1 dB of its teacher"),
        (29.99, 31.0, 23.0, "above scratch"),
        (23.1, 31.0, 23.0, "above scratch"),
        (23.0, 31.0, 23.0, "below both"),
        (20.0, 31.0, 23.0, "below both"),
    ],
)
def test_a_student_is_near_its_teacher_or_above_scratch_or_below_both(
    student, teacher, scratch, expected
):
    assert verdict(student, teacher, scratch) == expected


def test_colors_grow_darker_with_the_gap_and_end():
    lightness = [sum(gap_color(gap)) for gap in np.linspace(0, 4, 30)]
    assert lightness == sorted(lightness, reverse=True)
    assert gap_color(-3) == gap_color(0)
    assert gap_color(9) == gap_color(4)


def record(psnr, seconds=1.0, **more):
    return {"test": {"psnr": psnr, "psnr_to_source": psnr + 2}, "seconds": seconds, **more}


def speed_run(*students):
    return {
        "seed": 4,
        "teacher": record(31.0, seconds=120.0),
        "scratch": record(23.0),
        "plain NeRF": record(15.0),
        "students": [
            record(psnr, 120 * fraction, fraction=fraction, process_seconds=120 * fraction + 5)
            for fraction, psnr in students
        ],
    }


def test_a_student_has_arrived_when_it_is_within_a_decibel_of_the_final():
    students = [
        record(psnr, fraction=fraction) for fraction, psnr in ((0.1, 27.9), (0.2, 28.0), (0.5, 29))
    ]
    assert arrival(students, 29.0) == 0.2
    assert arrival(students, 31.0) is None


def test_the_smallest_fraction_that_reaches_a_baseline_counts():
    run = speed_run((1 / 20, 16.0), (1 / 15, 22.99), (1 / 10, 23.0), (1 / 7, 24.0))
    scratch, plain = (reached(run, name, 120.0) for name in ("scratch", "plain NeRF"))
    assert scratch["fraction"] == 1 / 10
    assert scratch["student_seconds"] == pytest.approx(12.0)
    assert scratch["process_seconds"] == pytest.approx(17.0)
    assert scratch["fraction_with_teacher"] == pytest.approx(132 / 120)
    assert plain["fraction"] == 1 / 20
    assert plain["psnr"] == 15.0


def test_a_baseline_that_no_student_reaches_has_no_fraction():
    row = reached(speed_run((1 / 20, 16.0), (1 / 2, 22.0)), "scratch", 120.0)
    assert (row["fraction"], row["fraction_with_teacher"]) == (None, None)
    result = {
        "capture": "c",
        "source": "hash",
        "target": "mlp",
        "budget": "120s",
        "device": "cpu",
        "views": ["a"],
        "rows": [row],
        "medians": {"scratch": None},
    }
    assert "not reached" in format_table(result)


def test_the_median_counts_a_run_that_did_not_reach_as_last():
    assert median_fraction([0.1, None, 0.2]) == 0.2
    assert median_fraction([None, 0.1, None]) is None
    assert median_fraction([0.1, 0.05, 0.5]) == 0.1


def test_a_spread_is_mean_least_and_most():
    found = ablation.spread([record(29.0), record(31.0), record(33.0)])
    assert found["mean"] == {"test_psnr": 31.0, "psnr_to_source": 33.0}
    assert found["least"]["test_psnr"] == 29.0
    assert found["most"]["psnr_to_source"] == 35.0
    with_val = [record(29.0, val={"psnr": 20.0}), record(31.0, val={"psnr": 22.0})]
    assert ablation.spread(with_val)["mean"]["val_psnr"] == 21.0


def test_networks_are_not_projected_and_every_grid_is():
    chosen = ablation.default_trials("hash")
    assert ("mlp", "no projection") not in chosen
    assert {v for t, v in chosen if t == "mlp"} == set(ablation.VARIANTS) - {"no projection"}
    for name in set(RADIANCE_FIELDS) - {"hash", "mlp"}:
        assert [v for t, v in chosen if t == name] == ["default", "no projection"]


@pytest.mark.parametrize("target", ["mlp", "vm", "light_field"])
def test_each_variant_of_an_ablation_differs(tmp_path, target):
    plan = Plan("ablation", tmp_path, tmp_path, "1s", 0, "cpu")
    asked = [
        plan.conversion("hash", target, "student", **ablation.variants(target)[variant])
        for _, variant in ablation.trials(target)
    ]
    assert len(asked) > 5
    assert not any(a == b for a, b in itertools.combinations(asked, 2))


def test_views_are_evenly_spaced(tmp_path):
    capture = open_capture(write_ball_capture(tmp_path / "ball", 16, (("train", 2), ("test", 10))))
    names = [view.name for view in held_out(capture, "test", 4)]
    assert names == ["test/r_0", "test/r_2", "test/r_5", "test/r_7"]
    assert len(held_out(capture, "test")) == 10
    assert held_out(capture, "val", 4) == ()
