"""Floaters: found by the engine, shown as an edit shape, gone after applying."""

import bpy
import numpy as np
import pytest

LARGE, SPECK = ((-0.5,) * 3, (-0.1,) * 3), ((0.1,) * 3, (0.25,) * 3)
"""Corners of two boxes within the ball, dataset frame."""


def box(corners):
    low, high = corners
    return {"box": {"min": list(low), "max": list(high)}}


@pytest.fixture
def two_parts(api, trained):
    """A capture's frame, and the file of a field of a large part and a speck far from it."""
    everything = np.reshape(trained["pvd_box"], (2, 3)).tolist()
    edits = [
        {"op": "keep", "region": box(LARGE)},
        {"op": "keep", "region": box(SPECK)},
        {"op": "scale_density", "factor": 100.0, "region": box(everything)},
    ]
    return trained, api.apply_edits(trained, edits=edits)


def test_floaters_become_a_shape_that_erases_them(api, two_parts):
    frame, field = two_parts
    frame.location, frame.scale = (1, 2, 3), (2, 2, 2)
    shape = api.find_floaters(frame, below=0.5, field=field)
    if shape is None:
        pytest.fail("the speck is not found")
    assert shape.parent == frame and shape.display_type == "WIRE" and shape.hide_render
    (edit,) = api.collect_edits(frame)
    assert edit["op"] == "erase"
    vertices = np.array(edit["region"]["mesh"]["vertices"])
    assert (vertices > 0).all(), "around the speck, in the dataset frame"

    again = api.find_floaters(frame, below=0.5, field=field)
    assert (
        sum("pvd_floaters" in item for item in bpy.data.objects) == 1 and again.name == "Floaters"
    )
    cleaned = api.apply_edits(frame, field=field)
    assert api.find_floaters(frame, below=0.5, field=cleaned) is None
    assert not any("pvd_floaters" in item for item in bpy.data.objects)


def test_the_button_reports_what_it_found(api, two_parts, session):
    frame, field = two_parts
    api.find_floaters(frame, below=0.5, field=field)
    assert session.message.startswith("1 part floats, ")
    assert "the edit shape 'Floaters'" in session.message
