"""The training images as one table of pixels with their rays."""

import itertools
import math
import time
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from types import TracebackType
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from ..data.capture import View
from ..data.images.downscale import load_view
from ..data.images.empty import note_of_empty, shows_nothing
from ..data.images.masks import load_mask
from ..data.notes import percentage
from ..errors import UserError
from ..files.images import read_header
from ..kernels.transfer import upload
from ..kernels.workload import workload
from ..space.rays import CameraBatch, Rays, generate_rays
from .read_ahead import ReadAhead

COLOR_BYTES, POSITION_BYTES = 4, 4
"""Bytes of a pixel's colour of 8 bits, twice as many for 16 bits, and of its position, kept where
parts of images are left out."""

READERS = 2
"""Images that are decoded at a time."""

FIRST_VIEWS = 32
"""Images that are read before the first step where not all pixels fit."""

READING_FRACTION = 0.2
"""Fraction of the budget's time after which training begins with the images that are read."""

RENEW_EVERY = 4
"""Draws between two images that bring new pixels where not all pixels fit."""


class PixelTable:
    """The pixels of a set of views that count, or as many of them as fit into memory.

    Where all fit, all are read before the first draw, or during training those that the time does
    not suffice for. Otherwise each view has a part of the table:
    pixels at random, spread evenly over its image. The first images are read at once, the others
    during training, in random order. After that, a view's pixels are replaced by others of it,
    again and again, so that over time all pixels are drawn equally often.

    It is a context manager: its end closes the threads that read images.

    Attributes
    ----------
    cameras : CameraBatch
    colors : (P, 4) uint8 or int16
        sRGB, straight alpha; views one after another. int16, which is 32768 less than the value of
        16 bits, where any image has more than 8 bits.
    positions : (P,) int32 or None
        Index of each pixel in its image, counted by rows from the top; None where the table holds
        all pixels of all images, in this order.
    starts : (V + 1,) int64
        First pixel of each view, and the end of the last; beyond `filled` for views that are not
        read yet.
    widths : (V,) int64
    filled : int
        Number of the P pixels that are read.
    fraction : float
        Fraction of the capture's pixels that the table has room for.
    """

    def __init__(
        self,
        views: Sequence[View],
        device: torch.device,
        seed: int,
        limit: int,
        wait: bool,
        origin: np.ndarray | None,
    ) -> None:
        sizes = [view.camera.width * view.camera.height for view in views]
        masked = any(view.is_masked for view in views)
        total, room = sum(sizes), sum(sizes)
        self.fraction = 1.0
        self._deep = any(read_header(view.image_path).deep for view in views if view.image_path)
        color_bytes = COLOR_BYTES * (2 if self._deep else 1)
        if total * (color_bytes + POSITION_BYTES * masked) > limit:
            room = limit // (color_bytes + POSITION_BYTES)
            # Each view rounds its part up to a whole pixel.
            self.fraction = max(room - len(views), 1) / total
        if self.fraction < 1 or not wait:
            order = np.random.default_rng(seed).permutation(len(views))
            views = [views[index] for index in order]
        self.cameras = CameraBatch.from_cameras([view.camera for view in views], device, origin)
        self.widths = upload(torch.tensor([view.camera.width for view in views]), device)
        self.starts = torch.full((len(views) + 1,), torch.iinfo(torch.int64).max, device=device)
        kind = torch.int16 if self._deep else torch.uint8
        self.colors = torch.empty((room, 4), dtype=kind, device=device)
        self.positions = None
        if self.fraction < 1 or masked:
            self.positions = torch.empty(room, dtype=torch.int32, device=device)
        self.filled = 0
        self._names = [view.name for view in views]
        self._empty: list[str] = []
        self._wait = wait
        self._draws = 0
        self._bounds = [0]
        self._reader = ReadAhead(self._calls(views, seed), READERS)

    @classmethod
    def open(
        cls,
        views: Sequence[View],
        device: torch.device,
        *,
        seed: int = 0,
        limit: int | None = None,
        wait: bool = True,
        deadline: float = math.inf,
        origin: np.ndarray | None = None,
        report: Callable[[int, int], None] = lambda number, count: None,
    ) -> "PixelTable":
        """Read the images of views; skip views without an image.

        Parameters
        ----------
        views : sequence of View
        device : torch.device
        seed : int
            Seed of the choice of pixels where not all fit.
        limit : int, optional
            Most bytes of the table; those of the device's `workload` when not given.
        wait : bool
            Wait for the next image where pixels are due for renewal, so that a seed gives the same
            draws each time.
        deadline : float
            Value of the monotonic clock after which images are read during training instead of
            now; one is read in any case.
        origin : (3,) float64 array, optional
            Position in the dataset frame from which rays are counted; zero if not given.
        report : callable
            Called with the number of the image that is read, from 1, and the number of images;
            an exception from it ends the reading.

        Raises
        ------
        UserError
            An image or mask cannot be read, or the masks leave nothing.
        """
        chosen = [view for view in views if view.image_path is not None]
        limit = workload(device).pixel_bytes if limit is None else limit
        table = cls(chosen, device, seed, limit, wait, origin)
        first = len(chosen) if table.fraction == 1 else min(len(chosen), FIRST_VIEWS)
        try:
            for number in range(first):
                if number > 0 and time.monotonic() > deadline:
                    break
                report(number + 1, first)
                table._take()
            while table.filled == 0 and len(table._bounds) <= len(chosen):
                table._take()
            if table.filled == 0:
                raise UserError(
                    "The masks leave no pixel of the training images to learn from; make masks "
                    "white where pixels count."
                )
        except BaseException:
            table.close()
            raise
        if table._complete:
            table.close()
        return table

    def draw(self, count: int, generator: torch.Generator) -> tuple[Rays, Tensor]:
        """Return random pixels of all views together, by a generator of the table's device.

        Returns
        -------
        rays : Rays
            `count` of them, dataset frame.
        rgba : (count, 4) float32
            sRGB-encoded, straight alpha, in [0, 1].

        Raises
        ------
        UserError
            An image that is to bring new pixels cannot be read.
        """
        self._renew()
        device = self.colors.device
        index = torch.randint(self.filled, (count,), generator=generator, device=device)
        view = torch.searchsorted(self.starts, index, right=True) - 1
        if self.positions is None:
            inside = index - self.starts.index_select(0, view)
        else:
            inside = self.positions.index_select(0, index).long()
        width = self.widths.index_select(0, view)
        pixels = torch.stack((inside % width, inside // width), dim=-1) + 0.5
        rgba = self.colors.index_select(0, index).float()
        rgba = (rgba + 32768) / 65535 if self._deep else rgba / 255
        return generate_rays(self.cameras, view, pixels), rgba

    def notes(self) -> list[str]:
        """Return warnings where images show nothing, and where not all pixels fit."""
        empty = note_of_empty(sorted(self._empty), len(self._bounds) - 1)
        if self.fraction == 1:
            return empty
        return [
            *empty,
            f"The training images do not fit into memory: {percentage(self.fraction, 1)} of their "
            "pixels are loaded at a time, and others replace them during training; --downscale "
            "makes the images smaller.",
        ]

    def close(self) -> None:
        """Close the threads that read images; no more pixels are renewed."""
        self._reader.close()

    def __enter__(self) -> "PixelTable":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def _calls(self, views: Sequence[View], seed: int) -> Iterator[Callable[[], "_Part"]]:
        """Yield the call that reads each view, in their order; where not all fit, without end."""
        with_positions = self.positions is not None
        rounds = itertools.count() if self.fraction < 1 else range(1)
        for number in rounds:
            order = list(range(len(views)))
            if number > 0:
                order = np.random.default_rng((seed, number)).permutation(len(views)).tolist()
            for slot in order:
                random = np.random.default_rng((seed, number, slot))
                yield partial(
                    _read, slot, views[slot], self.fraction, with_positions, self._deep, random
                )

    @property
    def _complete(self) -> bool:
        """Whether the table holds all pixels."""
        return self.fraction == 1 and len(self._bounds) > len(self._names)

    def _renew(self) -> None:
        if self._complete:
            return
        self._draws += 1
        if self._draws % RENEW_EVERY == 0 and (self._wait or self._reader.ready):
            self._take()

    def _take(self) -> None:
        """Put the next image's pixels into the table."""
        part = self._reader.take()
        if part.view == len(self._bounds) - 1:  # the first time
            self._bounds.append(self.filled + len(part.colors))
            self.filled = self._bounds[-1]
            for number in (part.view, part.view + 1):
                self.starts[number].fill_(self._bounds[number])
            if part.empty:
                self._empty.append(self._names[part.view])
        own = slice(self._bounds[part.view], self._bounds[part.view + 1])
        self.colors[own] = upload(torch.from_numpy(part.colors), self.colors.device)
        if self.positions is not None and part.positions is not None:
            self.positions[own] = upload(torch.from_numpy(part.positions), self.positions.device)


class _Part(NamedTuple):
    """The pixels of a view that are kept.

    Attributes
    ----------
    view : int
    colors : (N, 4) uint8 or int16 array
    positions : (N,) int32 array or None
    empty : bool
        The image shows nothing.
    """

    view: int
    colors: np.ndarray
    positions: np.ndarray | None
    empty: bool


def _read(
    number: int,
    view: View,
    fraction: float,
    with_positions: bool,
    deep: bool,
    random: np.random.Generator,
) -> _Part:
    """Decode a view's image and return a fraction of the pixels that count."""
    colors = load_view(view).reshape(-1, 4)
    empty = shows_nothing(colors)
    if deep:
        colors = _deep(colors)
    counts = load_mask(view)
    if not with_positions:
        return _Part(number, colors, None, empty)
    positions = None if counts is None else np.flatnonzero(counts)
    known = len(colors) if positions is None else len(positions)
    chosen = spread(known, fraction, random)
    positions = chosen if positions is None else positions[chosen]
    return _Part(number, colors[positions], positions.astype(np.int32), empty)


def _deep(colors: np.ndarray) -> np.ndarray:
    """Return colours as int16: torch cannot pick elements of uint16 on every device."""
    wide = colors if colors.dtype == np.uint16 else colors * np.uint16(257)
    return (wide ^ np.uint16(0x8000)).view(np.int16)


def spread(count: int, fraction: float, random: np.random.Generator) -> np.ndarray:
    """Return a fraction of the numbers below `count`, rounded up, one at random per equal part.

    Returns
    -------
    (N,) int64 array
        Ascending; all numbers are equally likely.
    """
    wanted = int(np.ceil(count * fraction))
    if wanted == count:
        return np.arange(count)
    at = (np.arange(wanted) + random.random(wanted)) * (count / max(wanted, 1))
    return np.minimum(at.astype(np.int64), count - 1)
