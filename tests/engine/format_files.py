"""Small captures of other programs' formats on disk, and what their cameras see."""

import io

import numpy as np
import pytest
from capture_files import frames, look_at, write_image, write_json

from pvd_engine.data.geometry.projection import project
from pvd_engine.data.readers import open_capture
from pvd_engine.errors import UserError

SIZE = WIDTH, HEIGHT = 24, 16
POINTS = np.array([[0.0, 0, 0], [0.3, -0.2, 0.5], [-0.4, 0.1, -0.3]])
POSES = [look_at((4, 1, 1)), look_at((-1, 3, 2)), look_at((2, -3, -1)), look_at((1, 2, 4))]


def refuse(path, pattern):
    with pytest.raises(UserError, match=pattern) as caught:
        open_capture(path)
    message = str(caught.value)
    assert message.endswith(".")
    assert "\n" not in message


def parts(matrix):
    """Right, up, back and position of a camera-to-world matrix in OpenGL axes."""
    return (matrix[:3, column] for column in range(4))


def pixels(matrix, points, focal, center):
    """Where a pinhole shows points: the distance along its axes over the depth."""
    right, up, back, position = parts(matrix)
    away = points - position
    depth = -away @ back
    focal = np.broadcast_to(focal, 2)
    return np.stack(
        [
            center[0] + focal[0] * (away @ right) / depth,
            center[1] - focal[1] * (away @ up) / depth,
        ],
        axis=1,
    )


def check_pixels(capture, points, expected):
    assert len(capture.views) == len(expected)
    for view, where in zip(capture.views, expected, strict=True):
        np.testing.assert_allclose(project(view.camera, points), where, rtol=0, atol=1e-6)


def llff_rows(poses, size=(WIDTH * 8, HEIGHT * 8), focal=160.0, near=2.0, far=6.0):
    rows = []
    for matrix in poses:
        right, up, back, position = parts(matrix)
        columns = [-up, right, back, position, (size[1], size[0], focal)]
        rows.append(np.concatenate([np.stack(columns, axis=1).ravel(), [near, far]]))
    return np.array(rows)


def write_llff(folder, poses=POSES, images="images_8", **values):
    folder.mkdir(exist_ok=True)
    np.save(folder / "poses_bounds.npy", llff_rows(poses, **values))
    for index in range(len(poses)):
        write_image(folder / images / f"{index:03d}.png", SIZE)


def write_nsvf(folder, names=("0_a", "0_b", "1_c", "2_d"), intrinsics=None, mode="RGB"):
    (folder / "pose").mkdir(parents=True)
    for name, matrix in zip(names, POSES, strict=True):
        right, up, back, position = parts(matrix)
        opencv = np.eye(4)
        opencv[:3] = np.stack([right, -up, -back, position], axis=1)
        np.savetxt(folder / "pose" / f"{name}.txt", opencv, fmt="%.17g")
        write_image(folder / "rgb" / f"{name}.png", SIZE, mode)
    matrix = "20 0 11 0\n0 21 7 0\n0 0 1 0\n0 0 0 1\n" if intrinsics is None else intrinsics
    (folder / "intrinsics.txt").write_text(matrix)
    (folder / "bbox.txt").write_text("-1 -2 -3 1 2 3 0.4\n")


def write_donerf(folder, **info):
    content = {
        "camera_angle_x": 0.9,
        "resolution": list(SIZE),
        "view_cell_center": [1.0, 2.0, 3.0],
        "view_cell_size": [1.0, 2.0, 0.5],
        "depth_range": [0.5, 10.0],
        "flip_depth": True,
        **info,
    }
    for split, poses in {"train": POSES[:2], "val": POSES[2:3], "test": POSES[3:]}.items():
        entries = frames(poses, f"{split}/{{:05d}}")
        for entry in entries:
            write_image(folder / f"{entry['file_path']}.png", SIZE)
        write_json(folder / f"transforms_{split}.json", {"frames": entries})
    write_json(folder / "dataset_info.json", content)


