"""Captures of other people that were read wrong once, with their right values.

Each folder's README tells where it comes from, and how its values are known.
"""

import re

import numpy as np
import pytest
from capture_files import real_capture

from pvd_engine.data.images.masks import load_mask
from pvd_engine.data.readers import open_capture
from pvd_engine.errors import UserError
from pvd_engine.files.images import load_image

LENS = (160, 120, 150.0, 150.0, 80.0, 60.0)
"""Width, height, fx, fy, cx and cy of most of them; fewer where fewer are known."""

MOVED = "24 images were found at another path than listed"
TWO_MODELS = (63, 112, 3175.1 / 27)
READ = {
    "absolute-paths-of-another-machine/posix": (24, LENS, MOVED),
    "absolute-paths-of-another-machine/windows": (24, LENS, MOVED),
    "absolute-paths-of-another-machine/realitycapture": (24, LENS, MOVED),
    "absolute-paths-of-another-machine/colmap": (24, LENS, MOVED),
    "absolute-paths-of-another-machine/colmap-prefix-images": (24, LENS, MOVED),
    "blendernerf-33-percent/capture": (24, (158, 118, 148.125, 148.125, 79, 59), "158.4 x 118.8"),
    "colmap-images-4-png/capture": (24, LENS, "read from images_4"),
    "colmap-images-4-png/transforms_other_ending": (24, LENS, MOVED),
    "colmap-named-model-ignored/scene": (24, LENS, None),
    "colmap-named-model-ignored/scene/distorted/sparse/0": (
        24,
        (160, 120, 155.0, 155.0, 80.0, 60.0),
        "read from input",
    ),
    "colmap-two-models/capture": (45, TWO_MODELS, "1 with 45 images was read.* 0 with 2"),
    "colmap-two-models/capture/sparse": (45, TWO_MODELS, "1 with 45 images was read"),
    "colmap-two-models/capture/sparse/1": (45, TWO_MODELS, None),
    "colmap-two-models/capture/sparse/1/images.bin": (45, TWO_MODELS, None),
    "colmap-two-models/only-model-1": (45, TWO_MODELS, None),
    "colmap-two-models/only-model-1/sparse/1": (45, TWO_MODELS, None),
    "frames-without-pose/missing_matrix": (22, LENS, "frame_00005.*transform_matrix is missing"),
    "frames-without-pose/nan_matrix": (23, LENS, "frame_00005.*must be a finite number"),
    "polycam-few-corrected/few": (24, LENS, "Only 3 of 24 images were corrected"),
    "polycam-few-corrected/none": (24, LENS, None),
    "split-lists-bare-names/bare": (24, LENS, None),
    "split-lists-bare-names/without_ending": (24, LENS, None),
    "transforms-only-images-4/capture": (24, LENS, MOVED),
    "turned-pictures-one-size/capture": (22, LENS, "frame_00004.*it was turned"),
}
"""Views, the first camera, and what a note must tell, by capture."""


@pytest.mark.parametrize("name", READ)
def test_it_is_read_with_its_right_values(name):
    count, lens, note = READ[name]
    capture = open_capture(real_capture("field_cases") / name)
    assert len(capture.views) == count
    camera = capture.views[0].camera
    found = (camera.width, camera.height, camera.fx, camera.fy, camera.cx, camera.cy)
    assert found[: len(lens)] == pytest.approx(lens, abs=0.41)
    assert note is None or any(re.search(note, text) for text in capture.notes)


def test_split_lists_of_bare_names_are_obeyed():
    for name in ("bare", "without_ending"):
        capture = open_capture(real_capture("field_cases") / "split-lists-bare-names" / name)
        assert [len(capture.split(split)) for split in ("train", "val", "test")] == [20, 4, 0]


def test_what_a_dynamic_mask_of_instant_ngp_shows_does_not_count():
    folder = real_capture("field_cases") / "instant-ngp-dynamic-mask" / "capture"
    capture = open_capture(folder)
    assert any("24 images have a dynamic_mask of instant-ngp" in note for note in capture.notes)
    for view in capture.views:
        magenta = (load_image(view.image_path)[..., :3] == (255, 0, 255)).all(axis=-1)
        assert magenta.sum() == 70 * 50
        assert np.array_equal(load_mask(view), ~magenta)


def test_a_model_without_lines_of_features_is_refused():
    folder = real_capture("field_cases") / "colmap-images-txt-one-line" / "capture"
    with pytest.raises(UserError, match=r"images\.txt, line 3: it must list the features"):
        open_capture(folder)
