"""A sample capture of every format with known points, and where its own numbers put them.

Each formula here reads the sample's files itself and is written from the format's definition, apart
from the engine's readers and cameras. Run as a script, it writes all samples into a folder, and
what they say into ``expected.json``, for tests that have no engine.
"""

import json
import math
import sys
from pathlib import Path

import numpy as np
from capture_files import frames, ring, write_image, write_json, write_nerf_synthetic
from colmap_files import TO_DATASET, made_model, write_colmap
from format_files import (
    POSES,
    SIZE,
    write_donerf,
    write_dtu,
    write_llff,
    write_nsvf,
    write_polycam,
    write_realitycapture,
)

POINTS = np.random.default_rng(11).uniform(-0.6, 0.6, (12, 3))
"""In the dataset frame."""

Pixels = dict[str, np.ndarray]
"""Where each view shows the points: (N, 2) by the view's name, corner origin, y down."""


def pinhole(away, right, down, ahead, focal, center):
    depth = away @ ahead
    return np.stack(
        [
            center[0] + focal[0] * (away @ right) / depth,
            center[1] + focal[1] * (away @ down) / depth,
        ],
        axis=1,
    )


def opengl(matrix, points, focal, center):
    """Of a camera-to-world matrix with x right, y up, looking down -z."""
    matrix = np.asarray(matrix)
    right, up, back, position = (matrix[:3, column] for column in range(4))
    return pinhole(points - position, right, -up, -back, focal, center)


def camera_angle_files(folder: Path, size, angle=None) -> Pixels:
    """Of transforms_train.json, _val and _test with one angle of view, the middle ahead."""
    found = {}
    for split in ("train", "val", "test"):
        content = json.loads((folder / f"transforms_{split}.json").read_text())
        focal = size[0] / 2 / math.tan((angle or content["camera_angle_x"]) / 2)
        for frame in content["frames"]:
            name = frame["file_path"].removeprefix("./")
            pose, middle = frame["transform_matrix"], (size[0] / 2, size[1] / 2)
            found[name] = opengl(pose, POINTS, (focal, focal), middle)
    return found


def nerf_synthetic(folder: Path) -> Pixels:
    write_nerf_synthetic(folder, {"train": 3, "val": 1, "test": 2}, size=SIZE)
    return camera_angle_files(folder, SIZE)


def donerf(folder: Path) -> Pixels:
    write_donerf(folder)
    angle = json.loads((folder / "dataset_info.json").read_text())["camera_angle_x"]
    return camera_angle_files(folder, SIZE, angle)


def transforms(folder: Path) -> Pixels:
    """Focal lengths of its own in one frame, and images of half the size that the file states."""
    entries = frames(ring(4))
    entries[2] |= {"fl_x": 60.0, "cx": 22.0}
    for entry in entries:
        write_image(folder / entry["file_path"], SIZE)
    shared = {"w": 48, "h": 32, "fl_x": 50.0, "fl_y": 52.0, "cx": 25.5, "cy": 15.25}
    write_json(folder / "transforms.json", {**shared, "frames": entries})
    found = {}
    for frame in json.loads((folder / "transforms.json").read_text())["frames"]:
        k = shared | frame
        focal = (k["fl_x"] / 2, (k["fl_y"] if "fl_x" not in frame else k["fl_x"]) / 2)
        center = (k["cx"] / 2, k["cy"] / 2)
        name = frame["file_path"].removesuffix(".png")
        found[name] = opengl(frame["transform_matrix"], POINTS, focal, center)
    return found


def llff(folder: Path) -> Pixels:
    """In a world with y down, as COLMAP's are from which LLFF makes its own."""
    whole = np.eye(4)
    whole[:3, :3] = TO_DATASET
    write_llff(folder, [whole.T @ pose for pose in POSES])
    world = POINTS @ TO_DATASET
    found = {}
    for index, row in enumerate(np.load(folder / "poses_bounds.npy")):
        down, right, back, position, (height, width, focal) = row[:15].reshape(3, 5).T
        shown = pinhole(
            world - position, right, down, -back, (focal, focal), (width / 2, height / 2)
        )
        found[f"images_8/{index:03d}"] = shown * SIZE / (width, height)
    return found


def nsvf(folder: Path) -> Pixels:
    write_nsvf(folder)
    matrix = np.loadtxt(folder / "intrinsics.txt")
    found = {}
    for path in sorted((folder / "pose").iterdir()):
        to_camera = np.linalg.inv(np.loadtxt(path))
        x, y, z, _ = matrix @ to_camera @ np.column_stack([POINTS, np.ones(len(POINTS))]).T
        found[f"rgb/{path.stem}"] = np.stack([x / z, y / z], axis=1)
    return found


