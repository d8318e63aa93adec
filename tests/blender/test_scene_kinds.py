"""What kind of scene a capture shows: told in the panel, and chosen there."""

import json

import numpy as np
import pytest
from small_capture import SIDE, write_png


@pytest.fixture
def opaque(tmp_path, capture):
    """The small capture with images that show no transparency."""
    content = json.loads((capture / "transforms_train.json").read_text())
    pixels = np.full((SIDE, SIDE, 4), 255, np.uint8)
    for index, frame in enumerate(content["frames"]):
        frame["file_path"] = f"{index}.png"
        write_png(tmp_path / frame["file_path"], pixels)
    (tmp_path / "transforms.json").write_text(json.dumps(content))
    return tmp_path


def kind_of(api, frame):
    field = api.train(frame, "hash", preset="small", steps=2)
    length = int.from_bytes(field.read_bytes()[:8], "little")
    header = json.loads(field.read_bytes()[8 : 8 + length])["__metadata__"]["pvd_field"]
    return json.loads(header)["frame"]["kind"]


def test_the_kind_that_is_found_is_reported_and_the_one_that_is_chosen_is_trained(api, opaque):
    frame = api.import_capture(opaque)
    assert frame.convert_field.scene_found.startswith("Unbounded: The images are opaque")
    assert kind_of(api, frame) == "unbounded"
    frame.convert_field.scene = "object"
    assert kind_of(api, frame) == "object"


def test_images_with_transparency_show_an_object(api, capture):
    assert api.import_capture(capture).convert_field.scene_found.startswith("Object: ")
