"""The budget of an optimisation: seconds or steps."""

import math
import re
from dataclasses import dataclass

from ..errors import UserError

DEFAULT_SECONDS = 180.0
"""Budget in seconds when neither ``--budget`` nor ``--steps`` is given."""

MAX_SECONDS = 30 * 86400.0
"""Largest budget in seconds: thirty days."""

_SECONDS = {"": 1.0, "s": 1.0, "m": 60.0, "h": 3600.0}
"""Seconds of each unit."""


@dataclass(frozen=True)
class Budget:
    """A limit of time, of steps, or of both, whichever is reached first.

    Attributes
    ----------
    seconds : float or None
    steps : int or None
    """

    seconds: float | None
    steps: int | None

    @classmethod
    def parse(cls, budget: str | None, steps: int | None) -> "Budget":
        """Return the budget of ``--budget`` and ``--steps``; three minutes when neither is given.

        Raises
        ------
        UserError
            Both are given, or one is not valid.
        """
        if budget is not None and steps is not None:
            raise UserError("Give --budget or --steps, not both.")
        if steps is not None:
            if steps < 1:
                raise UserError(f"--steps must be at least 1, not {steps}.")
            return cls(None, steps)
        return cls(DEFAULT_SECONDS if budget is None else parse_seconds(budget), None)

    def part(self, fraction: float) -> "Budget":
        """Return a fraction of the budget, at least one step."""
        return Budget(
            None if self.seconds is None else self.seconds * fraction,
            None if self.steps is None else max(round(self.steps * fraction), 1),
        )

    def without(self, seconds: float) -> "Budget":
        """Return the budget that is left when some of its time is kept for other work."""
        if self.seconds is None:
            return self
        return Budget(max(self.seconds - seconds, 0.01 * self.seconds), self.steps)

    def deadline(self, start: float, fraction: float = 1.0) -> float:
        """Return the value at which a clock has spent a fraction of the time since `start`."""
        return math.inf if self.seconds is None else start + fraction * self.seconds

    def fraction(self, step: int, elapsed: float) -> float:
        """Return the fraction that is spent, 0 to 1.

        Parameters
        ----------
        step : int
            Steps done.
        elapsed : float
            Seconds spent.
        """
        spent = [0.0]
        if self.seconds is not None:
            spent.append(elapsed / self.seconds)
        if self.steps is not None:
            spent.append(step / self.steps)
        return min(max(spent), 1.0)

    def done(self, step: int, elapsed: float) -> bool:
        """Return whether the budget is spent."""
        return self.fraction(step, elapsed) >= 1.0


def parse_seconds(text: str, option: str = "--budget") -> float:
    """Return the seconds of a text such as ``"90s"``, ``"3m"``, ``"1.5h"`` or ``"120"``.

    Parameters
    ----------
    text : str
    option : str
        Name of the option that gives it, for the message.

    Raises
    ------
    UserError
        The text is not a duration, or not above zero, or above `MAX_SECONDS`.
    """
    found = re.fullmatch(r"(\d+(?:\.\d*)?|\.\d+)\s*([smh]?)", text.strip().lower(), re.ASCII)
    seconds = float(found[1]) * _SECONDS[found[2]] if found else math.nan
    if not 0 < seconds <= MAX_SECONDS:
        raise UserError(
            f"{option} '{text}' is not valid; write it as 90s, 3m or 1h, at most thirty days."
        )
    return seconds
