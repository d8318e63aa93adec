"""The small picture of a running job's quality."""

import time

import numpy as np
import pytest
from long_training import train_until_told


@pytest.fixture
def drawing(add_on):
    from pvd_blender.ui import curve_picture

    return curve_picture


def line(pixels, drawing):
    """Columns that the curve has come to, and its row in each."""
    is_line = np.isclose(pixels, drawing.LINE, atol=1 / 255).all(axis=-1)
    columns = np.flatnonzero(is_line.any(axis=0))
    return columns, np.array([np.flatnonzero(is_line[:, c]).max() for c in columns])


def test_the_curve_rises_with_the_quality_and_ends_where_the_work_is(drawing):
    points = [(0.01 * n, 12 + 0.3 * n) for n in range(51)]
    columns, rows = line(drawing.curve_pixels(points), drawing)
    inside = drawing.SIDE - 1 - 2 * drawing.MARGIN
    assert columns[0] == drawing.MARGIN
    assert abs(columns[-1] - drawing.MARGIN - 0.5 * inside) <= 1
    assert (np.diff(rows) >= 0).all() and rows[-1] > rows[0] + inside / 2


def test_lines_of_the_grid_are_five_decibel_apart(drawing):
    pixels = drawing.curve_pixels([(0.0, 11.0), (0.1, 24.0)])
    grid = np.isclose(pixels[:, -drawing.MARGIN - 2], drawing.GRID).all(axis=-1)
    assert grid.sum() == 4, "10, 15, 20 and 25 dB"


@pytest.mark.parametrize("points", [[(0.0, 20.0)], [(0.0, 20.0), (1.0, 20.0)], [(0.5, -3.0)]])
def test_few_or_equal_points_are_drawn_too(drawing, points):
    pixels = drawing.curve_pixels(points)
    assert pixels.shape == (drawing.SIDE, drawing.SIDE, 4) and len(line(pixels, drawing)[0])


def test_a_running_job_has_a_curve_and_its_icon(api, capture, session, drawing):
    from pvd_blender.ui.icons import icons

    # After so many steps it has learned something, on a quick and on a slow machine.
    train_until_told(session, api.import_capture(capture), steps_to_see=40)
    while session.pump() and len(session.job.curve) < 4:
        time.sleep(0.05)
    shares, decibel = np.array(session.job.curve).T
    assert (np.diff(shares) >= 0).all() and decibel[-1] > decibel[0]
    icons().curve(session.job.curve)  # without a window Blender gives icons no number
    (icon,) = icons()._previews.values()
    assert tuple(icon.image_size) == (drawing.SIDE, drawing.SIDE)
    assert len(line(np.reshape(icon.image_pixels_float, (drawing.SIDE, -1, 4)), drawing)[0])
    assert icons().curve(session.job.curve[:2]) == 0, "two points are no curve yet"
