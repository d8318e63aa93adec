"""Every format's points are where its own numbers put them: in the engine's cameras and rays."""

import numpy as np
import pytest
import torch
from reprojection_samples import POINTS, SAMPLES

from pvd_engine.data.geometry.projection import project
from pvd_engine.data.readers import FORMATS, open_capture
from pvd_engine.space.rays import CameraBatch, generate_rays

PIXEL = 1e-3
OFF_THE_RAY = 1e-6
"""Dataset units, 3 to 5 from the camera: what float32 directions leave."""


def test_there_is_a_sample_of_every_format():
    assert len(SAMPLES) == len(FORMATS)


@pytest.mark.parametrize("name", SAMPLES)
def test_known_points_are_at_their_pixels_and_on_their_rays(tmp_path, name):
    expected = SAMPLES[name](tmp_path)
    capture = open_capture(tmp_path)
    assert capture.format == name
    assert {view.name for view in capture.views} == set(expected)
    batch = CameraBatch.from_cameras([view.camera for view in capture.views])
    for index, view in enumerate(capture.views):
        pixels = expected[view.name]
        assert np.abs(project(view.camera, POINTS) - pixels).max() < PIXEL
        which = torch.full((len(pixels),), index)
        rays = generate_rays(batch, which, torch.from_numpy(pixels))
        away = POINTS - rays.origins.double().numpy()
        along = rays.directions.double().numpy()
        off = away - (away * along).sum(axis=1, keepdims=True) * along
        assert np.linalg.norm(off, axis=1).max() < OFF_THE_RAY
        assert ((away * along).sum(axis=1) > 0).all()
