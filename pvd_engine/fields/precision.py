"""Matrix products in bf16 where the processor has it."""

from contextlib import AbstractContextManager, nullcontext

import torch
from torch import Tensor, nn

from ..kernels.launch import has_bf16

ROWS = 4096
"""Points that go through a large network at a time on a CPU."""

ROWS_MULTIPLE = 1024
"""Multiple to which the number of a network's points is rounded up on a CPU."""


def matmul_dtype(device: torch.device) -> torch.dtype:
    """Return the fastest dtype of matrix products: bf16 in hardware, else float32."""
    return torch.bfloat16 if has_bf16(device.type) else torch.float32


def matmul_precision(device: torch.device) -> AbstractContextManager[object]:
    """Return a context in which linear layers run in bf16 where that is faster.

    Results may be bf16.
    """
    if has_bf16(device.type):
        return torch.autocast(device.type, dtype=torch.bfloat16)
    return nullcontext()


def pad_rows(rows: Tensor) -> Tensor:
    """Return rows (N, C), padded with zeros to a multiple of `ROWS_MULTIPLE` on a CPU.

    Matrix products on a CPU are compiled for each new shape, which costs milliseconds; as the
    number of samples differs in every step, nearly every product would be compiled again.
    """
    if rows.device.type != "cpu":
        return rows
    return nn.functional.pad(rows, (0, 0, 0, -len(rows) % ROWS_MULTIPLE))
