"""Captures with images of linear light: their exposure is a setting of the capture."""

import json

import bpy
import numpy as np
import pytest
from small_capture import ANGLE, SIDE, _pose


@pytest.fixture
def linear(api, tmp_path):
    """A capture whose images Blender saved as OpenEXR."""
    scene = bpy.context.scene
    scene.render.image_settings.file_format = "OPEN_EXR"
    frames = []
    for number in range(4):
        image = bpy.data.images.new(f"r{number}", SIDE, SIDE, alpha=True, float_buffer=True)
        values = np.random.default_rng(number).random((SIDE * SIDE, 4)).astype(np.float32)
        values[:, 3] = 1
        image.pixels.foreach_set(values.ravel())
        image.file_format = "OPEN_EXR"
        image.save(filepath=str(tmp_path / f"r_{number}.exr"))
        frames.append({"file_path": f"r_{number}.exr", "transform_matrix": _pose(number).tolist()})
    content = {"camera_angle_x": ANGLE, "frames": frames}
    (tmp_path / "transforms.json").write_text(json.dumps(content))
    return api.import_capture(tmp_path)


def test_the_exposure_of_a_capture_goes_to_its_training(linear):
    from pvd_blender.jobs import tasks
    from pvd_blender.jobs.tasks import FieldSettings

    state = linear.convert_field
    assert state.linear_light and "linear light" in state.notes
    assert state.exposure == 0
    state.exposure = -1.5
    task = tasks.training(linear, FieldSettings("hash", 5.0, {}), {"device": "cpu"})
    assert task.arguments["exposure"] == -1.5
    given = tasks.training(linear, FieldSettings("hash", 5.0, {"exposure": 2.0}), {"device": "cpu"})
    assert given.arguments["exposure"] == 2.0


def test_captures_of_display_colour_have_no_exposure(api, capture):
    from pvd_blender.jobs import tasks
    from pvd_blender.jobs.tasks import FieldSettings

    frame = api.import_capture(capture)
    assert not frame.convert_field.linear_light
    frame.convert_field.exposure = 3.0
    assert (
        "exposure"
        not in tasks.training(frame, FieldSettings("hash", 5.0, {}), {"device": "cpu"}).arguments
    )
