"""The profile of a training step: its parts add up, and the trace can be opened."""

import json

import pytest
import torch
from short_teachers import share_ball

from docs import list_results
from pvd_engine.bench import ceilings, step
from pvd_engine.bench import verb as bench
from pvd_engine.bench.verb import BenchArguments
from pvd_engine.jobs.job import Job
from pvd_engine.kernels.sources import (
    adam,
    compositing,
    contracted,
    factors,
    hash_grid,
    marching,
    networks,
    sparse_grid,
)


@pytest.fixture(scope="module")
def profile(shared, tmp_path_factory):
    """A profile of the ball's hash grid: the folder and the result."""
    folder = tmp_path_factory.mktemp("step")
    arguments = BenchArguments(
        what="step",
        capture=share_ball(shared, size=24),
        out=folder / "out",
        budget="1s",
        trace=True,
        device="cpu",
    )
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(step, "STEPS", 5)
        patch.setattr(ceilings, "READS", 1 << 16)
        patch.setattr(ceilings, "SIDE", 128)
        return folder / "out", bench.run(arguments, Job(folder / "job"))


def test_parts_add_up_to_a_step(profile):
    _, result = profile
    parts = {part["name"]: part for part in result["parts"]}
    assert {"march", "encoding", "encoding, backward", "composite", "Adam"} <= parts.keys()
    assert all(part["milliseconds"] >= 0 for part in parts.values())
    # Profiled steps are slower than timed ones, so the parts may be more than the whole.
    total = sum(part["milliseconds"] for part in parts.values())
    assert total >= 0.99 * result["clock_ms"]
    assert parts["encoding"]["work"] > 0 and parts["encoding"]["share_of_ceiling"] > 0
    assert parts["march"]["share_of_ceiling"] is None


def test_table_and_files_show_the_parts(profile):
    folder, result = profile
    for part in result["parts"]:
        assert part["name"] in result["table"]
    assert json.loads((folder / "step.json").read_text())["parts"] == result["parts"]
    page = list_results.made(folder)
    assert all(
        f"| {part['name']} | {part['milliseconds']:.2f} |" in page for part in result["parts"]
    )
    names = {event.get("name", "") for event in _trace(folder)["traceEvents"]}
    assert any(name.startswith("kernel hash_grid_forward_2 ") for name in names)


def _trace(folder):
    return json.loads((folder / "trace.json").read_text())


def test_every_kernel_of_a_step_has_a_part():
    kernels = [
        adam.STEP_KERNELS[2],
        compositing.composite_forward,
        compositing.transmittance,
        contracted.march_contracted,
        factors.line_products_backward,
        factors.plane_products_forward,
        hash_grid.BACKWARD_KERNELS[2],
        marching.march_rays,
        networks.ENCODED_FORWARD["float32"],
        networks.SHADED_BACKWARD["float32"],
        sparse_grid.sparse_grid_forward,
    ]
    for kernel in kernels:
        assert any(kernel.name.startswith(start) for start in step.PARTS), kernel.name
    backward = next(v for k, v in step.PARTS.items() if kernels[-2].name.startswith(k))
    assert backward == "networks, backward"


def test_ceilings_are_rates_of_the_device():
    limits = ceilings.measure(torch.device("cpu"))
    assert all(rate > 1e6 for rate in limits.values())
    assert limits["reads"] < 1e11 and limits["copies"] < 1e13
