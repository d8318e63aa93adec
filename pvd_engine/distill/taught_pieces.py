"""Pictures of a teacher, made while a student learns from them."""

import time
from dataclasses import replace

import numpy as np
import torch
from torch import Tensor

from ..data.capture import Camera
from ..fields.base import Field
from ..train.pieces import Piece, window
from .lesson import Lesson

POOL = 256
"""Pictures that are kept at a time."""

FIRST = 8
"""Pictures that are made before the first step."""

RENEW_EVERY = 8
"""Steps between two new pictures where steps are counted."""

SHARE = 1 / 2
"""Fraction of the time in which pictures are made, where time is counted."""


class TaughtPieces:
    """Pictures of a teacher from the capture's training cameras and from random ones like them.

    Parameters
    ----------
    lesson : Lesson
    seed : int
        Seed of the cameras, and of the choice among the pictures.
    timed : bool
        Whether time is counted, and not steps.
    """

    def __init__(self, lesson: Lesson, seed: int, timed: bool) -> None:
        self.teacher: Field = lesson.teacher
        self.poses = lesson.poses
        self.seed = seed
        self.timed = timed
        self._known: list[Camera] = []
        if lesson.capture is not None:
            cameras = [view.camera for view in lesson.capture.split("train")]
            self._known = [replace(c, distortion_model="none", distortion={}) for c in cameras]
        self._pool: list[Piece] = []
        self._made = 0
        self._draws = 0
        self._started = time.monotonic()
        self._seconds = 0.0

    def draw(self, step: int, pixels: int) -> Piece:
        """Return a picture of the teacher, or a part of one, a new one where it is due."""
        self._draws += 1
        while self._made < FIRST:
            self._make(pixels)
        if self._is_due():
            self._make(pixels)
        random = np.random.default_rng((self.seed, step))
        piece = self._pool[int(random.integers(len(self._pool)))]
        return replace(piece, color=piece.color.float(), alpha=piece.alpha.float())

    def _is_due(self) -> bool:
        if self.timed:
            return self._seconds < SHARE * (time.monotonic() - self._started)
        return self._draws % RENEW_EVERY == 0

    def _make(self, pixels: int) -> None:
        """Make a picture, in place of an older one where there are enough."""
        start = time.monotonic()
        random = np.random.default_rng((self.seed, self._made, 1))
        if self._known and self._made % 2 == 0:
            camera = self._known[int(random.integers(len(self._known)))]
        else:
            camera = self.poses.sample(1, random)[0]
        camera, _, _ = window(camera, pixels, random)
        piece = pictured(self.teacher, camera)
        kept = replace(piece, color=piece.color.half(), alpha=piece.alpha.half())
        if len(self._pool) < POOL:
            self._pool.append(kept)
        else:
            self._pool[self._made % POOL] = kept
        self._made += 1
        self._seconds += time.monotonic() - start


@torch.no_grad()
def pictured(teacher: Field, camera: Camera) -> Piece:
    """Return what a teacher shows from a pinhole camera."""
    parts: list[tuple[Tensor, Tensor]] = [
        (seen.color, seen.alpha) for seen in teacher.picture(camera)
    ]
    color, alpha = (torch.cat(values) for values in zip(*parts, strict=True))
    size = (camera.height, camera.width)
    return Piece(camera, color.view(*size, 3), alpha.view(size))
