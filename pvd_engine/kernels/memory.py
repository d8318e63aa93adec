"""Large temporary arrays that are used again instead of being allocated.

A fresh array of many megabytes costs a page fault every 4 KiB, which for a hash grid's gradient
takes longer than computing it. `BufferPool` keeps such memory and hands it out again as soon as
no tensor uses it any more.
"""

import math
import threading
import weakref
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

SMALLEST = 1 << 20
"""Bytes of an array below which the allocator is as fast."""

IDLE_BYTES = 1 << 29
"""Bytes of unused memory that are kept at most where no bound is given."""


@dataclass(eq=False)
class _Block:
    """Memory, and the array over it that a tensor keeps alive while it is in use."""

    memory: np.ndarray
    lent: weakref.ref[np.ndarray]


class BufferPool:
    """Uninitialised float32 tensors in memory that is used again once they are gone.

    A tensor made here behaves as any other: its storage keeps a NumPy array alive, and a block is
    lent again only when that array is gone, thus when no tensor, view or saved gradient needs it.

    Parameters
    ----------
    idle_limit : int
        Bytes of unused memory that are kept at most.
    """

    def __init__(self, idle_limit: int = IDLE_BYTES) -> None:
        self.idle_limit = idle_limit
        self._blocks: list[_Block] = []
        self._lock = threading.Lock()

    def empty(self, shape: Sequence[int], device: torch.device) -> Tensor:
        """Return a contiguous float32 tensor of `shape` with arbitrary content."""
        count = math.prod(shape)
        if device.type != "cpu" or count * 4 < SMALLEST:
            return torch.empty(tuple(shape), dtype=torch.float32, device=device)
        with self._lock:
            block = self._unused_block(count)
            view = block.memory[:count]
            block.lent = weakref.ref(view)
        return torch.from_numpy(view).view(tuple(shape))

    def _unused_block(self, count: int) -> _Block:
        """Return the smallest fitting block that is not in use, or a new one.

        The others that are not in use are then within the limit.
        """
        idle = [block for block in self._blocks if block.lent() is None]
        fitting = [block for block in idle if count <= len(block.memory) <= 2 * count]
        chosen = min(fitting, key=lambda block: len(block.memory), default=None)
        self._drop_oldest([block for block in idle if block is not chosen])
        if chosen is not None:
            return chosen
        # An eighth of headroom, since packed samples differ in number from step to step.
        memory = np.empty(count + count // 8, dtype=np.float32)
        block = _Block(memory, weakref.ref(memory))
        self._blocks.append(block)
        return block

    def _drop_oldest(self, idle: list[_Block]) -> None:
        """Forget unused blocks until the rest of them fit the limit."""
        excess = sum(block.memory.nbytes for block in idle) - self.idle_limit
        for block in idle:
            if excess <= 0:
                break
            excess -= block.memory.nbytes
            self._blocks.remove(block)

    @contextmanager
    def limited(self, idle_limit: int) -> Iterator[None]:
        """Keep at most so many bytes of unused memory within this block."""
        before, self.idle_limit = self.idle_limit, idle_limit
        try:
            yield
        finally:
            self.idle_limit = before

    def release(self) -> None:
        """Forget all memory that is not in use."""
        with self._lock:
            self._blocks = [block for block in self._blocks if block.lent() is not None]

    @property
    def held(self) -> int:
        """Number of bytes of all blocks, used and unused."""
        return sum(block.memory.nbytes for block in self._blocks)


POOL = BufferPool()
"""The pool that all kernels share."""
