"""A capture that trains in seconds: a ball, coloured by its normals, in NeRF-Synthetic form."""

import json
import math
import struct
import zlib
from pathlib import Path

import numpy as np

SIDE = 24
ANGLE = 0.7
COUNTS = {"train": 8, "val": 1, "test": 1}


def write(folder: Path) -> Path:
    number = 0
    for split, count in COUNTS.items():
        frames = []
        (folder / split).mkdir(parents=True, exist_ok=True)
        for index in range(count):
            pose = _pose(number)
            write_png(folder / split / f"r_{index}.png", _ball(pose))
            frames.append({"file_path": f"./{split}/r_{index}", "transform_matrix": pose.tolist()})
            number += 1
        content = {"camera_angle_x": ANGLE, "frames": frames}
        (folder / f"transforms_{split}.json").write_text(json.dumps(content))
    return folder


def _pose(number: int) -> np.ndarray:
    turn = number * math.pi * (3 - math.sqrt(5))
    height = -0.5 + 1.4 * number / sum(COUNTS.values())
    across = math.sqrt(1 - height * height)
    back = np.array([across * math.cos(turn), across * math.sin(turn), height])
    right = np.cross([0, 0, 1], back)
    right /= np.linalg.norm(right)
    pose = np.eye(4)
    pose[:3, 0], pose[:3, 1], pose[:3, 2] = right, np.cross(back, right), back
    pose[:3, 3] = 4 * back
    return pose


def _ball(pose: np.ndarray) -> np.ndarray:
    focal = SIDE / 2 / math.tan(ANGLE / 2)
    axis = np.arange(SIDE) + 0.5 - SIDE / 2
    x, y = np.meshgrid(axis / focal, -axis / focal)
    rays = np.stack([x, y, -np.ones_like(x)], axis=-1) @ pose[:3, :3].T
    rays /= np.linalg.norm(rays, axis=-1, keepdims=True)
    along = -rays @ pose[:3, 3]
    inside = 1 - (pose[:3, 3] @ pose[:3, 3] - along**2)
    hit = inside > 0
    normal = pose[:3, 3] + (along - np.sqrt(np.maximum(inside, 0)))[..., None] * rays
    color = np.where(hit[..., None], 0.5 + 0.5 * normal, 0)
    rgba = np.concatenate([color, hit[..., None]], axis=-1)
    return (255 * rgba.clip(0, 1) + 0.5).astype(np.uint8)


def write_png(path: Path, rgba: np.ndarray) -> None:
    height, width, _ = rgba.shape
    rows = b"".join(b"\0" + row.tobytes() for row in rgba)
    header = struct.pack(">IIBBBBB", width, height, 8, 6, 0, 0, 0)
    chunks = ((b"IHDR", header), (b"IDAT", zlib.compress(rows)), (b"IEND", b""))
    data = b"\x89PNG\r\n\x1a\n"
    for kind, body in chunks:
        data += struct.pack(">I", len(body)) + kind + body
        data += struct.pack(">I", zlib.crc32(kind + body))
    path.write_bytes(data)
