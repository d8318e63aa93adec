"""A capture as the engine describes it, with every value checked before the scene is changed."""

from ..engine.checked import Checked
from ..scene.cameras import SPLITS, camera_values
from ..scene.frame import OPTIONAL_FIELDS

MOST_VIEWS = 100_000
MOST_NOTES = 1000


def read_capture(capture: Checked) -> dict:
    """Return the output of ``pvd info --json`` for a capture, as the scene takes it.

    Raises
    ------
    ConvertFieldError
        When a value is missing, not finite, of another type or beyond its bounds.
    """
    box = capture.numbers("box", (2, 3))
    if not (box[0] < box[1]).all():
        raise capture.wrong("box", "must have a volume")
    scene, frame = capture.part("scene"), capture.part("frame")
    applied = frame.numbers("applied_transform", (3, 4), None)
    if applied is None:
        raise capture.wrong("frame", "must have an 'applied_transform' of 3 by 4 numbers")
    optional = {key: frame.numbers(key, shape, None) for key, shape in OPTIONAL_FIELDS.items()}
    origin = capture.numbers("origin", (3,), None)
    return {
        "name": capture.text("name"),
        "root": capture.path("root"),
        "format": capture.text("format"),
        "views": [_view(view) for view in capture.parts("views", MOST_VIEWS)],
        "counts": {split: capture.part("counts").whole(split, 0) for split in SPLITS},
        "box": box.tolist(),
        "scene": {"kind": scene.text("kind"), "reason": scene.text("reason")},
        "frame": {"applied_transform": applied.tolist()}
        | {key: value.tolist() for key, value in optional.items() if value is not None},
        "notes": capture.texts("notes", MOST_NOTES),
        "points_path": capture.path("points_path", None),
        "linear_light": capture.flag("linear_light", False),
        "origin": None if origin is None else origin.tolist(),
    }


def _view(view: Checked) -> dict:
    split = view.text("split")
    if split not in SPLITS:
        raise view.wrong("split", f"must be one of {', '.join(SPLITS)}")
    camera = view.part("camera")
    return {
        "name": view.text("name"),
        "split": split,
        "image_path": view.path("image_path", None),
        "camera": camera_values(camera, camera.numbers("camera_to_world", (4, 4))),
    }
