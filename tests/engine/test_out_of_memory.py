"""A training that runs out of memory goes on with smaller steps, as if nothing had happened."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from engine_process import environment
from short_teachers import share_ball
from tiny_fields import tiny_fields
from torch.utils._python_dispatch import TorchDispatchMode

from pvd_engine.bench.measure import measure
from pvd_engine.data.readers import open_capture
from pvd_engine.fields.architectures import architecture, make_field
from pvd_engine.jobs.budget import Budget
from pvd_engine.jobs.job import Job
from pvd_engine.kernels.out_of_memory import is_out_of_memory
from pvd_engine.kernels.workload import bounded
from pvd_engine.space.rays import Rays
from pvd_engine.space.space_map import BoxMap
from pvd_engine.train.from_images import train_from_images
from pvd_engine.train.loop import LESS_AT_A_TIME, take_step
from pvd_engine.train.training import MIN_RAYS, Training

RAYS = 2 * MIN_RAYS

STRIDE = 9
"""Of so many allocations of a step one is refused in turn."""


class Allocator(TorchDispatchMode):
    """Refuses the memory of one result, counted from 0: torch's own cannot be told to."""

    def __init__(self, refused):
        super().__init__()
        self.left = refused

    def __torch_dispatch__(self, function, types, arguments=(), named=None):
        known = {tensor.untyped_storage().data_ptr() for tensor in tensors_in(arguments)}
        result = function(*arguments, **(named or {}))
        made = [t for t in tensors_in(result) if t.numel() > 1]
        if any(tensor.untyped_storage().data_ptr() not in known for tensor in made):
            self.left -= 1
            if self.left == -1:
                raise torch.OutOfMemoryError("the allocator of the test refuses")
        return result


def tensors_in(values):
    """All tensors in nested sequences."""
    if isinstance(values, torch.Tensor):
        return [values]
    if isinstance(values, (list, tuple)):
        return [tensor for value in values for tensor in tensors_in(value)]
    return []


def stepped(arch, job, refused=None, rays=RAYS):
    """A training after two steps and a third, of which one allocation may fail."""
    torch.manual_seed(0)
    space = BoxMap(torch.tensor([[-1.0] * 3, [1.0] * 3]))
    with tiny_fields():
        training = Training.start(make_field(architecture(arch, "small"), space), seed=0)
    directions = torch.nn.functional.normalize(torch.rand(RAYS, 3) - 0.5 + torch.eye(3)[2], dim=1)
    cast = Rays(torch.zeros(RAYS, 3) - 1.5 * torch.eye(3)[2], directions)
    wanted = torch.rand(RAYS, 3)

    def objective(step, fraction):
        count = int(training.rays)
        some = Rays(*(part[:count] for part in cast))
        result, _ = training.field.march(some, torch.full((count,), 0.5))
        return (result.color - wanted[:count]).square().mean(), {}

    training.rays = float(RAYS)
    with bounded(torch.device("cpu")):
        for _ in range(2):
            take_step(training, objective, 0.5, job)
        training.rays = float(rays)
        if refused is None:
            take_step(training, objective, 0.5, job)
        else:
            with Allocator(refused):
                take_step(training, objective, 0.5, job)
    return training


def learned(training):
    return training.field.state_dict() | training.optimizer.state()


@pytest.mark.parametrize("arch", ["hash", "mlp", "vm"])
def test_a_step_that_fails_anywhere_is_taken_from_its_start(arch, tmp_path):
    """Whatever allocation fails until the update begins: the step comes to the same."""
    expected = learned(stepped(arch, Job(tmp_path / "half"), rays=RAYS // 2))
    refused = 0
    while True:
        job = Job(tmp_path / f"job{refused}")
        try:
            training = stepped(arch, job, refused)
        except RuntimeError as error:  # the update, which is not repeated, has begun
            assert is_out_of_memory(error)
            break
        if not job.warnings:
            break  # no allocation is left
        assert job.warnings == [LESS_AT_A_TIME]
        assert training.rays == RAYS // 2 and training.step == 3
        got = learned(training)
        assert all(torch.equal(got[name], value) for name, value in expected.items())
        refused += STRIDE
    assert refused > 20


@pytest.mark.parametrize("enough", [True, False])
def test_a_field_that_is_larger_than_the_memory_it_may_take_is_named(enough, shared, tmp_path):
    with tiny_fields():
        field = make_field(
            architecture("vm", "small"), BoxMap(torch.tensor([[-1.0] * 3, [1.0] * 3]))
        )
        floats = 4 * sum(parameter.numel() for parameter in field.parameters())
        gigabytes = 4 * floats / 1e9 * (1.01 if enough else 0.99)
        training, job = Training.start(field, seed=0), Job(tmp_path / "job")
        with bounded(torch.device("cpu"), gigabytes):
            train_from_images(training, open_capture(share_ball(shared)), Budget(None, 1), job)
    named = [warning for warning in job.warnings if "optimiser alone take" in warning]
    assert len(named) == (0 if enough else 1)


def short_of_memory(shared, folder, megabytes):
    """What a process says that trains the ball with so little memory, and its field."""
    script = Path(__file__).with_name("short_of_memory.py")
    out = folder / "field.safetensors"
    done = subprocess.run(
        [sys.executable, script, share_ball(shared), out, str(megabytes)],
        capture_output=True,
        text=True,
        env=environment(),
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1]), out


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux bounds a process in this way")
def test_a_training_without_memory_for_its_steps_ends_with_a_good_field(shared, tmp_path):
    told, out = short_of_memory(shared, tmp_path, 40)
    assert told["status"] == "done", told
    assert told["warnings"] and set(told["warnings"]) == {LESS_AT_A_TIME}
    views = open_capture(share_ball(shared)).split("test")
    assert measure(out, views, "cpu", Job(tmp_path / "measure"))["psnr"] > 22
