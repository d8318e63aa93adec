"""Measuring a conversion takes no longer than its own budget, and favours no view."""

import json
import math
import time

import pytest
from point_clock import point_clock
from short_teachers import run_convert, share_ball, share_field

from pvd_engine.data.splits import spread_order
from pvd_engine.errors import UserError
from pvd_engine.jobs.job import Job
from pvd_engine.measure import report_views
from pvd_engine.verbs.convert import ConvertArguments

VIEWS = 8


@pytest.fixture(scope="module")
def folder(shared, tmp_path_factory):
    """A folder with a capture that has as many test views as are measured, and a teacher."""
    capture = share_ball(shared, counts=(("train", 10), ("val", 1), ("test", VIEWS)))
    folder = tmp_path_factory.mktemp("report_budget")
    (folder / "ball").symlink_to(capture)
    field = share_field(shared, capture, steps=40)
    (folder / "hash.safetensors").symlink_to(field)
    return folder


@pytest.fixture
def clock(monkeypatch):
    """A clock that a picture of a report advances by half a second, so that a view takes one."""

    class Clock:
        now = 0.0

    def render(field, camera, progress):
        for half in (0.5, 1.0):
            Clock.now += 0.25
            progress(half)
        return real(field, camera)

    real = report_views.render_image
    monkeypatch.setattr(report_views, "render_image", render)
    monkeypatch.setattr(time, "monotonic", lambda: Clock.now)
    return Clock


def report_of(folder, tmp_path, job=None, **options):
    """The report of a short conversion with a report."""
    run_convert(folder, tmp_path, report=True, job=job, **{"steps": 2} | options)
    return json.loads((tmp_path / "student.report.json").read_text(encoding="utf-8"))


@pytest.mark.parametrize(
    ("given", "measured"), [("3.2s", 3), ("8s", VIEWS), ("1m", VIEWS), ("0.1s", 1), (None, VIEWS)]
)
def test_as_many_views_are_measured_as_the_reports_budget_suffices_for(
    folder, tmp_path, clock, given, measured
):
    told = report_of(folder, tmp_path, report_budget=given)
    assert told["capture"]["measured"] == len(told["views"]) == measured
    assert told["times"]["report_seconds"] == measured
    of = f"{VIEWS} test views" if measured == VIEWS else f"{measured} of {VIEWS} test views"
    for figure in told["figures"].values():
        assert figure["measured_on"] == f"{of}, 40 px"
    notes = [note for note in told["notes"] if "evenly spaced" in note]
    assert len(notes) == (measured < VIEWS)
    names = [f"test/r_{index}" for index in sorted(spread_order(VIEWS)[:measured])]
    assert [view["name"] for view in told["views"]] == names


def test_a_report_takes_at_most_half_of_the_conversions_budget_unless_asked(tmp_path):
    given = {"field": tmp_path / "a.safetensors", "to": "mlp", "out": tmp_path / "b.safetensors"}

    def seconds(**options):
        return ConvertArguments(**given, **options).report_seconds()

    assert seconds() == 90
    assert seconds(budget="20s") == 10
    assert seconds(budget="20s", report_budget="1m") == 60
    assert seconds(steps=5) == math.inf
    assert seconds(steps=5, report_budget="7") == 7
    for wrong in ("soon", "0", "-1s", ""):
        with pytest.raises(UserError, match=r"--report-budget '.*' is not valid; write it as 90s"):
            seconds(report_budget=wrong)


def test_measuring_is_a_phase_and_the_time_left_includes_it_from_the_start(folder, tmp_path, clock):
    job, events = Job(tmp_path / "job", [lambda event: events.append(event)]), []
    report_of(folder, tmp_path, job=job, report_budget="3.2s")
    progress = [event["payload"] for event in events if event["type"] == "progress"]
    measuring = [one for one in progress if one.get("doing", "").startswith("Measuring")]
    phases = list(dict.fromkeys(one["doing"] for one in measuring))
    assert phases == ["Measuring 1/8", "Measuring 2/3", "Measuring 3/3"]
    assert [one["seconds_left"] for one in measuring][:4] == pytest.approx([2.95, 2.7, 2.45, 2.2])
    assert measuring[-1]["fraction"] == 1 and measuring[-1]["seconds_left"] == 0


def test_during_the_optimisation_the_time_left_includes_the_report(folder, tmp_path):
    events = []
    job = Job(tmp_path / "job", [events.append])
    with point_clock():
        report_of(folder, tmp_path, job=job, steps=None, budget="4s", report_budget="60s")
    progress = [event["payload"] for event in events if event["type"] == "progress"]
    making = [one["seconds_left"] for one in progress if "doing" not in one]
    assert len(making) > 3
    assert all(60 < left < 64 for left in making)
    assert making == sorted(making, reverse=True)


@pytest.mark.parametrize("count", [1, 2, 3, 5, 8, 25, 200])
def test_every_beginning_of_the_order_of_views_is_evenly_spread(count):
    order = spread_order(count)
    assert sorted(order) == list(range(count))
    for length in range(1, count + 1):
        taken = sorted(order[:length])
        gaps = [b - a for a, b in zip(taken, [*taken[1:], taken[0] + count], strict=True)]
        assert max(gaps) <= 2 * math.ceil(count / length), (length, taken)
