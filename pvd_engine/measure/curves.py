"""Line plots over time, as SVG for a page, whose style gives colours and fonts."""

import html
import math
from collections.abc import Sequence
from dataclasses import dataclass

WIDTH, HEIGHT = 560, 250
LEFT, RIGHT, TOP, BOTTOM = 56, 12, 22, 40
"""Margins, in units of the drawing."""

MIN_LABEL_WIDTH = 9.0
"""Width of a stage, in units of the drawing, below which its number is left out."""

TIME_UNITS = (("seconds", 1.0, 300.0), ("minutes", 60.0, 18000.0), ("hours", 3600.0, math.inf))
"""Units of the time axis: name, length in seconds, and longest time shown in it, in seconds."""


@dataclass(frozen=True)
class Axis:
    """Values along one side of a plot.

    Attributes
    ----------
    low, high : float
        Values at its ends; above 0 when `log`.
    start, end : float
        Positions at which the ends are drawn.
    log : bool
    """

    low: float
    high: float
    start: float
    end: float
    log: bool = False

    def position(self, value: float) -> float:
        """Return the position at which a value is drawn, in units of the drawing."""
        low, high = self.low, self.high
        if self.log:
            low, high, value = math.log(low), math.log(high), math.log(value)
        return self.start + (self.end - self.start) * (value - low) / (high - low)

    def ticks(self) -> list[float]:
        """Return some round values between the ends."""
        values = log_ticks(self.low, self.high) if self.log else []
        return values if len(values) >= 2 else linear_ticks(self.low, self.high)


def linear_ticks(low: float, high: float) -> list[float]:
    """Return multiples of 1, 2 or 5 times a power of ten in [low, high]: three to seven."""
    rough = (high - low) / 5
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(power * m for m in (1, 2, 5, 10) if power * m >= rough * (1 - 1e-9))
    first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
    return [number * step for number in range(first, last + 1)]


def log_ticks(low: float, high: float) -> list[float]:
    """Return 1, 2 and 5 times powers of ten in [low, high]; powers alone where these are many."""
    powers = [10.0**n for n in range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)]
    factors = (1, 2, 5) if high < 100 * low else (1,)
    return [power * m for power in powers for m in factors if low <= power * m <= high]


def stage_spans(
    seconds: Sequence[float], stages: Sequence[int | None]
) -> list[tuple[float, float, int | None]]:
    """Return start and end in seconds, and number, of each stage; the first starts at 0."""
    spans: list[tuple[float, float, int | None]] = []
    for time, stage in zip(seconds, stages, strict=True):
        if spans and spans[-1][2] == stage:
            spans[-1] = (spans[-1][0], time, stage)
        else:
            spans.append((spans[-1][1] if spans else 0.0, time, stage))
    return spans


def line_plot(
    title: str,
    unit: str,
    seconds: Sequence[float],
    values: Sequence[float | None],
    stages: Sequence[int | None],
    log: bool = False,
) -> str:
    """Return a plot of one curve over time with the stages behind it.

    Parameters
    ----------
    title, unit : str
        Name and unit of the values.
    seconds : sequence of float
        Rising.
    values : sequence of float or None
        The line has a gap where there is none; not finite ones and, on a logarithmic axis, those
        that are not above 0 are left out.
    stages : sequence of int or None
    log : bool
        Values on a logarithmic axis.

    Returns
    -------
    str
        An ``svg`` element, or, where fewer than two values can be drawn, a ``p`` that states it.
    """
    drawn = [
        v if v is not None and math.isfinite(v) and (v > 0 or not log) else None for v in values
    ]
    known = [value for value in drawn if value is not None]
    if len(known) < 2 or seconds[-1] <= 0:
        return f'<p class="muted">{html.escape(title)}: too few steps for a curve.</p>'
    name, factor, _ = next(entry for entry in TIME_UNITS if seconds[-1] <= entry[2])
    times = [time / factor for time in seconds]
    x = Axis(0.0, times[-1], LEFT, WIDTH - RIGHT)
    y = Axis(*_padded(min(known), max(known), log), HEIGHT - BOTTOM, TOP, log)
    return "\n".join(
        (
            f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{html.escape(title)}">',
            *_bands(x, [(a / factor, b / factor, s) for a, b, s in stage_spans(seconds, stages)]),
            *grid(x, y),
            f'<path class="line" d="{path(x, y, times, drawn)}"/>',
            f'<text class="label" x="{(LEFT + WIDTH - RIGHT) / 2:.1f}" y="{HEIGHT - 6}" '
            f'text-anchor="middle">{name}</text>',
            f'<text class="label" transform="translate(12 {(TOP + HEIGHT - BOTTOM) / 2:.1f}) '
            f'rotate(-90)" text-anchor="middle">{html.escape(unit)}</text>',
            "</svg>",
        )
    )


def _padded(low: float, high: float, log: bool) -> tuple[float, float]:
    """Return the ends of an axis, a little beyond the values."""
    if log:
        factor = max((high / low) ** 0.05, 1.05)
        return low / factor, high * factor
    margin = max(0.05 * (high - low), 1e-3 * max(abs(low), abs(high)), 1e-9)
    return low - margin, high + margin


def path(x: Axis, y: Axis, places: Sequence[float], values: Sequence[float | None]) -> str:
    """Return the line through values at places along x, as an SVG path; a gap at None."""
    parts = []
    pen = "M"
    for place, value in zip(places, values, strict=True):
        if value is None:
            pen = "M"
            continue
        parts.append(f"{pen}{x.position(place):.1f} {y.position(value):.1f}")
        pen = "L"
    return " ".join(parts)


def _bands(x: Axis, spans: Sequence[tuple[float, float, int | None]]) -> list[str]:
    """Return the stages' bands, every other one shaded, with their numbers above."""
    lines = []
    for index, (begin, end, stage) in enumerate(spans):
        left, width = x.position(begin), x.position(end) - x.position(begin)
        if stage is None:
            continue
        shade = "band" if index % 2 == 0 else "band other"
        lines.append(
            f'<rect class="{shade}" x="{left:.1f}" y="{TOP}" width="{width:.1f}" '
            f'height="{HEIGHT - TOP - BOTTOM}"/>'
        )
        if width >= MIN_LABEL_WIDTH:
            lines.append(
                f'<text class="stage" x="{left + width / 2:.1f}" y="{TOP - 7}" '
                f'text-anchor="middle">{stage}</text>'
            )
    return lines


def grid(x: Axis, y: Axis) -> list[str]:
    """Return the elements of the axes: lines at round values, and their numbers."""
    lines = []
    for value in y.ticks():
        at = y.position(value)
        lines.append(
            f'<path class="grid" d="M{x.start} {at:.1f} H{x.end}"/>'
            f'<text x="{x.start - 6}" y="{at + 4:.1f}" text-anchor="end">{value:.4g}</text>'
        )
    for value in x.ticks():
        at, bottom = x.position(value), y.start
        lines.append(
            f'<path class="tick" d="M{at:.1f} {bottom} v4"/>'
            f'<text x="{at:.1f}" y="{bottom + 17}" text-anchor="middle">{value:.4g}</text>'
        )
    lines.append(f'<path class="axis" d="M{x.start} {y.end} V{y.start} H{x.end}"/>')
    return lines
