"""What follows the last step: the occupancy settles, and a last preview measures the field."""

import time

from ..fields.base import Learner
from ..jobs.budget import Budget
from .preview import Preview

SETTLING_FRACTION = 0.1
"""Largest fraction of the budget's time that is kept for the settling of the occupancy."""


class Ending:
    """The end of a training, for which a part of the budget's time is kept, and its previews.

    Parameters
    ----------
    field : Learner
    budget : Budget
        Of the whole training, its end included.
    preview : Preview

    Attributes
    ----------
    seconds : float
        Time to keep for `finish`, as the last preview has shown it; 0 before, and where the budget
        has no time.
    """

    def __init__(self, field: Learner, budget: Budget, preview: Preview) -> None:
        self.field = field
        self.budget = budget
        self.preview = preview
        self.seconds = 0.0
        self._preview_seconds = 0.0

    def show(self) -> None:
        """Show a preview during the training, and find out how long the end will take."""
        start = time.monotonic()
        self.preview()
        self._preview_seconds = time.monotonic() - start
        if self.budget.seconds is not None:
            most = SETTLING_FRACTION * self.budget.seconds
            self.seconds = self._preview_seconds + min(self.field.settling_seconds(), most)

    def finish(self, start: float) -> float | None:
        """Let the occupancy settle, as far as the time suffices, and show the last preview.

        Parameters
        ----------
        start : float
            Value of the monotonic clock at which the training began.

        Returns
        -------
        float or None
            PSNR of the preview to the image, None without one.
        """
        self.field.settle(self.budget.deadline(start) - self._preview_seconds)
        return self.preview()
