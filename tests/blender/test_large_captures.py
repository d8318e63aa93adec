"""Large images and masks in Blender: what the engine chose and what it is reading is told."""

import json

import numpy as np
from small_capture import write_png
from test_engine_driver import start

WIDTH, HEIGHT = 1000, 24


def write_wide_capture(folder, capture):
    """The small capture with wide images, each with a mask."""
    content = json.loads((capture / "transforms_train.json").read_text())
    content |= {"w": WIDTH, "h": HEIGHT}
    (folder / "masks").mkdir(parents=True)
    pixels = np.full((HEIGHT, WIDTH, 4), 255, np.uint8)
    for index, frame in enumerate(content["frames"]):
        frame |= {"file_path": f"{index}.png", "mask_path": f"masks/{index}.png"}
        write_png(folder / frame["file_path"], pixels)
        write_png(folder / frame["mask_path"], pixels)
    (folder / "transforms.json").write_text(json.dumps(content))
    return folder


def test_the_size_that_the_engine_chose_and_the_masks_are_reported(api, session, capture, tmp_path):
    wide = write_wide_capture(tmp_path / "wide", capture)
    frame = api.import_capture(wide)
    assert "8 images have a mask" in frame.convert_field.notes
    api.train(frame, "hash", preset="small", steps=2)
    assert "Images are read at 1/2 of their width and height" in session.message

    frame.convert_field.downscale = "1"
    api.train(frame, "hash", preset="small", steps=2)
    assert "Images are read" not in session.message


def test_the_bar_shows_which_image_is_read(tmp_path, warm_python, capture):
    from pvd_blender.engine.job import State, describe_progress

    job = start(tmp_path, warm_python, "info", path=str(capture))
    job.wait()
    job.state = State.RUNNING
    payload = {"fraction": 0.12, "doing": "Reading images 37 of 300", "seconds_left": 8.0}
    job._take_in({"type": "progress", "payload": payload})
    assert describe_progress(job) == "Reading images 37 of 300 · 8 s left"
