"""Captures as the engine's ``pvd info --json`` describes them, made by the tests' own reading."""

import json
import math
import struct
from pathlib import Path

import numpy as np


def png_size(path):
    header = Path(path).read_bytes()[:24]
    return struct.unpack(">II", header[16:24])


def view(name, pose, width, height, fx, fy, cx, cy, image=None, split="train", distortion=None):
    camera = {
        "camera_to_world": np.asarray(pose, dtype=np.float64).tolist(),
        "width": width,
        "height": height,
        "fx": fx,
        "fy": fy,
        "cx": cx,
        "cy": cy,
        "distortion_model": "opencv" if distortion else "none",
        "distortion": distortion or {},
    }
    image_path = str(image) if image else None
    return {"name": name, "split": split, "image_path": image_path, "camera": camera}


def capture(name, views, box=((-1.5,) * 3, (1.5,) * 3), root="/nowhere", **frame):
    return {
        "name": name,
        "root": str(root),
        "format": "transforms",
        "views": views,
        "box": [list(corner) for corner in box],
        "frame": {"applied_transform": np.eye(4)[:3].tolist(), **frame},
        "has_alpha": False,
    }


def read_nerf_synthetic(root):
    views = []
    for split in ("train", "val", "test"):
        meta = json.loads((root / f"transforms_{split}.json").read_text())
        for item in meta["frames"]:
            image = root / (item["file_path"] + ".png")
            width, height = png_size(image)
            focal = 0.5 * width / math.tan(0.5 * meta["camera_angle_x"])
            name = item["file_path"].removeprefix("./")
            pinhole = (width, height, focal, focal, width / 2, height / 2)
            views.append(view(name, item["transform_matrix"], *pinhole, image, split))
    return capture(root.name, views, root=root)


def read_transforms(root):
    meta = json.loads((root / "transforms.json").read_text())
    pinhole = [int(meta["w"]), int(meta["h"]), *(meta[k] for k in ("fl_x", "fl_y", "cx", "cy"))]
    distortion = {k: meta[k] for k in ("k1", "k2", "p1", "p2")}
    views = [
        view(
            Path(f["file_path"]).stem,
            f["transform_matrix"],
            *pinhole,
            root / f["file_path"],
            distortion=distortion,
        )
        for f in meta["frames"]
        if (root / f["file_path"]).is_file()
    ]
    return capture(root.name, views, ((-4,) * 3, (4,) * 3), root, aabb_scale=meta["aabb_scale"])


def project(camera, points):
    """Pixels of points in the dataset frame, by the pinhole formula alone (float64)."""
    world_to_camera = np.linalg.inv(np.asarray(camera["camera_to_world"], dtype=np.float64))
    x, y, z = (points @ world_to_camera[:3, :3].T + world_to_camera[:3, 3]).T
    return np.stack(
        [camera["cx"] + camera["fx"] * x / -z, camera["cy"] + camera["fy"] * -y / -z], axis=1
    )


def unproject(camera, pixels, depth):
    """Points in the dataset frame that lie behind pixels at given depths."""
    x = (pixels[:, 0] - camera["cx"]) / camera["fx"] * depth
    y = -(pixels[:, 1] - camera["cy"]) / camera["fy"] * depth
    local = np.stack([x, y, -depth, np.ones_like(depth)], axis=1)
    return (local @ np.asarray(camera["camera_to_world"]).T)[:, :3]
