"""Small captures on disk for tests, and where the real ones are."""

import json
import math
import re
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from pvd_engine.data.readers import open_capture

REAL_CAPTURES = Path(__file__).resolve().parents[3] / "shared" / "data"


def real_capture(name):
    folder = REAL_CAPTURES / name
    if not folder.is_dir():
        pytest.skip(f"the real capture {name} is not next to this repository")
    return folder


def look_at(position, target=(0, 0, 0)):
    """Camera-to-world with OpenGL axes, z up."""
    position = np.asarray(position, dtype=np.float64)
    backward = position - np.asarray(target, dtype=np.float64)
    backward /= np.linalg.norm(backward)
    right = np.cross((0.0, 0.0, 1.0), backward)
    right /= np.linalg.norm(right)
    matrix = np.eye(4)
    matrix[:3] = np.stack([right, np.cross(backward, right), backward, position], axis=1)
    return matrix


def ring(count, radius=4.0, height=1.0, target=(0, 0, 0)):
    angles = np.arange(count) * 2 * math.pi / count
    target = np.asarray(target, dtype=np.float64)
    return [
        look_at(target + np.array([radius * math.cos(a), radius * math.sin(a), height]), target)
        for a in angles
    ]


def write_image(path, size=(8, 6), mode="RGB", color=None):
    path.parent.mkdir(parents=True, exist_ok=True)
    plain_image(size, mode, color).save(path)


def plain_image(size=(8, 6), mode="RGB", color=None):
    if color is None:
        color = {"RGBA": (200, 100, 50, 0), "RGB": (200, 100, 50), "L": 120}[mode]
    return Image.new(mode, size, color)


def write_json(path, content):
    path.write_text(json.dumps(content), encoding="utf-8")
    return path


def read_but_one(path, pattern):
    """Read a capture of which one camera entry is left out, with a note that gives the reason."""
    capture = open_capture(path)
    (note,) = [note for note in capture.notes if re.search(pattern, note)]
    assert re.match(r"1 of \d+ camera entries was left out\. The first: .*\.$", note), note
    return capture


def frames(matrices, pattern="images/{:03d}.png"):
    return [
        {"file_path": pattern.format(index), "transform_matrix": matrix.tolist()}
        for index, matrix in enumerate(matrices)
    ]


def write_transforms(folder, count=10, size=(8, 6), mode="RGB", picture=None, **shared):
    """Write an instant-ngp capture whose images all exist: one colour, or one picture in all."""
    content = {"fl_x": 10.0, **shared, "frames": frames(ring(count))}
    picture = picture or plain_image(size, mode)
    for frame in content["frames"]:
        path = folder / frame["file_path"]
        path.parent.mkdir(parents=True, exist_ok=True)
        picture.save(path)
    write_json(folder / "transforms.json", content)
    return content


def write_nerf_synthetic(folder, counts, size=(8, 6)):
    """Write a NeRF-Synthetic capture with the given number of views by split."""
    for split, count in counts.items():
        entries = frames(ring(count), f"./{split}/r_{{}}")
        for entry in entries:
            write_image(folder / f"{entry['file_path']}.png", size, "RGBA")
        write_json(folder / f"transforms_{split}.json", {"camera_angle_x": 0.8, "frames": entries})
