"""The cost of training by size: every axis is measured, and growth is fitted rightly."""

import json
import xml.etree.ElementTree as ET

import numpy as np
import pytest
import torch
from short_teachers import share_ball
from tiny_fields import tiny_fields

from docs import list_results
from pvd_engine.bench import cost
from pvd_engine.bench import verb as bench
from pvd_engine.bench.cost_picture import COLORS
from pvd_engine.bench.verb import BenchArguments
from pvd_engine.data.readers import open_capture
from pvd_engine.errors import UserError
from pvd_engine.jobs.job import Job
from pvd_engine.kernels.adam import adam_step_sparse
from pvd_engine.kernels.row_gradient import BLOCK_ROWS, RowGradient
from pvd_engine.train.pixels import PixelTable

SIZES = {
    "TURNS": 1,
    "RAYS": (64, 128, 256),
    "STEPS_ACROSS": (72, 144),
    "LOG2_ENTRIES": (10, 11),
    "ADAM_LOG2_ENTRIES": (10, 12),
    "TOUCHED_BLOCKS": 64,
    "IMAGES": (3, 20),
    "RAYS_ELSEWHERE": 128,
}
CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def capture(shared):
    return share_ball(shared, size=24)


def arguments(capture, folder):
    return BenchArguments(what="cost", capture=capture, out=folder, device="cpu")


@pytest.fixture(scope="module")
def result(capture, tmp_path_factory):
    """The folder and the result of a small benchmark."""
    folder = tmp_path_factory.mktemp("cost")
    with pytest.MonkeyPatch.context() as patch:
        for name, value in SIZES.items():
            patch.setattr(cost, name, value)
        with tiny_fields():
            return folder, bench.run(arguments(capture, folder), Job(folder / "job"))


def test_every_axis_is_measured_at_its_sizes(result):
    folder, measured = result
    sizes = {
        (axis["work"], axis["size"]): [point["size"] for point in axis["points"]]
        for axis in measured["axes"]
    }
    samples = sizes.pop(("step", "samples"))
    assert samples[1] == pytest.approx(2 * samples[0], rel=0.05) and samples[0] > 0
    assert sizes == {
        ("step", "rays"): [64, 128, 256],
        ("step", "entries of a level"): [1 << 10, 1 << 11],
        ("Adam alone", "entries of a level"): [1 << 10, 1 << 12],
        ("opening and a step", "images"): [3, 20],
    }
    for axis in measured["axes"]:
        assert all(p["clock_ms"] > 0 and p["processor_ms"] > 0 for p in axis["points"])
    kept = json.loads((folder / "cost.json").read_text())
    assert kept["axes"] == measured["axes"]
    assert kept["command"] == f"pvd bench cost {kept['capture']} --device cpu"
    assert cost.format_table(kept) == measured["table"]
    page = list_results.made(folder)
    assert page.count("\n| ") == 2 + len(measured["axes"])
    assert "| rays, 64 to 256 |" in page


def test_the_drawing_has_a_line_for_each_axis(result):
    folder, measured = result
    tree = ET.parse(folder / "cost.svg")
    strokes = [path.get("stroke") for path in tree.iter("{http://www.w3.org/2000/svg}path")]
    assert [strokes.count(color) for color in COLORS] == [2] * len(measured["axes"])
    texts = [text.text for text in tree.iter("{http://www.w3.org/2000/svg}text")]
    for axis in measured["axes"]:
        assert any(f"{axis['work']}, by {axis['size']}: exponent" in text for text in texts)


@pytest.mark.parametrize("power", [-0.5, 0.0, 1.0, 1.7])
def test_the_exponent_of_a_power_is_found(power):
    sizes = [3, 6, 24, 100]
    assert cost.exponent(sizes, [7 * size**power for size in sizes]) == pytest.approx(power)


def test_the_exponent_is_that_of_least_squares():
    random = np.random.default_rng(0)
    sizes = np.geomspace(10, 1000, 7)
    costs = sizes**0.8 * random.lognormal(0, 0.2, 7)
    slope, _ = np.polyfit(np.log(sizes), np.log(costs), 1)
    assert cost.exponent(list(sizes), list(costs)) == pytest.approx(slope)


def test_what_grows_faster_than_its_size_is_named():
    def axis(size, exponent):
        exponents = {"processor_ms": exponent, "clock_ms": 0.0}
        return {"size": size, "work": "step", "points": [], "exponents": exponents}

    made_up = {"axes": [axis("rays", 1.01), axis("images", 1.2), axis("samples", 0.4)]}
    assert cost.above_linear(made_up) == ["step, by images"]
    settings = {"capture": "c", "device": "cpu", "threads": 2, "turns": 3}
    assert cost.format_table(made_up | settings).endswith("above linear: step, by images")


def test_the_median_of_the_turns_after_the_first_counts(tmp_path, monkeypatch):
    times = iter([90.0, 90.0, 1.0, 5.0, 3.0, 60.0, 2.0, 6.0])
    monkeypatch.setattr(cost, "TURNS", 3)
    monkeypatch.setattr(cost, "spent", lambda call, device: cost.Spent(next(times), 0.5))
    trials = [cost.Trial(size, lambda: None) for size in (1, 2)]
    points = cost.measured(trials, CPU, Job(tmp_path))["points"]
    assert [point["clock_ms"] for point in points] == [2000.0, 6000.0]


def test_a_step_leaves_the_field_as_it_was_and_casts_as_many_rays_again(capture):
    opened = open_capture(capture)
    with PixelTable.open(opened.split("train"), CPU) as pixels:
        scene = cost.Scene(pixels, cost._space(opened), CPU, 0)
        step = cost.Step.of(scene, rays=100, log2_entries=10)
        before = [parameter.clone() for parameter in step.training.field.parameters()]
        drawn = []
        draw = pixels.draw
        pixels.draw = lambda count, generator: drawn.append(count) or draw(count, generator)
        for _ in range(3):
            step.take(pixels)
    assert drawn == [100] * 3
    moments = step.training.optimizer.state()
    assert any(value.abs().max() > 0 for name, value in moments.items() if "exp_avg" in name)
    for old, new in zip(before, step.training.field.parameters(), strict=True):
        assert torch.equal(old, new)


@pytest.mark.parametrize("rows", [1 << 12, 1 << 15, 1 << 18])
def test_adam_visits_as_many_rows_however_large_the_table_is(rows):
    """Rows without a mark have a gradient, too, but are neither read nor changed."""
    blocks = torch.arange(16) * (rows // BLOCK_ROWS // 16)
    table = torch.zeros(rows, 2)
    gradient = RowGradient(table)
    gradient.values.fill_(1.0)
    gradient.touched[blocks] = 1
    gradient.used = True
    moments = torch.zeros_like(table), torch.zeros_like(table)
    adam_step_sparse(table, gradient, *moments, 1e-2, (0.9, 0.99), 1e-15, 1)
    visited = torch.zeros(rows // BLOCK_ROWS, dtype=torch.bool)
    visited[blocks] = True
    for changed in (table != 0, moments[0] != 0, moments[1] != 0, gradient.values == 0):
        assert torch.equal(changed.view(len(visited), -1).all(dim=1), visited)
        assert changed.any(dim=1).sum() == 16 * BLOCK_ROWS


def test_without_warp_the_benchmark_is_refused(capture, tmp_path, monkeypatch):
    monkeypatch.setenv("PVD_KERNELS", "reference")
    with pytest.raises(UserError, match="pvd info --device"):
        bench.run(arguments(capture, tmp_path / "out"), Job(tmp_path / "job"))
