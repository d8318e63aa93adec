"""How much is worked on at once: as many samples, points and rays as the memory has room for.

Work in portions gives the same as work on everything at once, up to rounding, so the sizes of
portions are no matter of those who call a function. As with `torch.no_grad`, a job states them
once, by `bounded`, and all code below asks `workload` for them.
"""

import gc
import logging
import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from contextvars import ContextVar
from dataclasses import dataclass
from typing import TypeVar

import torch
from torch import Tensor, nn

from .memory import IDLE_BYTES, POOL
from .out_of_memory import is_out_of_memory

log = logging.getLogger(__name__)

Result = TypeVar("Result")

FREE_FRACTION = 0.8
"""Fraction of a GPU's free memory that is used where no bound is given."""

PORTION_FRACTION = 1 / 2
"""Fraction of the memory that is for what is worked on at once; the field, its optimiser and the
libraries need the rest."""

PIXELS_FRACTION = 1 / 4
"""Fraction of the memory that the pixels of the training images take at most."""

IDLE_FRACTION = 1 / 8
"""Fraction of the memory that is kept at most in arrays that nothing uses, for later ones."""

CPU_PIXELS = 3 << 29
"""Most bytes of these pixels on a CPU, 1.5 GiB. An image that is being decoded takes up to 16 bytes
a pixel more, so that 2 GiB are enough for images of 12 megapixels; one of linear light 48."""

SMALLEST_SCALE = 2.0**-8
"""Fraction of the usual portions below which smaller ones are not tried."""

SAMPLE_BYTES, OUTPUT_BYTES = 1 << 11, 8
"""Bytes that learning from a sample takes without networks, and for each output of their layers:
what the backward pass needs of it, and gradients."""


@dataclass(frozen=True)
class Portion:
    """A kind of thing that is worked on in portions.

    Attributes
    ----------
    cpu, gpu : int
        Most of them at a time, by the kind of processor.
    item_bytes : int
        About the bytes that one takes meanwhile, in the largest of the fields.
    """

    cpu: int
    gpu: int
    item_bytes: int


POINTS = Portion(1 << 17, 1 << 21, 1 << 12)
"""Points that a field evaluates at a time without gradients."""

PICTURE_RAYS = Portion(1 << 14, 1 << 20, 1 << 14)
"""Rays of a picture that are rendered at a time."""

SPLAT_PIXELS = Portion(1 << 18, 1 << 23, 1 << 10)
"""Pixels of a picture of splats that are drawn at a time; all splats are projected for each."""

SPLAT_ENTRIES = Portion(1 << 25, 1 << 28, 1 << 6)
"""Splats in the tiles of a picture that is drawn at a time, each counted in all of its tiles."""

MARCHED = Portion(1 << 24, 1 << 31, 32)
"""Samples of rays that are marched at a time, if each took as many as fit in the cube."""

STEP_RAYS = Portion(1 << 16, 1 << 19, 1 << 10)
"""Rays of a training step."""

STEP_SAMPLES = Portion(1 << 15, 1 << 21, SAMPLE_BYTES)
"""Visible samples of a training step."""


class Workload:
    """Sizes of portions on a device.

    Parameters
    ----------
    device : torch.device
    memory : int or None
        Bytes that the work may take; None where the usual sizes are to be kept.

    Attributes
    ----------
    scale : float
        Fraction of the sizes that is left after memory ran out.
    """

    def __init__(self, device: torch.device, memory: int | None) -> None:
        self.device = device
        self.memory = memory
        self.scale = 1.0
        self.guarded = False

    @classmethod
    def of(cls, device: torch.device, gigabytes: float | None = None) -> "Workload":
        """Return the sizes for a device whose memory is as free as it is now, or for a bound."""
        if gigabytes is not None:
            return cls(device, int(gigabytes * 1e9))
        free = free_memory(device)
        return cls(device, None if free is None else int(free * FREE_FRACTION))

    def most(self, portion: Portion, item_bytes: int | None = None) -> int:
        """Return the size of a portion as long as memory has not run out; a power of two."""
        usual = portion.cpu if self.device.type == "cpu" else portion.gpu
        if self.memory is None:
            return usual
        fitting = self.memory * PORTION_FRACTION / (item_bytes or portion.item_bytes)
        return min(usual, 1 << int(math.log2(max(fitting, 1))))

    def at_once(self, portion: Portion) -> int:
        """Return the size of a portion now."""
        return max(int(self.most(portion) * self.scale), 1)

    @property
    def pixel_bytes(self) -> int:
        """Most bytes of the pixels of the training images."""
        if self.memory is None:
            return CPU_PIXELS
        room = int(self.memory * PIXELS_FRACTION)
        return min(room, CPU_PIXELS) if self.device.type == "cpu" else room

    @property
    def idle_bytes(self) -> int:
        """Most bytes of the processor's arrays that are kept while nothing uses them."""
        if self.memory is None or self.device.type != "cpu":
            return IDLE_BYTES
        return min(int(self.memory * IDLE_FRACTION), IDLE_BYTES)

    def halve(self) -> bool:
        """Halve all portions; return False where they are as small as can be."""
        if self.scale <= SMALLEST_SCALE:
            return False
        self.scale /= 2
        return True


