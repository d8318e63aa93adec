import itertools
import platform
import subprocess
import sys
import warnings

import pytest
import torch
from engine_process import environment

from pvd_engine.bench import kernels as bench
from pvd_engine.bench import nerfstudio_hash
from pvd_engine.errors import UserError
from pvd_engine.kernels import launch
from pvd_engine.kernels.compile import declared_kernels
from pvd_engine.kernels.hash_grid import HashGridLayout, hash_encode
from pvd_engine.kernels.memory import BufferPool

CPU = torch.device("cpu")
LARGE = (1 << 19,)


@pytest.fixture
def threads():
    """Tests may change the number of threads."""
    before = torch.get_num_threads()
    yield
    torch.set_num_threads(before)


@pytest.mark.parametrize(("count", "expected"), [(1, 1), (7, 1), (4096, 4), (100_003, 6)])
def test_parts_cover_all_items_once(threads, count, expected):
    torch.set_num_threads(3)
    parts = launch.split(count)
    assert len(parts) == expected
    assert parts[0][0] == 0 and parts[-1][1] == count
    assert all(a[1] == b[0] for a, b in itertools.pairwise(parts))
    assert all(last > first for first, last in parts)
    torch.set_num_threads(1)
    assert launch.split(count) == [(0, count)]


def test_one_thread_and_several_give_the_same(threads):
    layout = HashGridLayout(5, 2, 12, 8, 1.6)
    table, points = torch.randn(layout.rows, 2, requires_grad=True), torch.rand(20_000, 3)
    results = []
    for count in (1, 3):
        torch.set_num_threads(count)
        encoded = hash_encode(points, table, layout)
        results.append((encoded, torch.autograd.grad(encoded.square().sum(), table)[0]))
    assert torch.equal(results[0][0], results[1][0])
    assert torch.equal(results[0][1], results[1][1])


def test_the_environment_variable_forces_the_reference(monkeypatch):
    monkeypatch.setenv("PVD_KERNELS", "reference")
    assert not launch.use_warp(CPU)
    monkeypatch.delenv("PVD_KERNELS")
    assert launch.use_warp(CPU)


def run(code):
    """Run Python code in a process of its own."""
    command = [sys.executable, "-c", code]
    return subprocess.run(command, capture_output=True, text=True, check=True, env=environment())


def test_without_warp_the_reference_serves_with_one_sentence():
    # A finder that hides Warp, in a process of its own.
    code = """
import sys, warnings
import importlib.util as util
find = util.find_spec
util.find_spec = lambda name, package=None: None if name == "warp" else find(name, package)
import torch
from pvd_engine.kernels.hash_grid import HashGridLayout, hash_encode
layout = HashGridLayout(2, 2, 10, 4, 2.0)
with warnings.catch_warnings(record=True) as caught:
    warnings.simplefilter("always")
    for _ in range(3):
        hash_encode(torch.rand(5, 3), torch.rand(layout.rows, 2), layout)
assert "warp" not in sys.modules
print(len(caught), caught[0].message)
"""
    assert run(code).stdout.startswith("1 Warp is not installed")


def test_fast_kernels_start_without_a_word():
    code = """
import torch
from pvd_engine.kernels.hash_grid import HashGridLayout, hash_encode
layout = HashGridLayout(2, 2, 10, 4, 2.0)
hash_encode(torch.rand(5, 3), torch.rand(layout.rows, 2), layout)
"""
    done = run(code)
    assert done.stdout == "" and done.stderr == ""


@pytest.mark.skipif(
    (sys.platform, platform.machine()) != ("linux", "x86_64"),
    reason="Warp's wheel for this platform has no CUDA compiler",
)
@pytest.mark.parametrize(
    "kernel",
    [kernel for kernel in declared_kernels() if not kernel.cpu_only]
    if launch.warp_available()
    else [],
    ids=lambda kernel: kernel.name,
)
def test_the_same_source_compiles_for_cuda(kernel, tmp_path):
    import warp

    # The oldest that Warp compiles for, one before the additions to whole entries, one with them.
    targets = (75, 80, 90)
    module = kernel.warp(kernel.lanes("cuda")).module
    warp.compile_aot_module(module, arch=targets, module_dir=str(tmp_path), use_ptx=True)
    for target in targets:
        (code,) = tmp_path.glob(f"*sm{target}.ptx")
        text = code.read_text()
        assert f".target sm_{target}" in text
        entries_of_several = kernel.name in {f"hash_grid_backward_{n}" for n in (2, 4, 8)}
        assert (".add.v" in text) == (entries_of_several and target >= 90)


def test_a_pooled_tensor_in_use_is_never_lent_again():
    pool = BufferPool()
    first = pool.empty(LARGE, CPU)
    view = first[10:20]
    del first
    view.fill_(7)
    pool.empty(LARGE, CPU).fill_(1)
    assert (view == 7).all()


def test_pooled_memory_is_used_again_when_it_is_free():
    pool = BufferPool()
    address = pool.empty(LARGE, CPU).data_ptr()
    assert pool.empty((LARGE[0] - 5,), CPU).data_ptr() == address
    assert pool.held < 2 * 4 * LARGE[0]


def test_unused_pooled_memory_stays_within_its_limit():
    pool = BufferPool(idle_limit=5 << 20)
    for size in range(1, 12):
        pool.empty((size << 18,), CPU)
    assert pool.held <= (5 << 20) + (12 << 20) * 9 // 8


def test_yardstick_interpolates_as_published():
    # Where a coordinate is on no vertex, its 8 corners are floor and ceil of it, hashed.
    scales = nerfstudio_hash.scalings(3, 4, 16)
    assert scales.tolist() == [4, 8, 16]
    table, point = torch.randn(3 * 64, 2), torch.rand(1, 3)
    expected = torch.zeros(3, 2)
    for level in range(3):
        scaled = (point[0] * scales[level]).tolist()
        for corner in range(8):
            weight, index = 1.0, 0
            for axis, prime in enumerate((1, 2654435761, 805459861)):
                low = int(scaled[axis])
                high = corner >> axis & 1
                fraction = scaled[axis] - low
                weight *= fraction if high else 1 - fraction
                index ^= (low + high) * prime
            expected[level] += weight * table[index % 64 + 64 * level]
    encoded = nerfstudio_hash.encode(point, table, scales)
    assert torch.allclose(encoded, expected.view(1, -1), atol=1e-5)


def test_benchmark_reports_both_rates_of_every_kernel(monkeypatch):
    monkeypatch.setattr(bench, "ROUNDS", 1)
    monkeypatch.setattr(bench, "FAST_RUNS", 1)
    monkeypatch.setattr(bench, "LOG2_ENTRIES", 12)
    result = bench.run(points=512)
    for row in result["kernels"]:
        assert row["ratio"] == pytest.approx(row["fast_per_second"] / row["other_per_second"])
        assert row["name"] in bench.format_table(result)


def test_benchmark_without_points_is_refused():
    with warnings.catch_warnings(), pytest.raises(UserError):
        bench.run(points=0)
