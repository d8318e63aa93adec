"""A budget of time is kept, from the first preparation to the settled field."""

import contextlib
import math
import time
from dataclasses import replace

import pytest
import torch
from analytic_field import block
from point_clock import point_clock
from short_teachers import make_teachers, run_convert, run_train
from stopping_job import StoppingJob

from pvd_engine.data.readers import open_capture
from pvd_engine.errors import Cancelled
from pvd_engine.fields.registry import CLOUDS, LIGHT_FIELD, RADIANCE_FIELDS
from pvd_engine.fields.storage import load_field
from pvd_engine.jobs.budget import Budget
from pvd_engine.jobs.job import Job
from pvd_engine.kernels.workload import POINTS
from pvd_engine.space.occupancy import TIMED_CELL_WEIGHT, OccupancyGrid
from pvd_engine.space.space_map import BoxMap
from pvd_engine.train import from_images
from pvd_engine.train.from_images import ImageObjective
from pvd_engine.train.preview import LONGEST_SIDE, SHORTEST_SIDE, Preview, preview_views

ASKED = 4.0
"""Budget in seconds of the clock of points, some hundred steps of a tiny field."""


@pytest.fixture(scope="module")
def folder(shared, tmp_path_factory):
    """A folder with the ball's capture and a short teacher."""
    return make_teachers(shared, tmp_path_factory.mktemp("budgets"), ["hash"])


def assert_kept(seconds, asked):
    assert abs(seconds - asked) <= 0.05 * asked


@pytest.mark.parametrize("name", [*RADIANCE_FIELDS, *CLOUDS])
def test_a_training_ends_when_its_budget_is_spent(folder, tmp_path, name):
    with point_clock() as clock:
        made = run_train(folder / "ball", tmp_path / "a.safetensors", arch=name, budget=f"{ASKED}s")
        assert_kept(clock.now, ASKED)
    assert made["seconds"] == pytest.approx(clock.now)
    assert made["steps"] > 5


@pytest.mark.parametrize("name", [*RADIANCE_FIELDS, *CLOUDS, LIGHT_FIELD])
def test_a_conversion_ends_when_its_budget_is_spent(folder, tmp_path, name):
    with point_clock() as clock:
        made = run_convert(folder, tmp_path, to=name, steps=None, budget=f"{ASKED}s")
        assert_kept(clock.now, ASKED)
    assert made["seconds"] == pytest.approx(clock.now)
    assert made["steps"] > 5


def test_a_resumed_training_goes_on_with_the_time_that_was_left(folder, tmp_path):
    out, budget = tmp_path / "a.safetensors", f"{ASKED}s"
    with point_clock() as clock:
        job = StoppingJob(tmp_path / "job", after=20)
        with pytest.raises(Cancelled):
            run_train(folder / "ball", out, job, budget=budget)
        before = clock.now
        clock.now += 1000
        run_train(folder / "ball", out, Job(tmp_path / "job"), budget=budget)
    assert 0.1 < before < 0.9 * ASKED
    assert_kept(clock.now - 1000, ASKED)


def test_what_comes_before_the_first_step_takes_no_part_of_the_schedule(folder, tmp_path):
    fractions = []

    def objective(objective, step, fraction):
        fractions.append(fraction)
        return real(objective, step, fraction)

    real = ImageObjective.__call__
    with point_clock() as clock, pytest.MonkeyPatch.context() as patch:
        patch.setattr(from_images, "exclude_unseen", lambda *_: clock.wait(ASKED / 2))
        patch.setattr(ImageObjective, "__call__", objective)
        run_train(folder / "ball", tmp_path / "a.safetensors", budget=f"{ASKED}s")
        assert_kept(clock.now, ASKED)
    assert fractions[0] == 0 and fractions[-1] > 0.9


def test_a_budget_too_short_for_any_step_still_makes_a_field(folder, tmp_path):
    with point_clock():
        made = run_train(folder / "ball", tmp_path / "a.safetensors", budget="0.001s")
    assert made["steps"] == 1


def test_of_a_slow_field_the_preview_is_small(folder, tmp_path):
    views = [
        replace(view, image_path=None, camera=replace(view.camera, width=400, height=200))
        for view in preview_views(open_capture(folder / "ball"))
    ]
    field, job = load_field(folder / "hash.safetensors"), Job(tmp_path / "job")

    def side(seconds, steps=None):
        with point_clock():
            camera = Preview(views, field, job, Budget(seconds, steps)).camera
        return camera.width

    assert side(None, 5) == side(1e3) == LONGEST_SIDE
    assert SHORTEST_SIDE < side(0.05) < LONGEST_SIDE
    assert side(1e-4) == SHORTEST_SIDE


class Grid:
    """A grid of which a training left more occupied than its field has density, by formula."""

    def __init__(self):
        self.occupancy = OccupancyGrid(BoxMap(torch.tensor([[-1.0] * 3, [1.0] * 3])), 48)
        self.occupancy.values[:, :, :4] = -1  # no camera sees them
        self.occupancy.binary[:, :, :4] = 0
        self.occupancy.binary[:, 40:] = 0
        self.before = self.occupancy.binary.bool()
        self.formula = block(50.0, (-0.6, -0.5, -0.7), (0.2, 0.9, 0.6))
        self.points = 0

    def log_density(self, points):
        self.points += len(points)
        return self.formula(points).clamp(min=1e-20).log()

    def settled(self, deadline=math.inf):
        """The bits after settling."""
        with self.clock():
            self.occupancy.rebuild(self.log_density, 0.02, deadline)
        return self.occupancy.binary.bool()

    @contextlib.contextmanager
    def clock(self):
        """Within, the clock counts points."""
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(time, "monotonic", lambda: float(self.points))
            yield


@pytest.mark.parametrize("part", [-0.1, 0.3, 0.6, 0.95, 1.1])
def test_settling_that_is_cut_short_loses_no_cell_that_holds_density(part):
    full, cut = Grid(), Grid()
    expected, before = full.settled(), full.before
    deadline = part * full.points
    got = cut.settled(deadline)
    assert cut.points <= max(deadline, 0) + 4 * POINTS.cpu / TIMED_CELL_WEIGHT["cpu"]
    assert got[expected & before].all(), "no matter is lost"
    assert not got[~expected & ~before].any(), "and none is invented"
    if part < 0:
        assert torch.equal(got, before)
    elif part > 1:
        assert torch.equal(got, expected)
    else:
        assert got[before].sum() < before.sum(), "and something is settled"


def test_the_time_of_settling_is_known_before():
    grid = Grid()
    with grid.clock():
        predicted = grid.occupancy.rebuild_seconds(grid.log_density, 0.02)
    grid.points = 0
    grid.settled()
    assert predicted == pytest.approx(grid.points, rel=0.05)
