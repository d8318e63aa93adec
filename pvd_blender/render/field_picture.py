"""A field's picture as Blender holds pictures: linear colour, depth along the view, its border."""

from collections.abc import Sequence

import bpy
import numpy as np
from bpy.types import RenderSettings, World

from ..scene.panoramas import is_panorama
from ..volume.volume_file import srgb_to_linear

SEEN = 0.5
"""Smallest alpha of a pixel with a depth."""

FAR = 1e10
"""Blender's depth of pixels that show nothing."""


def linear_rgba(pixels: np.ndarray, world: Sequence[float] | None) -> np.ndarray:
    """Return premultiplied linear colour and alpha, (H, W, 4) float32.

    Parameters
    ----------
    pixels : (H, W, 5) float32 array
        Premultiplied colour, sRGB-encoded; alpha; depth.
    world : 3 floats or None
        Linear colour behind the field; None leaves the background transparent.
    """
    alpha = pixels[..., 3:4].clip(0, 1)
    straight = pixels[..., :3] / np.maximum(alpha, 1e-6)
    color = srgb_to_linear(straight) * alpha
    if world is not None:
        color = color + np.asarray(world, np.float32) * (1 - alpha)
        alpha = np.ones_like(alpha)
    return np.concatenate((color, alpha), axis=-1).astype(np.float32)


def blender_depth(pixels: np.ndarray, camera: dict, scale: float) -> np.ndarray:
    """Return the depth pass, (H, W) float32: along the camera's view, in scene units.

    In a panorama it is the distance, as in Cycles.

    Parameters
    ----------
    pixels : (H, W, 5) float32 array
        With distance along the ray, dataset units.
    camera : dict
        The entry of ``cameras.json`` that was rendered; its lens distortion is ignored.
    scale : float
        Number of scene units in a dataset unit.
    """
    height, width = pixels.shape[:2]
    depth = pixels[..., 4] * scale
    if not is_panorama(camera):
        x = (np.arange(width) + 0.5 - camera["cx"]) / camera["fx"]
        y = (np.arange(height) + 0.5 - camera["cy"]) / camera["fy"]
        depth = depth / np.sqrt(1 + x[None, :] ** 2 + y[:, None] ** 2)
    seen = (pixels[..., 3] >= SEEN) & (depth > 0)
    return np.where(seen, depth, FAR).astype(np.float32)


def inside_border(camera: dict, render: RenderSettings) -> dict:
    """Return a camera cut to the render region, if there is one."""
    if not render.use_border:
        return camera
    width, height = camera["width"], camera["height"]
    left, right = int(render.border_min_x * width), int(render.border_max_x * width)
    low, high = int(render.border_min_y * height), int(render.border_max_y * height)
    return camera | {
        "width": max(right - left, 1),
        "height": max(high - low, 1),
        "cx": camera["cx"] - left,
        "cy": camera["cy"] - (height - high),
    }


def background(world: World | None) -> tuple[float, ...]:
    """Return a world's plain colour, linear: that of its background node, if it has one."""
    if world is None:
        return (0.0, 0.0, 0.0)
    # From Blender 5.0 on a world always has nodes.
    has_nodes = bpy.app.version >= (5, 0, 0) or world.use_nodes
    if has_nodes and world.node_tree is not None:
        for node in world.node_tree.nodes:
            if node.type == "BACKGROUND":
                color, strength = node.inputs["Color"], node.inputs["Strength"]
                return tuple(part * strength.default_value for part in color.default_value[:3])
    return tuple(world.color[:])
