"""Steps on a CPU begin small where a budget of time is to be spent."""

import torch

from pvd_engine.jobs.budget import Budget
from pvd_engine.train.batch_size import CUDA_SAMPLES, FIRST_SAMPLES, BatchSize, batch_size

CPU = torch.device("cpu")


def test_samples_grow_evenly_in_proportion_to_all_of_them():
    sizes = [BatchSize(8000, 1 / 4).at(fraction) for fraction in (0.0, 0.5, 1.0)]
    assert sizes == [2000, 4000, 8000]


def test_where_time_counts_steps_on_a_processor_begin_small():
    batch = batch_size(CPU, Budget(10.0, None), 1 << 13)
    assert batch.at(0.0) == FIRST_SAMPLES * (1 << 13) and batch.at(1.0) == 1 << 13


def test_where_steps_count_each_has_all_samples():
    batch = batch_size(CPU, Budget(None, 100), 1 << 13)
    assert batch.at(0.0) == batch.at(1.0) == 1 << 13


def test_on_a_gpu_steps_have_as_many_samples_from_the_start():
    batch = batch_size(torch.device("cuda"), Budget(10.0, None), 1 << 13)
    assert batch.at(0.0) == batch.at(1.0) == CUDA_SAMPLES
