"""Cameras on a sphere around a scene, for captures made by script."""

import math

import bpy
import numpy as np
from bpy.types import Object, Scene
from mathutils import Matrix


def sphere_cameras(
    scene: Scene,
    counts: dict[str, int],
    *,
    center: tuple[float, float, float] = (0.0, 0.0, 0.0),
    radius: float = 4.0,
    elevation: tuple[float, float] = (0.0, 90.0),
    angle: float = 40.0,
    seed: int = 0,
) -> dict[str, list[Object]]:
    """Create cameras that look at a point from all around.

    Parameters
    ----------
    scene : Scene
        The cameras go into a new collection of it.
    counts : dict of str to int
        Cameras per split.
    center : 3 floats
        World space.
    radius : float
        Distance from the centre, scene units.
    elevation : (float, float)
        Lowest and highest elevation in degrees; (0, 90) is a hemisphere, (-90, 90) a sphere.
    angle : float
        Horizontal angle of view in degrees.
    seed : int
        Start of the random numbers for the cameras' positions.

    Returns
    -------
    dict of str to list of Object
        Evenly spread over the band of the sphere, each split by itself, at a random turn.
    """
    if radius <= 0 or not -90 <= elevation[0] <= elevation[1] <= 90:
        raise ValueError("Cameras need a positive radius and elevations from -90 to 90 degrees.")
    rng = np.random.default_rng(seed)
    collection = bpy.data.collections.new("Capture cameras")
    scene.collection.children.link(collection)
    splits: dict[str, list[Object]] = {}
    for split, count in counts.items():
        positions = np.asarray(center) + radius * _spread(count, elevation, rng)
        splits[split] = []
        for index, position in enumerate(positions):
            data = bpy.data.cameras.new(f"{split}_{index:03d}")
            data.sensor_fit = "HORIZONTAL"
            data.angle = math.radians(angle)
            data.clip_start, data.clip_end = radius * 1e-3, radius * 100
            item = bpy.data.objects.new(data.name, data)
            item.rotation_mode = "QUATERNION"
            item.matrix_basis = Matrix(_look_at(position, np.asarray(center)).tolist())
            collection.objects.link(item)
            splits[split].append(item)
    bpy.context.view_layer.update()
    return splits


def _spread(count: int, elevation: tuple[float, float], rng: np.random.Generator) -> np.ndarray:
    """Return directions (count, 3) on a golden spiral, one in each of equal areas of the band."""
    low, high = (math.sin(math.radians(value)) for value in elevation)
    steps = (np.arange(count) + rng.uniform(0.25, 0.75, count)) / max(count, 1)
    z = low + (high - low) * steps
    turn = np.arange(count) * math.pi * (3 - math.sqrt(5)) + rng.uniform(0, 2 * math.pi)
    across = np.sqrt(np.maximum(0.0, 1 - z * z))
    return np.stack([across * np.cos(turn), across * np.sin(turn), z], axis=1)


def _look_at(position: np.ndarray, target: np.ndarray) -> np.ndarray:
    """Return a camera-to-world matrix (OpenGL axes) at `position` facing `target`, Z kept up."""
    back = np.asarray(position, dtype=np.float64) - np.asarray(target, dtype=np.float64)
    back /= np.linalg.norm(back)
    right = np.cross([0.0, 0.0, 1.0], back)
    length = np.linalg.norm(right)
    right = np.array([1.0, 0.0, 0.0]) if length < 1e-9 else right / length
    matrix = np.eye(4)
    matrix[:3, 0] = right
    matrix[:3, 1] = np.cross(back, right)
    matrix[:3, 2] = back
    matrix[:3, 3] = position
    return matrix
