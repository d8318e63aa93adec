"""The training images as one table of pixels with their rays."""

import itertools
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from types import TracebackType
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from ..data.capture import View
from ..data.images.downscale import load_view
from ..data.images.masks import load_mask
from ..errors import UserError
from ..space.rays import CameraBatch, Rays, generate_rays
from .read_ahead import ReadAhead

CPU_BYTES = 3 << 29
"""1.5 GiB: the most that the pixels take in memory. An image that is being decoded takes up to 16
bytes a pixel more, so that 2 GiB hold it all with images of 12 megapixels."""

GPU_SHARE = 0.25
"""Of a GPU's memory: the most that the pixels take there."""

COLOR_BYTES, PLACE_BYTES = 4, 4
"""Of a pixel: its colour, and where it is in its image, where not all of the image is kept."""

READERS = 2
"""Images that are decoded at a time."""

FIRST_VIEWS = 32
"""Images that are there before the first step, where not all pixels fit."""

RENEW_EVERY = 4
"""Draws after which another image brings new pixels, where not all fit."""


class PixelTable:
    """The pixels of a set of views that count, or as many of them as fit into memory.

    Where all fit, all are there before the first draw. Else each view has its share of the table:
    pixels spread evenly over its image, at random. The first images are there at once, the others
    come while training goes on, in random order; after that, a view's pixels are replaced by others
    of it, again and again, so that over time all pixels are drawn from alike.

    A context manager: its end lets the threads go that read images.

    Attributes
    ----------
    cameras : CameraBatch
    colors : (P, 4) uint8
        sRGB, straight alpha; views one after another.
    places : (P,) int32 or None
        Each pixel's place in its image, counted by rows from the top; None where all pixels of all
        images are there, in this order.
    starts : (V + 1,) int64
        First pixel of each view, and the end of the last; beyond what is filled for views that are
        not there yet.
    widths : (V,) int64
    filled : int
        How many of the P pixels are there.
    share : float
        Of the capture's pixels that the table has room for.
    """

    def __init__(
        self,
        views: Sequence[View],
        device: torch.device,
        seed: int,
        limit: int,
        wait: bool,
    ) -> None:
        sizes = [view.camera.width * view.camera.height for view in views]
        masked = any(view.mask_path is not None for view in views)
        total, room = sum(sizes), sum(sizes)
        self.share = 1.0
        if total * (COLOR_BYTES + PLACE_BYTES * masked) > limit:
            room = limit // (COLOR_BYTES + PLACE_BYTES)
            # Each view rounds its share up to a whole pixel.
            self.share = max(room - len(views), 1) / total
            order = np.random.default_rng(seed).permutation(len(views))
            views = [views[index] for index in order]
        self.cameras = CameraBatch.from_cameras([view.camera for view in views], device)
        self.widths = torch.tensor([view.camera.width for view in views], device=device)
        self.starts = torch.full((len(views) + 1,), torch.iinfo(torch.int64).max, device=device)
        self.colors = torch.empty((room, 4), dtype=torch.uint8, device=device)
        self.places = None
        if self.share < 1 or masked:
            self.places = torch.empty(room, dtype=torch.int32, device=device)
        self.filled = 0
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
        report: Callable[[int, int], None] = lambda number, count: None,
    ) -> "PixelTable":
        """Read the images of views; those without an image are passed over.

        Parameters
        ----------
        views : sequence of View
        device : torch.device
        seed : int
            Of the choice of pixels, where not all fit.
        limit : int, optional
            The most bytes that the table takes; `CPU_BYTES` or `GPU_SHARE` when not given.
        wait : bool
            Renew pixels at fixed draws, so that a seed gives the same draws each time, even if the
            image must be waited for.
        report : callable
            Called with the number of the image that is read, from 1, and of how many; what it
            raises ends the reading.

        Raises
        ------
        UserError
            An image or mask cannot be read, or the masks leave nothing.
        """
        chosen = [view for view in views if view.image_path is not None]
        limit = pixel_bytes(device) if limit is None else limit
        table = cls(chosen, device, seed, limit, wait)
        first = len(chosen) if table.share == 1 else min(len(chosen), FIRST_VIEWS)
        try:
            for number in range(first):
                report(number + 1, first)
                table._take()
            while table.filled == 0 and len(table._bounds) <= len(chosen):
                table._take()
            if table.filled == 0:
                raise UserError(
                    "The masks leave no pixel of the training images to learn from; masks are "
                    "black where pixels do not count."
                )
        except BaseException:
            table.close()
            raise
        if table.share == 1:
            table.close()
        return table

    def draw(self, count: int, generator: torch.Generator) -> tuple[Rays, Tensor]:
        """Random pixels of all views together.

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
        index = torch.randint(self.filled, (count,), generator=generator).to(device)
        view = torch.searchsorted(self.starts, index, right=True) - 1
        inside = index - self.starts[view] if self.places is None else self.places[index].long()
        width = self.widths[view]
        pixels = torch.stack((inside % width, inside // width), dim=-1) + 0.5
        return generate_rays(self.cameras, view, pixels), self.colors[index].float() / 255

    def notes(self) -> list[str]:
        """A sentence, where not all pixels fit."""
        if self.share == 1:
            return []
        return [
            f"The training images do not fit into memory: {self.share:.1%} of their pixels are "
            "there at a time, and others take their place while training goes on; --downscale "
            "makes them smaller."
        ]

    def close(self) -> None:
        """Let the threads go that read images; no pixels are renewed any more."""
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
        """How each view is read, in their order; then, where not all fit, ever again."""
        with_places = self.places is not None
        rounds = itertools.count() if self.share < 1 else range(1)
        for number in rounds:
            order = list(range(len(views)))
            if number > 0:
                order = np.random.default_rng((seed, number)).permutation(len(views)).tolist()
            for slot in order:
                random = np.random.default_rng((seed, number, slot))
                yield partial(_read, slot, views[slot], self.share, with_places, random)

    def _renew(self) -> None:
        if self.share == 1:
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
            self.starts[part.view : part.view + 2] = torch.tensor(self._bounds[-2:])
        own = slice(self._bounds[part.view], self._bounds[part.view + 1])
        self.colors[own] = torch.from_numpy(part.colors).to(self.colors.device)
        if self.places is not None and part.places is not None:
            self.places[own] = torch.from_numpy(part.places).to(self.places.device)


class _Part(NamedTuple):
    """What of a view is kept.

    Attributes
    ----------
    view : int
    colors : (N, 4) uint8 array
    places : (N,) int32 array or None
    """

    view: int
    colors: np.ndarray
    places: np.ndarray | None


def pixel_bytes(device: torch.device) -> int:
    """The most memory that the pixels of the training images take on a device."""
    if device.type == "cpu":
        return CPU_BYTES
    return int(torch.cuda.get_device_properties(device).total_memory * GPU_SHARE)


def _read(
    number: int, view: View, share: float, with_places: bool, random: np.random.Generator
) -> _Part:
    """Decode a view's image and keep a share of the pixels that count."""
    colors = load_view(view).reshape(-1, 4)
    counts = load_mask(view)
    if not with_places:
        return _Part(number, colors, None)
    places = None if counts is None else np.flatnonzero(counts)
    known = len(colors) if places is None else len(places)
    chosen = spread(known, share, random)
    places = chosen if places is None else places[chosen]
    return _Part(number, colors[places], places.astype(np.int32))


def spread(count: int, share: float, random: np.random.Generator) -> np.ndarray:
    """A share of the numbers below `count`, rounded up: one at random of each of as many parts.

    Returns
    -------
    (N,) int64 array
        Rising; each number is as likely as any other.
    """
    wanted = int(np.ceil(count * share))
    if wanted == count:
        return np.arange(count)
    at = (np.arange(wanted) + random.random(wanted)) * (count / max(wanted, 1))
    return np.minimum(at.astype(np.int64), count - 1)