_CURRENT: ContextVar[Workload | None] = ContextVar("workload", default=None)


@contextmanager
def bounded(device: torch.device, gigabytes: float | None = None) -> Iterator[Workload]:
    """Fix the sizes of portions on a device.

    On CUDA a bound holds for all that torch allocates, too.

    Parameters
    ----------
    device : torch.device
    gigabytes : float, optional
        Bound of the memory that the work may take, 10^9 bytes.
    """
    load = Workload.of(device, gigabytes)
    token = _CURRENT.set(load)
    try:
        with (
            POOL.limited(load.idle_bytes),
            nullcontext() if gigabytes is None else _limited(device, gigabytes),
        ):
            yield load
    finally:
        _CURRENT.reset(token)


@contextmanager
def _limited(device: torch.device, gigabytes: float) -> Iterator[None]:
    """Let torch allocate no more than that on a CUDA device; it cannot be told so elsewhere."""
    if device.type != "cuda":
        yield
        return
    total = torch.cuda.get_device_properties(device).total_memory
    torch.cuda.set_per_process_memory_fraction(min(gigabytes * 1e9 / total, 1.0), device)
    try:
        yield
    finally:
        torch.cuda.set_per_process_memory_fraction(1.0, device)


def workload(device: torch.device) -> Workload:
    """Return the sizes of portions on a device: those of `bounded`, or the usual ones."""
    current = _CURRENT.get()
    return current if current is not None and current.device == device else Workload.of(device)


def free_memory(device: torch.device) -> int | None:
    """Return the bytes of an accelerator's memory that are free; None for a CPU, or if unknown."""
    if device.type == "mps":
        return torch.mps.recommended_max_memory() - torch.mps.driver_allocated_memory()
    info = getattr(getattr(torch, device.type, None), "mem_get_info", None)
    return None if info is None else info(device)[0]


HELD_NUMBERS = 4
"""Numbers that are held for each parameter that learns: itself, its gradient and two moments."""


def held_bytes(learner: nn.Module) -> int:
    """Return about the bytes that a module which learns holds, however small its steps are."""
    sizes = (parameter.numel() * parameter.element_size() for parameter in learner.parameters())
    return HELD_NUMBERS * sum(sizes)


def learning_bytes(learner: nn.Module) -> int:
    """Return about the bytes that a step takes for each sample that a module learns from."""
    layers = (module for module in learner.modules() if isinstance(module, nn.Linear))
    return SAMPLE_BYTES + OUTPUT_BYTES * sum(layer.out_features for layer in layers)


def retried(device: torch.device, work: Callable[[], Result], report: Callable[[], None]) -> Result:
    """Return what a call returns; where memory runs out, halve the portions and call it again.

    Calls within it are not retried by themselves: the whole of what has failed is done again.

    Parameters
    ----------
    device : torch.device
    work : callable
        Asks `workload` for the sizes of its portions each time.
    report : callable
        Called after each halving.

    Raises
    ------
    MemoryError, RuntimeError
        Memory has run out in the smallest portions, too.
    """
    load = workload(device)
    if load.guarded:
        return work()
    if load is not _CURRENT.get():
        with bounded(device):
            return retried(device, work, report)
    while True:
        load.guarded = True
        try:
            return work()
        except (MemoryError, RuntimeError) as error:
            if not is_out_of_memory(error) or not load.halve():
                raise
        finally:
            load.guarded = False
        release_memory(device)
        report()


def in_portions(
    device: torch.device,
    portion: Portion,
    count: int,
    work: Callable[[slice], Result],
    weight: int = 1,
) -> Iterator[Result]:
    """Yield what a call returns for one portion after another, in order.

    A portion that memory does not suffice for is worked on again in halves, and the log says so.

    Parameters
    ----------
    device : torch.device
    portion : Portion
    count : int
        All items.
    work : callable
        Takes the items of a portion as a slice.
    weight : int
        What an item counts for.
    """
    start = 0
    while start < count:

        def next_portion(start: int = start) -> tuple[int, Result]:
            size = max(workload(device).at_once(portion) // weight, 1)
            stop = min(start + size, count)
            return stop, work(slice(start, stop))

        start, result = retried(device, next_portion, _log_halving)
        yield result


def concatenated(
    device: torch.device,
    portion: Portion,
    count: int,
    work: Callable[[slice], Tensor],
    weight: int = 1,
) -> Tensor:
    """Return the results of `in_portions` as one tensor; those of no items are asked for, too."""
    if count == 0:
        return work(slice(0, 0))
    return torch.cat(list(in_portions(device, portion, count, work, weight)))


def release_memory(device: torch.device) -> None:
    """Give back the memory that nothing uses any more."""
    gc.collect()
    POOL.release()
    empty_cache = getattr(getattr(torch, device.type, None), "empty_cache", None)
    if empty_cache is not None:
        empty_cache()


def _log_halving() -> None:
    log.warning(
        "The device ran out of memory; half as many points and rays are worked on at a time now."
    )
