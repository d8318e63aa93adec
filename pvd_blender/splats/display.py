"""Splats as coloured points, for display in a Blender without splat objects."""

import bpy
import numpy as np
from bpy.types import Mesh, Object

from ..scene.points import COLOR, add_points_modifier
from .cloud import Splats
from .harmonics import SH_0

RADIUS = "radius"
"""Attribute of the vertices: the radius of the point that stands for a splat."""

DISPLAY_ONLY = (
    "This Blender has no splat objects: the splats are points with colour and size, for display "
    "only. Blender 5.3 and later draw, cut and save them"
)


def display_data(splats: Splats, name: str) -> Mesh:
    """Create a mesh whose vertices stand for splats, with their colours and radii.

    A point is an opaque ball that covers as much as its splat takes light, which is 2 pi opacity
    times the product of its two larger standard deviations. Its colour is the mean one over all
    directions.
    """
    data = bpy.data.meshes.new(name)
    data.vertices.add(len(splats))
    data.vertices.foreach_set("co", splats.centers.ravel())
    two = np.sort(splats.scales, axis=1)[:, 1:].prod(axis=1, dtype=np.float64)
    radii = np.sqrt(2 * splats.opacities * two).astype(np.float32)
    data.attributes.new(RADIUS, "FLOAT", "POINT").data.foreach_set("value", radii)
    colors = np.ones((len(splats), 4), np.float32)
    colors[:, :3] = np.clip(0.5 + SH_0 * splats.sh[:, 0], 0, 1)
    attribute = data.color_attributes.new(COLOR, "FLOAT_COLOR", "POINT")
    attribute.data.foreach_set("color_srgb", colors.ravel())
    data.color_attributes.active_color = attribute
    return data


def draw_as_points(item: Object) -> None:
    """Give an object of `display_data` the nodes that draw its vertices."""
    add_points_modifier(item, "Splats", RADIUS)
