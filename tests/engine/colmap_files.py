"""COLMAP models on disk for tests: written and read by the format's description, with struct.

Cameras are (id, model number, width, height, parameters); images (id, quaternion, translation,
camera id, name, features, point ids); points (id, position, colour, error, track).
"""

import struct

import numpy as np
from capture_files import ring, write_image

MODEL_NAMES = (
    "SIMPLE_PINHOLE",
    "PINHOLE",
    "SIMPLE_RADIAL",
    "RADIAL",
    "OPENCV",
    "OPENCV_FISHEYE",
    "FULL_OPENCV",
    "FOV",
    "SIMPLE_RADIAL_FISHEYE",
    "RADIAL_FISHEYE",
    "THIN_PRISM_FISHEYE",
)
PARAMETER_COUNTS = (3, 4, 4, 5, 8, 8, 12, 5, 4, 5, 12)

TO_DATASET = np.array([[1.0, 0, 0], [0, 0, 1], [0, -1, 0]])


def quaternion_of(rotation):
    """w, x, y, z by the eigenvector of the largest eigenvalue (Bar-Itzhack)."""
    (xx, xy, xz), (yx, yy, yz), (zx, zy, zz) = rotation
    matrix = np.array(
        [
            [xx + yy + zz, zy - yz, xz - zx, yx - xy],
            [zy - yz, xx - yy - zz, xy + yx, xz + zx],
            [xz - zx, xy + yx, yy - xx - zz, yz + zy],
            [yx - xy, xz + zx, yz + zy, zz - xx - yy],
        ]
    )
    return np.linalg.eigh(matrix)[1][:, -1]


def made_model(count=9, size=(40, 30), points=150, cameras=None):
    """A model of cameras in a ring, whose dataset frame has them at `ring(count)`."""
    rng = np.random.default_rng(5)
    cameras = cameras or [(3, 1, *size, (50.0, 52.0, 19.0, 16.0))]
    positions = rng.normal(size=(points, 3))
    images = []
    for index, pose in enumerate(ring(count)):
        world = TO_DATASET.T @ pose[:3]
        rotation = (world[:, :3] @ np.diag([1.0, -1.0, -1.0])).T
        seen = rng.choice(points, size=7, replace=False)
        images.append(
            (
                index + 1,
                tuple(quaternion_of(rotation)),
                tuple(-rotation @ world[:, 3]),
                cameras[index % len(cameras)][0],
                f"{index:03d}.png",
                rng.uniform(0, 30, (7, 2)),
                seen,
            )
        )
    made = [
        (
            number + 10,
            tuple(TO_DATASET.T @ position),
            tuple(int(c) for c in rng.integers(0, 256, 3)),
            float(rng.uniform(0.1, 2)),
            [(1, 0), (2, 5), (count, 3)][: 2 + number % 2],
        )
        for number, position in enumerate(positions)
    ]
    return cameras, images[::-1], made


def write_colmap(folder, model=None, size=(40, 30), binary=True, mode="RGB", images="images"):
    """Write a model with its images; returns the folder of the model."""
    cameras, posed, points = model or made_model(size=size)
    sparse = folder / "sparse" / "0"
    sparse.mkdir(parents=True, exist_ok=True)
    (write_binary if binary else write_text)(sparse, cameras, posed, points)
    for image in posed:
        write_image(folder / images / image[4], size, mode)
    return sparse


def write_binary(folder, cameras, images, points):
    out = struct.pack("<Q", len(cameras))
    for identity, model, width, height, values in cameras:
        out += struct.pack(f"<IiQQ{len(values)}d", identity, model, width, height, *values)
    (folder / "cameras.bin").write_bytes(out)
    out = struct.pack("<Q", len(images))
    for identity, quaternion, translation, camera, name, features, ids in images:
        out += struct.pack("<I7dI", identity, *quaternion, *translation, camera)
        out += name.encode() + b"\0" + struct.pack("<Q", len(features))
        for (x, y), point in zip(features, ids, strict=True):
            out += struct.pack("<ddq", x, y, point)
    (folder / "images.bin").write_bytes(out)
    out = struct.pack("<Q", len(points))
    for identity, position, color, error, track in points:
        out += struct.pack("<Q3d3BdQ", identity, *position, *color, error, len(track))
        out += b"".join(struct.pack("<II", *entry) for entry in track)
    (folder / "points3D.bin").write_bytes(out)


def write_text(folder, cameras, images, points):
    def numbers(values):
        return " ".join(repr(float(value)) for value in values)

    lines = ["# Camera list with one line of data per camera:"]
    for identity, model, width, height, values in cameras:
        lines.append(f"{identity} {MODEL_NAMES[model]} {width} {height} {numbers(values)}")
    (folder / "cameras.txt").write_text("\n".join(lines) + "\n")
    lines = ["# Image list with two lines of data per image:", ""]
    for identity, quaternion, translation, camera, name, features, ids in images:
        lines.append(f"{identity} {numbers(quaternion)} {numbers(translation)} {camera} {name}")
        pairs = zip(features, ids, strict=True)
        lines.append(" ".join(f"{numbers(feature)} {point}" for feature, point in pairs))
    (folder / "images.txt").write_text("\n".join(lines) + "\n")
    lines = ["# 3D point list with one line of data per point:"]
    for identity, position, color, error, track in points:
        colors = " ".join(map(str, color))
        entries = " ".join(f"{image} {feature}" for image, feature in track)
        lines.append(f"{identity} {numbers(position)} {colors} {float(error)!r} {entries}")
    (folder / "points3D.txt").write_text("\n".join(lines) + "\n")


def read_binary(folder):
    """The three lists of a binary model, with all features."""
    stream = (folder / "cameras.bin").open("rb")
    cameras = []
    for _ in range(_take(stream, "<Q")[0]):
        identity, model, width, height = _take(stream, "<IiQQ")
        values = _take(stream, f"<{PARAMETER_COUNTS[model]}d")
        cameras.append((identity, model, width, height, values))
    stream = (folder / "images.bin").open("rb")
    images = []
    for _ in range(_take(stream, "<Q")[0]):
        identity, *pose, camera = _take(stream, "<I7dI")
        name = b"".join(iter(lambda: stream.read(1), b"\0")).decode()
        features = [_take(stream, "<ddq") for _ in range(_take(stream, "<Q")[0])]
        places, ids = [f[:2] for f in features], [f[2] for f in features]
        images.append((identity, pose[:4], pose[4:], camera, name, places, ids))
    stream = (folder / "points3D.bin").open("rb")
    points = []
    for _ in range(_take(stream, "<Q")[0]):
        identity, x, y, z, red, green, blue, error, length = _take(stream, "<Q3d3BdQ")
        track = [_take(stream, "<II") for _ in range(length)]
        points.append((identity, (x, y, z), (red, green, blue), error, track))
    return cameras, images, points


def _take(stream, form):
    return struct.unpack(form, stream.read(struct.calcsize(form)))
