"""How much is worked on at once follows device and memory, and changes no result."""

import logging
from itertools import pairwise
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from analytic_field import AnalyticField, gaussian_blob
from torch import nn

from pvd_engine.data.capture import Camera
from pvd_engine.errors import UserError
from pvd_engine.exchange.volume import sample_volume
from pvd_engine.jobs.runner import _failure
from pvd_engine.kernels import workload as workloads
from pvd_engine.kernels.memory import IDLE_BYTES, POOL
from pvd_engine.kernels.out_of_memory import OUT_OF_MEMORY, is_out_of_memory
from pvd_engine.kernels.workload import (
    CPU_PIXELS,
    MARCHED,
    PICTURE_RAYS,
    POINTS,
    SMALLEST_SCALE,
    STEP_RAYS,
    STEP_SAMPLES,
    Workload,
    bounded,
    concatenated,
    in_portions,
    learning_bytes,
    release_memory,
    retried,
    workload,
)
from pvd_engine.render.render import render_image

CPU, CUDA = torch.device("cpu"), torch.device("cuda")
PORTIONS = (POINTS, PICTURE_RAYS, MARCHED, STEP_RAYS, STEP_SAMPLES)

CPU_ALLOCATOR = "[enforce fail at alloc_cpu.cpp:127] . DefaultCPUAllocator: can't allocate memory"
ERRORS = [
    MemoryError(),
    np._core._exceptions._ArrayMemoryError((1 << 50,), np.dtype("f4")),
    torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB"),
    RuntimeError(f"{CPU_ALLOCATOR}: you tried to allocate 1 bytes. Error code 12"),
    RuntimeError("Failed to allocate 4096 bytes on device 'cuda:0'"),
    RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`"),
    RuntimeError("MPS backend out of memory (MPS allocated: 1 GB)"),
    RuntimeError("std::bad_alloc"),
]
OTHERS = [RuntimeError("mat1 and mat2 shapes cannot be multiplied"), UserError("out of memory")]


def sizes(load):
    return [load.at_once(portion) for portion in PORTIONS]


def test_portions_on_a_processor_are_the_usual_ones():
    usual = [1 << 17, 1 << 14, 1 << 24, 1 << 16, 1 << 15]
    assert sizes(workload(CPU)) == usual
    with bounded(CPU):
        assert sizes(workload(CPU)) == usual
        assert workload(CPU).pixel_bytes == CPU_PIXELS == 3 * 2**29


@pytest.mark.parametrize("gigabytes", [0.1, 0.5, 4, 1000])
@pytest.mark.parametrize("device", [CPU, CUDA])
def test_portions_fit_half_of_a_bound_and_images_a_quarter(device, gigabytes):
    load = Workload.of(device, gigabytes)
    for portion in PORTIONS:
        size = load.at_once(portion)
        most = portion.cpu if device == CPU else portion.gpu
        assert size * portion.item_bytes <= gigabytes * 1e9 / 2
        assert size == most or 2 * size * portion.item_bytes > gigabytes * 1e9 / 2
        assert size & (size - 1) == 0, "a power of two: a little more memory changes no result"
    assert load.pixel_bytes <= gigabytes * 1e9 / 4


def test_portions_grow_with_a_gpus_free_memory_up_to_a_limit(monkeypatch):
    shown = []
    for free in (6e9, 24e9, 80e9, 500e9):
        monkeypatch.setattr(workloads, "free_memory", lambda device, free=free: int(free))
        load = Workload.of(CUDA)
        assert load.memory == int(0.8 * free)
        shown.append(sizes(load))
    for small, large in pairwise(shown):
        assert all(a <= b for a, b in zip(small, large, strict=True))
    assert shown[0] < shown[1] < shown[2]
    points, picture_rays, _, _, step_samples = shown[2]
    assert (points, picture_rays, step_samples) == (1 << 21, 1 << 20, 1 << 21)
    assert shown[3] == [portion.gpu for portion in PORTIONS]


def test_a_bound_holds_within_its_block_alone():
    with bounded(CPU, 0.1), pytest.raises(UserError):
        assert workload(CPU).at_once(POINTS) < POINTS.cpu
        raise UserError("stop")
    assert workload(CPU).at_once(POINTS) == POINTS.cpu


def test_wide_networks_learn_from_fewer_samples():
    narrow, wide = nn.Linear(8, 64), nn.Sequential(nn.Linear(8, 256), nn.Linear(256, 256))
    assert learning_bytes(wide) > learning_bytes(narrow) > learning_bytes(nn.ReLU())
    load = Workload.of(CPU, 0.1)
    fitting = [load.most(STEP_SAMPLES, learning_bytes(module)) for module in (narrow, wide)]
    assert fitting[0] > fitting[1]


def seen(work, gigabytes):
    """The result of some work on a field of fog, and the largest portion of it."""
    field, largest = AnalyticField(gaussian_blob(4.0, 0.4), shaded), []
    asked = field.log_density
    field.log_density = lambda points: largest.append(len(points)) or asked(points)
    with bounded(CPU, gigabytes):
        return work(field), max(largest)


def shaded(points, directions):
    return 0.5 + 0.5 * torch.sin(points * 3 + directions)


def picture(field):
    matrix = np.eye(4)
    matrix[2, 3] = 3.0
    image = render_image(field, Camera(matrix, 20, 16, 25.0, 25.0, 10.0, 8.0))
    return image.color, image.alpha, image.depth


def volume(field):
    sampled = sample_volume(field, 24)
    return sampled.density, sampled.color


def settled(field):
    field.occupancy.update_everywhere(field.log_density, field.step, torch.Generator())
    field.occupancy.rebuild(field.log_density, field.step)
    return (field.occupancy.values.numpy(),)


@pytest.mark.parametrize("work", [picture, volume, settled])
def test_results_do_not_depend_on_the_portions(work):
    whole, most = seen(work, None)
    parts, few = seen(work, 0.002)
    assert few < most
    assert all(array.any() for array in whole)
    for one, other in zip(whole, parts, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("error", ERRORS, ids=lambda error: type(error).__name__)
def test_every_library_is_understood_when_it_has_no_memory(error, tmp_path):
    assert is_out_of_memory(error)
    assert _failure(error, tmp_path).message == OUT_OF_MEMORY
    assert OUT_OF_MEMORY.count(".") == 1


@pytest.mark.parametrize("error", OTHERS)
def test_other_errors_are_no_lack_of_memory(error):
    assert not is_out_of_memory(error)


def test_a_portion_that_does_not_fit_is_halved_and_nothing_is_left_out(caplog):
    tried = []

    def work(part):
        tried.append(part.stop - part.start)
        if tried[-1] > 40_000:
            raise RuntimeError(f"{CPU_ALLOCATOR}: you tried to allocate 1 bytes.")
        return torch.arange(part.start, part.stop)

    with bounded(CPU), caplog.at_level(logging.WARNING):
        assert torch.equal(concatenated(CPU, POINTS, 100_000, work), torch.arange(100_000))
        assert tried == [100_000, 65_536, 32_768, 32_768, 32_768, 1_696]
        assert workload(CPU).at_once(PICTURE_RAYS) == PICTURE_RAYS.cpu // 4, "nor tried again"
    (first, second) = caplog.messages
    assert first == second and first.count(".") == 1
    assert workload(CPU).scale == 1


def test_only_the_whole_of_what_failed_is_tried_again():
    """A part of it may fit only when the rest of it takes less, too."""
    outer, inner = [], []

    def work(part):
        outer.append(part.stop - part.start)

        def inside(points):
            inner.append(points.stop - points.start)
            if outer[-1] > 5000:
                raise MemoryError
            return points

        return list(in_portions(CPU, POINTS, 10, inside))

    with bounded(CPU):
        done = list(in_portions(CPU, PICTURE_RAYS, 8192, work))
    assert outer == [8192, 8192, 4096, 4096] and len(done) == 2
    assert inner == [10] * 4


def test_where_the_smallest_portions_do_not_fit_the_error_is_reported():
    calls = []

    def work():
        calls.append(workload(CPU).scale)
        raise MemoryError

    with bounded(CPU), pytest.raises(MemoryError):
        retried(CPU, work, lambda: None)
    assert calls[0] == 1 and calls[-1] == SMALLEST_SCALE and len(calls) == 9


def test_other_errors_are_not_tried_again():
    calls = []

    def work():
        calls.append(1)
        raise ValueError("wrong")

    with pytest.raises(ValueError, match="wrong"):
        retried(CPU, work, lambda: None)
    assert len(calls) == 1


def test_without_a_bound_work_is_tried_again_in_halves_too():
    scales = []

    def work():
        scales.append(workload(CPU).scale)
        if len(scales) < 3:
            raise MemoryError
        return "done"

    assert retried(CPU, work, lambda: None) == "done"
    assert scales == [1, 1 / 2, 1 / 4]


def test_memory_that_nothing_uses_is_given_back():
    kept = POOL.empty((1 << 20,), CPU)
    del kept
    used = POOL.empty((1 << 19,), CPU)
    release_memory(CPU)
    assert POOL.held >= used.numel() * 4
    held = POOL.held
    del used
    release_memory(CPU)
    assert POOL.held < held


@pytest.mark.parametrize("gigabytes", [0.1, 0.25, 1, 1000])
def test_arrays_that_are_kept_for_later_follow_the_bound(gigabytes):
    """Many of one size are used at once, as in a step, and then a single one."""
    release_memory(CPU)
    most = min(gigabytes * 1e9 / 8, IDLE_BYTES)
    with bounded(CPU, gigabytes):
        for _ in range(2):
            used = [POOL.empty((1 << 20,), CPU) for _ in range(8)]
            assert POOL.held > 8 << 22
            del used
            one = POOL.empty((1 << 20,), CPU)
            idle = POOL.held - one.numel() * 4 * 9 // 8
            assert idle <= most
            assert idle > 6 << 22 or idle > most - (5 << 20), "and what fits is kept"
            del one
    assert POOL.idle_limit == IDLE_BYTES, "the bound ends with its block"
    of_a_gpu = Workload.of(CUDA, gigabytes)
    assert of_a_gpu.idle_bytes == IDLE_BYTES, "a bound of a GPU's memory is not the processor's"


def test_a_bound_is_torchs_own_on_cuda(monkeypatch):
    """There torch itself refuses more; the properties of a device stand in for one."""
    told = []
    device = SimpleNamespace(total_memory=80 * 10**9)
    monkeypatch.setattr(torch.cuda, "get_device_properties", lambda _device: device)
    monkeypatch.setattr(
        torch.cuda, "set_per_process_memory_fraction", lambda part, _device: told.append(part)
    )
    with bounded(CUDA, 20):
        assert told == [0.25]
    assert told == [0.25, 1.0]
