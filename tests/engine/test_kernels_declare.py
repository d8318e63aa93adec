"""A kernel's declaration: what a launch gives the body, and what it refuses."""

import pytest
import torch

from pvd_engine.kernels.declare import Kernel, Size, float32, int32, int64, kernel

wp = pytest.importorskip("warp")


@kernel(
    """
    for (int i = begin; i < end; ++i)
        for (int c = 0; c < channels; ++c)
            sums.data[i] += factor * rows.data[i * channels + c] + (float)offsets.data[i + 1];
"""
)
def native_sums(
    begin: int,
    end: int,
    channels: Size,
    rows: float32("rows", "channels"),
    factor: float,
    offsets: int64("rows + 1"),
    sums: float32("rows"),
): ...


@kernel()
def warp_sums(
    begin: int,
    end: int,
    channels: Size,
    rows: float32("rows", "channels"),
    factor: float,
    offsets: int64("rows + 1"),
    sums: float32("rows"),
):
    for i in range(begin, end):
        for c in range(channels):
            sums[i] = sums[i] + factor * rows[i * channels + c] + float(offsets[i + 1])


BOTH = pytest.mark.parametrize("sums", [native_sums, warp_sums], ids=lambda sums: sums.name)


def arguments(count: int = 5) -> dict:
    return {
        "rows": torch.arange(3.0 * count).view(count, 3),
        "factor": 2.0,
        "offsets": torch.arange(count + 1),
        "sums": torch.zeros(count),
    }


@BOTH
def test_a_body_sees_tensors_numbers_and_sizes(sums):
    given = arguments()
    sums.launch(5, **given)
    expected = 2 * given["rows"].sum(dim=1) + 3 * given["offsets"][1:]
    assert torch.equal(given["sums"], expected)


@kernel(
    """
    for (int i = begin; i < end; ++i)
        for (int c = lane; c < channels; c += LANES) {
            doubled.data[i * channels + c] = 2.0f * rows.data[i * channels + c];
            by.data[i * channels + c] = lane;
        }
""",
    lanes=4,
)
def shared_rows(
    begin: int,
    end: int,
    lane: int,
    channels: Size,
    rows: float32("rows", "channels"),
    doubled: float32("rows", "channels"),
    by: int32("rows", "channels"),
): ...


@pytest.mark.parametrize("lanes", [1, 4])
def test_the_lanes_of_an_item_take_turns(monkeypatch, lanes):
    monkeypatch.setattr(Kernel, "lanes", lambda *_: lanes)
    rows = torch.rand(7, 6)
    doubled, by = torch.zeros_like(rows), torch.full((7, 6), -1, dtype=torch.int32)
    shared_rows.launch(7, [(0, 3), (3, 7)], rows=rows, doubled=doubled, by=by)
    assert torch.equal(doubled, 2 * rows)
    assert (by == torch.arange(6) % lanes).all()


def test_one_thread_takes_an_item_on_the_cpu_and_several_on_cuda():
    assert shared_rows.lanes("cpu") == 1 and shared_rows.lanes("cuda") == 4
    assert native_sums.lanes("cpu") == native_sums.lanes("cuda") == 1


def test_a_kernel_for_processors_runs_nowhere_else():
    @kernel("", cpu_only=True)
    def nothing(begin: int, end: int, points: float32("count", 3)): ...

    with pytest.raises(ValueError, match="Kernel nothing: the tensors must be on the CPU"):
        nothing.launch(4, points=torch.zeros(4, 3, device="meta"))


@BOTH
def test_only_the_given_parts_are_worked_on(sums):
    given = arguments(6)
    sums.launch(6, [(1, 3), (5, 6)], **given)
    assert given["sums"].bool().tolist() == [False, True, True, False, False, True]


def test_many_items_are_each_worked_on_once(request):
    threads = torch.get_num_threads()
    request.addfinalizer(lambda: torch.set_num_threads(threads))
    torch.set_num_threads(3)
    given = arguments(10_000)
    given["offsets"].zero_()
    native_sums.launch(10_000, **given)
    assert torch.equal(given["sums"], 2 * given["rows"].sum(dim=1))


def test_no_items_are_no_launch():
    given = arguments()
    native_sums.launch(0, **given)
    assert not given["sums"].any()


def test_kernels_of_one_declaration_keep_their_own_bodies():
    def constant(value: int) -> Kernel:
        @kernel(f"for (int i = begin; i < end; ++i) out.data[i] = {value};", name=f"set_{value}")
        def setting(begin: int, end: int, out: float32("count")): ...

        return setting

    out = torch.zeros(4)
    one, two = constant(1), constant(2)
    one.launch(2, out=out)
    two.launch(4, [(2, 4)], out=out)
    assert out.tolist() == [1, 1, 2, 2]


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        ({"rows": None}, TypeError, r"rows must be float32 \(rows, channels\); it is NoneType"),
        (
            {"rows": torch.zeros(5, 3, dtype=torch.float64)},
            TypeError,
            r"rows must be float32 \(rows, channels\); it is float64 \(5, 3\)",
        ),
        ({"rows": torch.zeros(15)}, ValueError, r"rows must be .*; it is float32 \(15\)"),
        (
            {"sums": torch.zeros(4)},
            ValueError,
            r"sums must be float32 \(rows\), where rows is 5; it is float32 \(4\)",
        ),
        (
            {"offsets": torch.arange(5)},
            ValueError,
            r"offsets must be int64 \(rows \+ 1\), where rows is 5; it is int64 \(5\)",
        ),
        ({"rows": torch.zeros(3, 5).t()}, ValueError, "rows must be contiguous"),
        ({"sums": torch.zeros(5, device="meta")}, ValueError, "must be on one device"),
        ({"total": 1, "limit": 2}, TypeError, "has no argument limit, total"),
        ({"channels": 3}, TypeError, "has no argument channels"),
        ({"factor": torch.ones(1)}, TypeError, "factor must be a float; it is Tensor"),
        ({"factor": "2"}, TypeError, "factor must be a float; it is str"),
    ],
)
def test_arguments_other_than_declared_are_refused(change, error, message):
    with pytest.raises(error, match=message):
        native_sums.launch(5, **{**arguments(), **change})


def test_missing_arguments_are_named():
    with pytest.raises(TypeError, match="Kernel native_sums lacks factor, rows"):
        native_sums.launch(5, offsets=torch.arange(6), sums=torch.zeros(5))


def test_a_fixed_size_is_checked():
    @kernel("")
    def nothing(begin: int, end: int, points: float32("count", 3)): ...

    with pytest.raises(ValueError, match=r"points must be float32 \(count, 3\), where count is 4"):
        nothing.launch(4, points=torch.zeros(4, 2))


def test_a_size_that_no_tensor_has_is_refused():
    with pytest.raises(TypeError, match="Kernel nothing: no tensor has the size channels"):

        @kernel("")
        def nothing(begin: int, end: int, channels: Size, points: float32("count", 3)): ...
