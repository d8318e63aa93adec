"""A clock that only the evaluation of fields advances: a loaded machine breaks no budget by it."""

import contextlib
import time

import pytest

from pvd_engine.fields.gaussians import GaussianField
from pvd_engine.fields.light_field import LightField
from pvd_engine.fields.radiance_field import RadianceField

SECONDS_PER_POINT = 5e-6
SECONDS_PER_SPLAT = 1e-5


class PointClock:
    """Seconds that the points take that fields are evaluated at, and the splats that are drawn."""

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

    def drawing(self, method):
        """Return a method of a field of splats: it takes time for each of them."""

        def draw(field):
            self.now += len(field.centers) * SECONDS_PER_SPLAT
            return method(field)

        return draw


@contextlib.contextmanager
def point_clock():
    """Within, the monotonic clock is a `PointClock`, which this yields."""
    clock = PointClock()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(time, "monotonic", lambda: clock.now)
        for name in ("features", "log_density", "glance"):
            patch.setattr(RadianceField, name, clock.timed(getattr(RadianceField, name)))
        patch.setattr(LightField, "evaluate", clock.timed(LightField.evaluate))
        patch.setattr(GaussianField, "splats", clock.drawing(GaussianField.splats))
        yield clock