SCALE_MAT = np.array([[2.5, 0, 0, 1], [0, 2.5, 0, -2], [0, 0, 2.5, 3], [0, 0, 0, 1]])
CAMERA_MATRIX = np.array([[20.0, 0, 11], [0, 21, 7], [0, 0, 1]])


def dtu_arrays(camera_matrix=CAMERA_MATRIX, factor=1.0):
    """IDR's matrices of cameras whose poses are those of the normalised frame."""
    arrays = {}
    for index, matrix in enumerate(POSES):
        right, up, back, position = parts(matrix)
        rotation = np.stack([right, -up, -back])
        center = (SCALE_MAT @ [*position, 1])[:3]
        world = np.eye(4)
        world[:3] = factor * camera_matrix @ np.column_stack([rotation, -rotation @ center])
        arrays |= {f"world_mat_{index}": world, f"scale_mat_{index}": SCALE_MAT}
        arrays[f"world_mat_inv_{index}"] = np.linalg.inv(world)
    return arrays


def write_dtu(folder, arrays=None, file="cameras_sphere.npz", count=4):
    for index in range(count):
        write_image(folder / "image" / f"{index:03d}.png", SIZE)
        write_image(folder / "mask" / f"{index:03d}.png", SIZE)
    np.savez(folder / file, **(dtu_arrays() if arrays is None else arrays))


def write_polycam(folder, kind="", poses=POSES, **values):
    for index, matrix in enumerate(poses):
        rows = matrix[[1, 2, 0]]  # the dataset's (x, y, z) is Polycam's (z, x, y)
        camera = {f"t_{row}{column}": rows[row, column] for row in range(3) for column in range(4)}
        camera |= {"fx": 40, "fy": 42, "cx": 23, "cy": 17, "width": 48, "height": 32, **values}
        name = str(1000 + index)
        write_image(folder / "keyframes" / f"{kind}images" / f"{name}.jpg", SIZE)
        (folder / "keyframes" / f"{kind}cameras").mkdir(exist_ok=True)
        write_json(folder / "keyframes" / f"{kind}cameras" / f"{name}.json", camera)


COLUMNS = "#name,x,y,alt,heading,pitch,roll,f,px,py,k1,k2,k3,k4,t1,t2"


def realitycapture_row(name, matrix, **values):
    """A row of the table; angles of R = Rz(-heading) Rx(pitch) Ry(roll) from R's entries."""
    rotation = matrix[:3, :3]
    row = dict.fromkeys(COLUMNS.split(","), 0.0)
    row |= {
        "#name": name,
        "heading": np.degrees(np.arctan2(rotation[0, 1], rotation[1, 1])),
        "pitch": np.degrees(np.arcsin(rotation[2, 1])),
        "roll": np.degrees(np.arctan2(-rotation[2, 0], rotation[2, 2])),
        "f": 30.0,
        **values,
    }
    row["x"], row["y"], row["alt"] = matrix[:3, 3]
    return ",".join(str(value) for value in row.values())


def write_realitycapture(folder, rows=None, images="images"):
    names = [f"photo {index}.jpg" for index in range(len(POSES))]
    for name in names:
        write_image(folder / images / name, SIZE)
    if rows is None:
        rows = [
            realitycapture_row(name, matrix, px=0.01, py=-0.02)
            for name, matrix in zip(names, POSES, strict=True)
        ]
    (folder / "cameras.csv").write_text("\n".join([COLUMNS, *rows]) + "\n")


WRITERS = {
    "llff": write_llff,
    "nsvf": write_nsvf,
    "donerf": write_donerf,
    "dtu": write_dtu,
    "polycam": write_polycam,
    "realitycapture": write_realitycapture,
}


def npy_bytes(array, **options):
    stream = io.BytesIO()
    np.save(stream, array, **options)
    return stream.getvalue()


def promising(shape):
    """The header of an array of a shape, without its numbers."""
    stream = io.BytesIO()
    header = {"descr": "<f8", "fortran_order": False, "shape": shape}
    np.lib.format.write_array_header_1_0(stream, header)
    return stream.getvalue()


class Trap:
    def __reduce__(self):
        return (pytest.fail, ("a pickle was opened",))
