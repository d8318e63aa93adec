"""Pictures, or parts of them, that a field which is drawn as a whole learns from."""

import itertools
import math
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from types import TracebackType
from typing import Protocol

import numpy as np
import torch
from torch import Tensor

from ..data.capture import Camera, View
from ..data.images.pinholes import PinholeImage, pinhole_images
from ..errors import UserError
from ..files.images import as_float
from ..kernels.transfer import upload
from ..kernels.workload import workload
from .picture_error import picture_error
from .read_ahead import ReadAhead

READERS = 2
"""Images that are decoded at a time."""

RENEW_EVERY = 4
"""Steps between two images that are read while it is drawn from the others."""


@dataclass(frozen=True)
class Piece:
    """A pinhole picture that a field should show.

    Attributes
    ----------
    camera : Camera
        Dataset frame, without distortion.
    color : (H, W, 3) float32
        sRGB, premultiplied by alpha.
    alpha : (H, W) float32
    counts : (H, W) bool or None
        The pixels that count; None where all do.
    """

    camera: Camera
    color: Tensor
    alpha: Tensor
    counts: Tensor | None = None

    def error(self, color: Tensor, alpha: Tensor) -> Tensor:
        """Return the mean squared error of a picture over the pixels that count; differentiable.

        Parameters
        ----------
        color : (H, W, 3) float32
            Premultiplied by alpha.
        alpha : (H, W) float32

        Returns
        -------
        scalar Tensor
            Over all backgrounds, see `picture_error`.
        """
        wanted = self.color.flatten(0, 1), self.alpha.flatten()
        errors = picture_error(color.flatten(0, 1), alpha.flatten(), *wanted)
        if self.counts is None:
            return errors.mean()
        counts = self.counts.flatten()
        return (errors * counts).sum() / counts.sum().clamp(min=1)


class Pieces(Protocol):
    """A source of pictures to learn from."""

    def draw(self, step: int, pixels: int) -> Piece:
        """Return the piece of a step, with at most about as many pixels."""
        ...


def window(camera: Camera, pixels: int, random: np.random.Generator) -> tuple[Camera, slice, slice]:
    """Return a random part of a pinhole camera's picture with at most about as many pixels.

    It has the proportions of the picture.

    Returns
    -------
    camera : Camera
        That sees the part alone.
    rows, columns : slice
        The part.
    """
    factor = min(1.0, math.sqrt(pixels / (camera.width * camera.height)))
    width, height = (max(round(side * factor), 1) for side in (camera.width, camera.height))
    left = int(random.integers(camera.width - width + 1))
    top = int(random.integers(camera.height - height + 1))
    size = {"width": width, "height": height, "cx": camera.cx - left, "cy": camera.cy - top}
    return replace(camera, **size), slice(top, top + height), slice(left, left + width)


class ImagePieces:
    """Parts of the images of a set of views, as many images as fit into memory.

    The first images are read at once, the others while it is drawn from. Where not all fit, images
    are replaced by others again and again.

    It is a context manager: its end closes the threads that read images.

    Parameters
    ----------
    views : sequence of View
        Those without an image are left out.
    device : torch.device
        Where pieces are to be.
    seed : int
        Seed of the order of the images, and of the pieces.
    wait : bool
        Wait for an image that is due, so that a seed gives the same pieces each time.
    deadline : float
        Value of the monotonic clock after which images are read during training instead of now; one
        is read in any case.
    report : callable
        Called with the number of the image that is read, from 1, and the number of images.

    Raises
    ------
    UserError
        An image or mask cannot be read.
    """

    def __init__(
        self,
        views: Sequence[View],
        device: torch.device,
        seed: int = 0,
        wait: bool = True,
        deadline: float = math.inf,
        report: Callable[[int, int], None] = lambda number, count: None,
    ) -> None:
        self.device = device
        self.seed = seed
        self._wait = wait
        chosen = [view for view in views if view.image_path is not None]
        order = np.random.default_rng(seed).permutation(len(chosen))
        self._count = len(chosen)
        self._images: list[PinholeImage] = []
        self._bytes = 0
        self._taken = 0
        self._draws = 0
        self._full = False
        self._reader = ReadAhead(self._calls([chosen[index] for index in order]), READERS)
        try:
            while self._taken < self._count and not self._full:
                if self._images and time.monotonic() > deadline:
                    break
                report(self._taken + 1, self._count)
                self._take()
        except BaseException:
            self.close()
            raise
        if not self._images:
            self.close()
            raise UserError(
                "The masks leave no pixel of the training images to learn from; make masks white "
                "where pixels count."
            )

    def draw(self, step: int, pixels: int) -> Piece:
        """Return a random part of a random image.

        Raises
        ------
        UserError
            An image that is due cannot be read.
        """
        self._draws += 1
        due = self._taken < self._count or self._full
        if due and self._draws % RENEW_EVERY == 0 and (self._wait or self._reader.ready):
            self._take()
        random = np.random.default_rng((self.seed, step))
        image = self._images[int(random.integers(len(self._images)))]
        camera, rows, columns = window(image.camera, pixels, random)
        rgba = upload(torch.from_numpy(as_float(image.rgba[rows, columns])), self.device)
        counts = None
        if image.counts is not None:
            counts = upload(torch.from_numpy(image.counts[rows, columns].copy()), self.device)
        alpha = rgba[..., 3]
        return Piece(camera, rgba[..., :3] * alpha[..., None], alpha, counts)

    def close(self) -> None:
        """Close the threads that read images."""
        self._reader.close()

    def __enter__(self) -> "ImagePieces":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def _calls(self, views: Sequence[View]) -> Iterator[Callable[[], list[PinholeImage]]]:
        """Yield the call that reads each view, again and again."""
        for view in itertools.cycle(views):
            yield partial(pinhole_images, view)

    def _take(self) -> None:
        """Take the next view's images; where there is no room, in place of the oldest."""
        images = self._reader.take()
        self._taken += 1
        self._images += images
        self._bytes += sum(image.rgba.nbytes for image in images)
        limit = workload(self.device).pixel_bytes
        while self._bytes > limit and len(self._images) > len(images):
            self._full = True
            self._bytes -= self._images.pop(0).rgba.nbytes
