"""Floaters: found by the engine, shown as an edit shape, gone after applying."""

import bpy
import numpy as np
import pytest


def box(low, high):
    return {"box": {"min": list(low), "max": list(high)}}


@pytest.fixture
def two_parts(api, trained):
    """A capture's frame, and the file of a field of a large part and a speck far from it."""
    frame = trained
    low, high = np.reshape(frame["pvd_box"], (2, 3))
    middle, side = (low + high) / 2, high - low
    edits = [
        {"op": "keep", "region": box(low, middle)},
        {"op": "keep", "region": box(middle + 0.05 * side, middle + 0.09 * side)},
        {"op": "scale_density", "factor": 100.0, "region": box(low, high)},
    ]
    return frame, api.apply_edits(frame, edits=edits)


def test_floaters_become_a_shape_that_erases_them(api, two_parts):
    frame, field = two_parts
    frame.location, frame.scale = (1, 2, 3), (2, 2, 2)
    shape = api.find_floaters(frame, below=0.5, field=field)
    if shape is None:
        pytest.fail("the speck is not found")
    assert shape.parent == frame and shape.display_type == "WIRE" and shape.hide_render
    (edit,) = api.collect_edits(frame)
    assert edit["op"] == "erase"
    low, high = np.reshape(frame["pvd_box"], (2, 3))
    vertices = np.array(edit["region"]["mesh"]["vertices"])
    assert (vertices > (low + high) / 2).all(), "around the speck, in the dataset frame"

    again = api.find_floaters(frame, below=0.5, field=field)
    assert (
        sum("pvd_floaters" in item for item in bpy.data.objects) == 1 and again.name == "Floaters"
    )
    cleaned = api.apply_edits(frame, field=field)
    assert api.find_floaters(frame, below=0.5, field=cleaned) is None
    assert not any("pvd_floaters" in item for item in bpy.data.objects)


def test_the_button_says_what_it_found(api, two_parts, session):
    frame, _ = two_parts
    api.find_floaters(frame, below=1.0)
    assert "float" in session.message
