"""A capture whose truth is known: a ball coloured by its normals, on transparent ground."""

import math

import imageio.v3 as iio
import numpy as np
from capture_files import look_at, write_json

RADIUS = 0.5
DISTANCE = 2.5
ANGLE = 0.6
WIDE_ANGLE = 1.3


def ball_picture(camera_to_world, size, oversample=3, angle=ANGLE):
    """RGBA (size, size, 4) uint8 by intersecting rays with the ball in closed form."""
    side = size * oversample
    focal = 0.5 * side / math.tan(0.5 * angle)
    x, y = np.meshgrid(np.arange(side) + 0.5, np.arange(side) + 0.5)
    local = np.stack([(x - side / 2) / focal, -(y - side / 2) / focal, -np.ones_like(x)], -1)
    directions = local @ camera_to_world[:3, :3].T
    directions /= np.linalg.norm(directions, axis=-1, keepdims=True)
    origin = camera_to_world[:3, 3]
    along = -(directions @ origin)
    squared = along**2 - (origin @ origin - RADIUS**2)
    hit = squared > 0
    depth = along - np.sqrt(np.maximum(squared, 0))
    normals = (origin + directions * depth[..., None]) / RADIUS
    color = (0.5 + 0.45 * normals) * hit[..., None]
    rgba = np.concatenate([color, hit[..., None]], -1)
    rgba = rgba.reshape(size, oversample, size, oversample, 4).mean(axis=(1, 3))
    rgba[..., :3] /= np.maximum(rgba[..., 3:], 1e-6)
    return (rgba * 255 + 0.5).astype(np.uint8)


def wall_color(directions):
    """What surrounds the ball, so far away that only the direction counts: (..., 3) in [0, 1]."""
    x, y, z = np.moveaxis(directions, -1, 0)
    return np.stack([0.5 + 0.4 * x, 0.5 + 0.4 * y, 0.5 + 0.4 * np.sin(4 * z)], axis=-1)


def before_a_wall(picture, camera_to_world):
    """A picture of the ball (S, S, 4) uint8, taken wide, before the wall: (S, S, 3) uint8."""
    size = len(picture)
    focal = 0.5 * size / math.tan(0.5 * WIDE_ANGLE)
    x, y = np.meshgrid(np.arange(size) + 0.5, np.arange(size) + 0.5)
    local = np.stack([(x - size / 2) / focal, -(y - size / 2) / focal, -np.ones_like(x)], -1)
    directions = local @ camera_to_world[:3, :3].T
    wall = wall_color(directions / np.linalg.norm(directions, axis=-1, keepdims=True))
    alpha = picture[..., 3:] / 255
    return (picture[..., :3] * alpha + 255 * wall * (1 - alpha) + 0.5).astype(np.uint8)


def write_ball_capture(
    folder, size=40, counts=(("train", 14), ("val", 1), ("test", 2)), wall=False
):
    angle = WIDE_ANGLE if wall else ANGLE
    for number, (split, count) in enumerate(counts):
        entries = []
        (folder / split).mkdir(parents=True)
        for index in range(count):
            turn = (index + 0.37 * number) * math.pi * (3 - math.sqrt(5))
            z = -0.8 + 1.6 * (index + 0.5) / count
            flat = math.sqrt(1 - z * z)
            position = DISTANCE * np.array([flat * math.cos(turn), flat * math.sin(turn), z])
            matrix = look_at(position)
            picture = ball_picture(matrix, size, angle=angle)
            picture = before_a_wall(picture, matrix) if wall else picture
            iio.imwrite(folder / split / f"r_{index}.png", picture)
            entries.append(
                {"file_path": f"./{split}/r_{index}", "transform_matrix": matrix.tolist()}
            )
        content = {"camera_angle_x": angle, "frames": entries}
        write_json(folder / f"transforms_{split}.json", content)
    return folder
