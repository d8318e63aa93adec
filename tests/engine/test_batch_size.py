"""Steps begin small where a budget of time is to be spent, and fit the memory of their device."""

import pytest
import torch
from torch import nn

from pvd_engine.jobs.budget import Budget
from pvd_engine.kernels import workload
from pvd_engine.kernels.workload import STEP_SAMPLES, bounded, learning_bytes
from pvd_engine.train.batch_size import (
    FIRST_SAMPLES,
    GPU_FIRST_SAMPLES,
    BatchSize,
    batch_size,
)

SECONDS, STEPS = Budget(10.0, None), Budget(None, 100)


class OneLayer(nn.Module):
    """A learner with as wide a layer as asked for, on a device that need not be there."""

    def __init__(self, device="cpu", width=64):
        super().__init__()
        self.device = torch.device(device)
        self.layer = nn.Linear(2, width)


@pytest.fixture
def gpu_memory(monkeypatch):
    """Let a GPU have so much free memory."""
    return lambda free: monkeypatch.setattr(workload, "free_memory", lambda device: int(free))


def test_samples_grow_evenly_in_proportion_to_all_of_them():
    sizes = [BatchSize(8000, 1 / 4).at(fraction) for fraction in (0.0, 0.5, 1.0)]
    assert sizes == [2000, 4000, 8000]


def test_where_time_counts_steps_on_a_processor_begin_small():
    batch = batch_size(OneLayer(), SECONDS, 1 << 13)
    assert batch.at(0.0) == FIRST_SAMPLES * (1 << 13) and batch.at(1.0) == 1 << 13


def test_where_steps_count_each_has_all_samples():
    batch = batch_size(OneLayer(), STEPS, 1 << 13)
    assert batch.at(0.0) == batch.at(1.0) == 1 << 13


def test_steps_on_a_large_gpu_grow_from_small_ones_to_what_a_teacher_can_use(gpu_memory):
    gpu_memory(80e9)
    batch = batch_size(OneLayer("cuda"), SECONDS, 1 << 15)
    assert batch.at(0.0) == GPU_FIRST_SAMPLES and batch.at(1.0) == 1 << 21
    assert batch_size(OneLayer("cuda"), STEPS, 1 << 15).at(0.0) == 1 << 21
    assert batch_size(OneLayer("cuda"), SECONDS, 1 << 13).at(1.0) == 1 << 19


def test_steps_fit_a_small_gpu(gpu_memory):
    gpu_memory(4e9)
    wide = OneLayer("cuda", width=2048)
    batch = batch_size(wide, SECONDS, 1 << 15)
    assert batch.at(0.0) == batch.at(1.0) < GPU_FIRST_SAMPLES
    assert batch.at(1.0) * learning_bytes(wide) <= 0.8 * 4e9 / 2


@pytest.mark.parametrize("budget", [SECONDS, STEPS])
def test_a_bound_makes_steps_smaller_and_never_larger(budget):
    for gigabytes, expected in ((0.02, 1 << 11), (0.05, 1 << 13), (100, STEP_SAMPLES.cpu)):
        with bounded(torch.device("cpu"), gigabytes):
            assert batch_size(OneLayer(), budget, 1 << 15).at(1.0) == expected
