"""Gradients of tables of which a step touches few rows: neither cleared nor read as a whole."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from functools import cached_property

import torch
from torch import Tensor

BLOCK_ROWS = 64
"""Rows that share a mark."""

_ATTRIBUTE = "row_gradient"


class RowGradient:
    """The gradient of a table, and marks at the blocks of rows that may be other than zero.

    Parameters
    ----------
    table : (N, ...) float32 tensor
        A row is what one index of the first axis selects.

    Attributes
    ----------
    used : bool
        False while all values are zero.
    """

    def __init__(self, table: Tensor) -> None:
        self._table = table
        self.used = False

    @cached_property
    def values(self) -> Tensor:
        """The gradient, (N, ...) float32, zero in all blocks without a mark; made on first use."""
        return torch.zeros_like(self._table, requires_grad=False)

    @cached_property
    def touched(self) -> Tensor:
        """The marks, (ceil(N / BLOCK_ROWS),) uint8: not zero where something was added."""
        return no_marks(self._table)

    def add(self, gradient: Tensor) -> None:
        """Add a gradient of all rows."""
        self.values += gradient
        self.touched.fill_(1)
        self.used = True

    def clear(self) -> None:
        """Set all values to zero."""
        if self.used:
            self.values.zero_()
            self.emptied()

    def emptied(self) -> None:
        """Take away the marks, after all values were set to zero."""
        self.touched.zero_()
        self.used = False


def no_marks(table: Tensor) -> Tensor:
    """Return marks for the blocks of a table, none of them set."""
    blocks = -(-len(table) // BLOCK_ROWS)
    return torch.zeros(blocks, dtype=torch.uint8, device=table.device)


@contextmanager
def collected(gradients: Iterable[tuple[Tensor, RowGradient]]) -> Iterator[None]:
    """Let kernels that know how add to a parameter's `RowGradient` in a backward pass.

    They do so instead of returning a dense gradient to autograd.
    """
    pairs = list(gradients)
    for parameter, gradient in pairs:
        setattr(parameter, _ATTRIBUTE, gradient)
    try:
        yield
    finally:
        for parameter, _ in pairs:
            delattr(parameter, _ATTRIBUTE)


def row_gradient(parameter: Tensor) -> RowGradient | None:
    """Return where the gradient of a parameter is collected; None where autograd takes it."""
    return getattr(parameter, _ATTRIBUTE, None)
