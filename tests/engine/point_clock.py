"""A clock that only the evaluation of fields advances: a loaded machine breaks no budget by it."""

import contextlib
import time

import pytest

from pvd_engine.fields.light_field import LightField
from pvd_engine.fields.radiance_field import RadianceField

SECONDS_PER_POINT = 5e-6


class PointClock:
    """Seconds that the points take that fields are evaluated at."""

    def __init__(self):
        self.now = 0.0

    def wait(self, seconds):
        """Let time pass."""
        self.now += seconds

    def timed(self, method):
        """Return a method of a field whose first argument are points: it takes time."""

        def evaluate(field, points, *rest):
            self.now += points.numel() / 3 * SECONDS_PER_POINT
            return method(field, points, *rest)

        return evaluate


@contextlib.contextmanager
def point_clock():
    """Within, the monotonic clock is a `PointClock`, which this yields."""
    clock = PointClock()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(time, "monotonic", lambda: clock.now)
        for name in ("features", "log_density", "glance"):
            patch.setattr(RadianceField, name, clock.timed(getattr(RadianceField, name)))
        patch.setattr(LightField, "evaluate", clock.timed(LightField.evaluate))
        yield clock
