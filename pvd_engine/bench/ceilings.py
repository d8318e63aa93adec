"""What the machine can do at most: matrix products, random reads and additions, copies."""

# Annotations of kernels are values here, unknown to type checkers.
# pyright: reportInvalidTypeForm=false

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from ..kernels.declare import float32, int32, kernel
from ..kernels.launch import thread_count
from .timing import seconds

ENTRIES, READS = 1 << 17, 1 << 22
"""Entries of the table (two float32 each, as a level of a hash grid has), and accesses to it."""

SIDE = 2048
"""Rows and columns of the matrices."""

ROUNDS = 5
"""Turns of each measurement, of which the fastest counts."""


@kernel(
    """
        float sum = 0.0f;
        for (int i = begin; i < end; ++i) {
            const float* entry = table.data + 2 * (size_t)index.data[i];
            sum += entry[0] + entry[1];
        }
        sums.data[begin] = sum;
    """
)
def read_entries(
    begin: int,
    end: int,
    index: int32("reads"),
    table: float32("entries", 2),
    sums: float32("reads"),
):
    """Read entries of a table in the order of an index; work items are reads."""


@kernel(
    """
        for (int i = begin; i < end; ++i) {
            float* entry = table.data + 2 * (size_t)index.data[i];
            wp::atomic_add(entry, 1.0f);
            wp::atomic_add(entry + 1, 1.0f);
        }
    """
)
def add_to_entries(begin: int, end: int, index: int32("reads"), table: float32("entries", 2)):
    """Add to entries of a table in the order of an index; a thread's entries are its own."""


def measure(device: torch.device) -> dict[str, float]:
    """Measure the ceilings of a device.

    Returns
    -------
    dict
        ``products``, multiplications and additions a second in products of float32 matrices;
        ``products_bf16``; ``reads`` and ``additions``, entries of two numbers a second, at random
        in a table of the size of a hash grid's level; ``copies``, bytes a second read and written.
    """
    generator = torch.Generator().manual_seed(0)
    index = torch.randint(ENTRIES, (READS,), generator=generator, dtype=torch.int32).to(device)
    table, sums = torch.zeros((ENTRIES, 2), device=device), torch.zeros(READS, device=device)
    large = torch.zeros(1 << 22, device=device)
    other = torch.empty_like(large)
    return {
        "products": _products(device, torch.float32),
        "products_bf16": _products(device, torch.bfloat16),
        "reads": READS
        / _fastest(lambda: read_entries.launch(READS, index=index, table=table, sums=sums), device),
        "additions": _additions(index, table, device),
        "copies": 8 * len(large) / _fastest(lambda: other.copy_(large), device),
    }


def _products(device: torch.device, dtype: torch.dtype) -> float:
    """Return the operations a second of a product of two square matrices."""
    a = torch.rand((SIDE, SIDE), device=device).to(dtype)
    out = torch.empty_like(a)
    return 2 * SIDE**3 / _fastest(lambda: torch.mm(a, a, out=out), device)


def _additions(index: Tensor, table: Tensor, device: torch.device) -> float:
    """Return the additions a second; on a processor each thread has a table of its own."""
    parts = thread_count() if device.type == "cpu" else 1
    share = len(index) // parts
    first = ENTRIES * torch.arange(parts, dtype=torch.int32, device=device)
    own = (index[: parts * share].view(parts, share) + first[:, None]).view(-1)
    bounds = [(i * share, (i + 1) * share) for i in range(parts)]
    tables = table.repeat(parts, 1)
    return len(own) / _fastest(
        lambda: add_to_entries.launch(len(own), bounds, index=own, table=tables), device
    )


def _fastest(call: Callable[[], Any], device: torch.device) -> float:
    """Return the seconds of the fastest of some calls, after one to warm up."""
    seconds(call, device)
    return min(seconds(call, device) for _ in range(ROUNDS))
