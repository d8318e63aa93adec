"""A density grid through geometry nodes, for a Blender without an OpenVDB module.

The grid's slices lie next to each other in one float image; a node group samples the image at every
voxel of a Volume Cube, and Blender saves the evaluated volume. The values stay the same bit by bit.
"""

import math
from pathlib import Path

import bpy
import numpy as np
from bpy.types import GeometryNodeTree, Image, NodeSocket

from ..errors import SceneError

LEAST_CELLS = 2
"""Smallest number of points on an axis of a Volume Cube."""


def write_density_by_nodes(path: Path, density: np.ndarray, box: np.ndarray) -> None:
    """Write a density grid (X, Y, Z) over a box (2, 3) as a `.vdb` with a grid ``density``.

    Raises
    ------
    SceneError
        When Blender does not evaluate or save the volume.
    """
    density, low, cell = _at_least_two_cells(density, np.asarray(box, dtype=np.float64))
    image = _atlas(density)
    group = _sampling_group(image, density.shape, low + cell / 2, cell)
    volume = bpy.data.volumes.new("pvd_density_writer")
    item = bpy.data.objects.new("pvd_density_writer", volume)
    bpy.context.scene.collection.objects.link(item)
    try:
        item.modifiers.new("sampling", "NODES").node_group = group
        evaluated = item.evaluated_get(bpy.context.evaluated_depsgraph_get())
        if not evaluated.data.grids.save(filepath=str(path)):
            raise SceneError(f"Blender could not write the volume to {path}.")
    finally:
        bpy.data.objects.remove(item)
        bpy.data.volumes.remove(volume)
        bpy.data.node_groups.remove(group)
        bpy.data.images.remove(image)


def _at_least_two_cells(
    density: np.ndarray, box: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return (density, low corner, cell size), with an empty cell added to an axis of one cell."""
    cell = (box[1] - box[0]) / density.shape
    padding = [(0, max(0, LEAST_CELLS - n)) for n in density.shape]
    return np.pad(density, padding), box[0], cell


def _columns(shape: tuple[int, ...]) -> int:
    """Return the number of slices per row of the atlas, which is then about as wide as high."""
    return max(1, min(shape[2], math.ceil(math.sqrt(shape[2] * shape[1] / shape[0]))))


def _atlas(density: np.ndarray) -> Image:
    """Lay the slices (X, Y) of every z into one float image, row after row from the bottom."""
    width, height, depth = density.shape
    columns = _columns(density.shape)
    rows = math.ceil(depth / columns)
    tiles = np.zeros((rows * columns, height, width), dtype=np.float32)
    tiles[:depth] = density.transpose(2, 1, 0)
    flat = tiles.reshape(rows, columns, height, width).transpose(0, 2, 1, 3)
    pixels = np.repeat(flat.reshape(rows * height, columns * width, 1), 4, axis=2)
    pixels[..., 3] = 1.0
    image = bpy.data.images.new(
        "pvd_density_atlas", columns * width, rows * height, float_buffer=True, is_data=True
    )
    image.pixels.foreach_set(np.ascontiguousarray(pixels).ravel())
    return image


class _Builder:
    """Adds math nodes to a group, so that the formulas below read as formulas."""

    def __init__(self, group: GeometryNodeTree) -> None:
        self.group = group

    def node(self, kind: str):
        """Add a node of a type."""
        return self.group.nodes.new(kind)

    def link(self, source: NodeSocket, target: NodeSocket) -> None:
        """Link two sockets."""
        self.group.links.new(source, target)

    def math(self, operation: str, *values: "NodeSocket | float") -> NodeSocket:
        """Add a math node; each value is a socket or a number."""
        node = self.node("ShaderNodeMath")
        node.operation = operation
        for socket, value in zip(node.inputs, values, strict=False):
            if isinstance(value, NodeSocket):
                self.link(value, socket)
            else:
                socket.default_value = value
        return node.outputs[0]


def _sampling_group(
    image: Image, shape: tuple[int, ...], first: np.ndarray, cell: np.ndarray
) -> GeometryNodeTree:
    """Return a group that makes a volume of `shape` voxels from the atlas, the first at `first`."""
    group = bpy.data.node_groups.new("pvd_density_sampling", "GeometryNodeTree")
    group.interface.new_socket("Volume", in_out="OUTPUT", socket_type="NodeSocketGeometry")
    build = _Builder(group)
    position = build.node("ShaderNodeSeparateXYZ")
    build.link(build.node("GeometryNodeInputPosition").outputs[0], position.inputs[0])
    i, j, k = (
        build.math("ROUND", build.math("DIVIDE", build.math("SUBTRACT", axis, low), size))
        for axis, low, size in zip(position.outputs, first.tolist(), cell.tolist(), strict=True)
    )
    columns = _columns(shape)
    row = build.math("FLOOR", build.math("DIVIDE", build.math("ADD", k, 0.5), float(columns)))
    column = build.math("SUBTRACT", k, build.math("MULTIPLY", row, float(columns)))
    place = build.node("ShaderNodeCombineXYZ")
    for axis, (tile, index) in enumerate(((column, i), (row, j))):
        pixel = build.math("ADD", build.math("MULTIPLY", tile, float(shape[axis])), index)
        middle = build.math("ADD", pixel, 0.5)
        build.link(build.math("DIVIDE", middle, float(image.size[axis])), place.inputs[axis])
    texture = build.node("GeometryNodeImageTexture")
    texture.interpolation = "Closest"
    texture.extension = "EXTEND"
    _socket(texture.inputs, "Image").default_value = image
    build.link(place.outputs[0], _socket(texture.inputs, "Vector"))
    channels = build.node("ShaderNodeSeparateXYZ")
    build.link(_socket(texture.outputs, "Color"), channels.inputs[0])
    cube = build.node("GeometryNodeVolumeCube")
    build.link(channels.outputs[0], _socket(cube.inputs, "Density"))
    _socket(cube.inputs, "Background").default_value = 0.0
    _socket(cube.inputs, "Min").default_value = first.tolist()
    _socket(cube.inputs, "Max").default_value = (first + cell * (np.array(shape) - 1)).tolist()
    for axis, count in zip("XYZ", shape, strict=True):
        _socket(cube.inputs, f"Resolution {axis}").default_value = count
    build.link(_socket(cube.outputs, "Volume"), build.node("NodeGroupOutput").inputs[0])
    return group


def _socket(sockets, identifier: str) -> NodeSocket:
    """Find a socket by its identifier, which no translation of the interface changes."""
    return next(socket for socket in sockets if socket.identifier == identifier)