def dtu(folder: Path) -> Pixels:
    """Its pixel (0, 0) is the centre of the first one."""
    write_dtu(folder)
    arrays = np.load(folder / "cameras_sphere.npz")
    found = {}
    for index in range(4):
        world = arrays[f"scale_mat_{index}"] @ np.column_stack([POINTS, np.ones(len(POINTS))]).T
        x, y, z = (arrays[f"world_mat_{index}"] @ world)[:3]
        found[f"image/{index:03d}"] = np.stack([x / z, y / z], axis=1) + 0.5
    return found


def polycam(folder: Path) -> Pixels:
    """The dataset's (x, y, z) is Polycam's (z, x, y)."""
    write_polycam(folder)
    world = POINTS[:, [1, 2, 0]]
    found = {}
    for path in sorted((folder / "keyframes" / "cameras").iterdir()):
        k = json.loads(path.read_text())
        pose = [[k[f"t_{row}{column}"] for column in range(4)] for row in range(3)]
        shown = opengl(pose, world, (k["fx"], k["fy"]), (k["cx"], k["cy"]))
        found[f"keyframes/images/{path.stem}"] = shown * SIZE / (k["width"], k["height"])
    return found


def about(axis: int, degrees: float) -> np.ndarray:
    """The rotation about a coordinate axis, right-handed."""
    cosine, sine = math.cos(math.radians(degrees)), math.sin(math.radians(degrees))
    matrix, (a, b) = np.eye(3), ((axis + 1) % 3, (axis + 2) % 3)
    matrix[[a, b], [a, b]] = cosine
    matrix[a, b], matrix[b, a] = -sine, sine
    return matrix


def realitycapture(folder: Path) -> Pixels:
    write_realitycapture(folder)
    header, *lines = (folder / "cameras.csv").read_text().splitlines()
    found = {}
    for line in lines:
        row = dict(zip(header.split(","), line.split(","), strict=True))
        name = row.pop("#name").removesuffix(".jpg")
        v = {key: float(value) for key, value in row.items()}
        pose = np.zeros((3, 4))
        pose[:, :3] = about(2, -v["heading"]) @ about(0, v["pitch"]) @ about(1, v["roll"])
        pose[:, 3] = v["x"], v["y"], v["alt"]
        longer = max(SIZE)
        focal = (v["f"] / 36 * longer,) * 2
        center = SIZE[0] / 2 + v["px"] * longer, SIZE[1] / 2 + v["py"] * longer
        found[f"images/{name}"] = opengl(pose, POINTS, focal, center)
    return found


def turned(quaternion: np.ndarray, points: np.ndarray) -> np.ndarray:
    """Points turned by a unit quaternion: v + 2 w (q x v) + 2 q x (q x v)."""
    w, q = quaternion[0], np.asarray(quaternion[1:])
    across = np.cross(q, points)
    return points + 2 * w * across + 2 * np.cross(q, across)


def colmap(folder: Path) -> Pixels:
    write_colmap(
        folder, made_model(count=4, size=SIZE, cameras=[(3, 1, *SIZE, K)]), SIZE, binary=False
    )
    model = folder / "sparse" / "0"
    camera = (model / "cameras.txt").read_text().splitlines()[-1].split()
    fx, fy, cx, cy = map(float, camera[4:])
    world = POINTS @ TO_DATASET
    found = {}
    for line in (model / "images.txt").read_text().splitlines():
        words = line.split()
        if len(words) != 10 or not words[9].endswith(".png"):
            continue
        x, y, z = (turned(np.array(words[1:5], float), world) + np.array(words[5:8], float)).T
        shown = np.stack([fx * x / z + cx, fy * y / z + cy], axis=1)
        found[words[9].removesuffix(".png")] = shown
    return found


K = (25.0, 26.0, 11.5, 8.75)
SAMPLES = {
    sample.__name__: sample
    for sample in (
        *(nerf_synthetic, transforms, donerf, llff, nsvf, dtu, polycam, realitycapture, colmap),
    )
}
"""By `Capture.format`."""


def write_all(folder: Path) -> None:
    expected = {}
    for name, sample in SAMPLES.items():
        (folder / name).mkdir(parents=True)
        expected[name] = {view: shown.tolist() for view, shown in sample(folder / name).items()}
    content = {"points": POINTS.tolist(), "pixels": expected}
    (folder / "expected.json").write_text(json.dumps(content), encoding="utf-8")


if __name__ == "__main__":
    write_all(Path(sys.argv[1]))
