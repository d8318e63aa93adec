"""A fingerprint of a capture, by which an interrupted job notices that the capture has changed."""

import hashlib
import json
from collections.abc import Iterable
from pathlib import Path

from ..errors import UserError
from ..files.file_input import opened
from .capture import Capture
from .formats.cameras_json import camera_to_dict

PART_BYTES = 1 << 18
"""Bytes of a large file that count: so many at its start, in its middle and at its end. Compressed
images differ at the end whatever pixel was changed."""


def capture_fingerprint(capture: Capture) -> dict[str, str]:
    """Return a hash of each part of a capture that training depends on.

    Returns
    -------
    dict
        ``cameras``, ``images``, ``masks`` and ``settings`` (box, image size, exposure).
    """
    views = [
        (view.name, view.split, str(view.stored_size), camera_to_dict(view.camera))
        for view in capture.views
    ]
    cut_outs = [(v.mask_hides, v.mask_radius, v.clear_levels) for v in capture.views]
    settings = (capture.box.tolist(), capture.downscale, capture.exposure)
    masks = [path for view in capture.views for path in (view.mask_path, view.alpha_path)]
    return {
        "cameras": _hash(views),
        "images": _hash(_contents(view.image_path for view in capture.views)),
        "masks": _hash([cut_outs, _contents(masks)]),
        "settings": _hash(settings),
    }


def _contents(paths: Iterable[Path | None]) -> list[str]:
    """Return what tells the content of each file; an empty text where there is none."""
    known: dict[Path | None, str] = {None: ""}
    contents = []
    for path in paths:
        if path is not None and path not in known:
            known[path] = _content(path)
        contents.append(known[path])
    return contents


def _content(path: Path) -> str:
    try:
        with opened(path) as file:
            size = file.seek(0, 2)
            digest = hashlib.blake2b(str(size).encode(), digest_size=16)
            for start in sorted({0, max(size // 2, 0), max(size - PART_BYTES, 0)}):
                file.seek(start)
                digest.update(file.read(PART_BYTES))
    except (UserError, OSError):
        return "unreadable"
    return digest.hexdigest()


def _hash(value: object) -> str:
    return hashlib.blake2b(json.dumps(value).encode(), digest_size=16).hexdigest()
