"""A field's density and colour as a Volume object of Blender."""

from pathlib import Path
from zipfile import BadZipFile

import bpy
import numpy as np
from bpy.types import Material, Object

from .errors import SceneError
from .frame import frame_collection, parent_to_frame
from .vdb import COLOR, DENSITY, ORIGIN, voxel_origin, write_vdb

# Half-precision floats end at 65504, and Blender renders volumes in half precision.
MOST_DENSITY = 65000.0
# A ray through the whole grid at this optical depth loses a thousandth of its light: as good as
# empty, and not worth a voxel.
LEAST_DEPTH = 1e-3
VIEWPORT_DENSITY = 10.0
"""How many times denser Solid mode shows a volume: surfaces thinner than a cell would be unseen."""


def write_volume(npz_path: Path, folder: Path, name: str) -> Path:
    """Write the engine's volume as a new `.vdb` file.

    Parameters
    ----------
    npz_path : Path
        ``density`` (X, Y, Z) extinction per dataset unit, ``color`` (X, Y, Z, 3) sRGB-encoded in
        [0, 1], ``box`` (2, 3) corners in the dataset frame; values at the middles of the cells.
    folder : Path
        Where to write; created when missing.
    name : str
        The file becomes ``<name>_<number>.vdb``. Every export takes a new number, because Blender
        keeps showing the old content of a file that is overwritten.

    Returns
    -------
    Path

    Raises
    ------
    SceneError
        When the file is not such a volume, or holds no density at all.
    """
    density, color, box = read_npz(npz_path)
    diagonal = float(np.linalg.norm(box[1] - box[0]))
    density = np.where(density * diagonal < LEAST_DEPTH, 0.0, np.minimum(density, MOST_DENSITY))
    if not density.any():
        raise SceneError("The field is empty: there is no density to show as a volume.")
    if color is not None:
        density, color, box = with_border(density, srgb_to_linear(color), box)
        color = spread_color(color, density)
    folder.mkdir(parents=True, exist_ok=True)
    path = _new_file(folder, name)
    temporary = path.with_name(f".{path.stem}.part.vdb")
    try:
        write_vdb(temporary, density, color, box)
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)
    return path


def read_npz(path: Path) -> tuple[np.ndarray, np.ndarray | None, np.ndarray]:
    """Read (density, color or None, box) of the engine's volume file; NaN becomes empty."""
    try:
        with np.load(path, allow_pickle=False) as data:
            density = np.nan_to_num(data["density"].astype(np.float32), nan=0.0)
            color = data["color"].astype(np.float32) if "color" in data else None
            box = data["box"].astype(np.float64).reshape(2, 3)
    except (OSError, EOFError, KeyError, ValueError, BadZipFile) as error:
        raise SceneError(f"{path} is not a volume of the engine ({error}).") from error
    if density.ndim != 3 or (color is not None and color.shape != (*density.shape, 3)):
        raise SceneError(f"{path} is not a volume of the engine: its arrays do not fit together.")
    return density, color, box


def srgb_to_linear(values: np.ndarray) -> np.ndarray:
    """Decode sRGB values in [0, 1] (IEC 61966-2-1)."""
    values = np.clip(values, 0.0, 1.0)
    return np.where(values <= 0.04045, values / 12.92, ((values + 0.055) / 1.055) ** 2.4)


def with_border(
    density: np.ndarray, color: np.ndarray, box: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Add an empty layer of cells around a grid whose outermost cells hold density.

    Returns
    -------
    tuple of (X, Y, Z), (X, Y, Z, 3) and (2, 3) arrays
        Density, colour, box; as they came when the outermost cells are empty.
    """
    if np.count_nonzero(density[1:-1, 1:-1, 1:-1]) == np.count_nonzero(density):
        return density, color, box
    cell = (box[1] - box[0]) / density.shape
    widths = ((1, 1), (1, 1), (1, 1))
    return (
        np.pad(density, widths),
        np.pad(color, (*widths, (0, 0))),
        np.stack([box[0] - cell, box[1] + cell]),
    )


def spread_color(color: np.ndarray, density: np.ndarray) -> np.ndarray:
    """Keep colour where there is density, and carry it one cell beyond.

    Renderers interpolate density and colour apart from each other. If the colour ended with the
    density, it would fade to black over the last half cell, exactly where a surface is seen.

    Parameters
    ----------
    color : (X, Y, Z, 3) array
    density : (X, Y, Z) array

    Returns
    -------
    (X, Y, Z, 3) float32 array
        The colour of cells with density; their density-weighted mean in empty cells that touch
        one, by a corner at least; zero elsewhere.
    """
    filled = density > 0
    padded = np.pad(density, 1)
    weights = np.pad(density[..., None] * color, ((1, 1), (1, 1), (1, 1), (0, 0)))
    touching = _any_neighbour(filled) & ~filled
    cells = np.argwhere(touching)
    mass, light = np.zeros(len(cells)), np.zeros((len(cells), 3))
    for shift in np.ndindex(3, 3, 3):
        index = tuple((cells + shift).T)
        mass += padded[index]
        light += weights[index]
    out = np.zeros(color.shape, dtype=np.float32)
    out[filled] = color[filled]
    out[touching] = light / mass[:, None]
    return out


def _any_neighbour(filled: np.ndarray) -> np.ndarray:
    """Tell for each cell whether it or one of its 26 neighbours is filled."""
    out = filled
    for axis in range(3):
        padding = [(int(a == axis),) * 2 for a in range(3)]
        wide = np.pad(out, padding)
        lower, upper = [slice(None)] * 3, [slice(None)] * 3
        lower[axis], upper[axis] = slice(0, -2), slice(2, None)
        out = out | wide[tuple(lower)] | wide[tuple(upper)]
    return out


def _new_file(folder: Path, name: str) -> Path:
    taken = [path.stem.rpartition("_")[2] for path in folder.glob(f"{name}_*.vdb")]
    number = 1 + max((int(text) for text in taken if text.isdecimal()), default=0)
    return folder / f"{name}_{number:04d}.vdb"


def create_volume_object(vdb_path: Path, frame: Object, name: str) -> Object:
    """Create a Volume object that shows a `.vdb` file in a capture's frame.

    Its material absorbs light as the field does: the extinction per dataset unit is the density.
    With a colour grid it shines in the field's own colours and takes no light from the scene, as
    a radiance field; without one it is a grey fog in the scene's light.

    Raises
    ------
    SceneError
        When Blender cannot read the file.
    """
    volume = bpy.data.volumes.new(name)
    volume.filepath = str(vdb_path)
    if not volume.grids.load() or DENSITY not in {grid.name for grid in volume.grids}:
        reason = volume.grids.error_message or "it has no grid 'density'"
        bpy.data.volumes.remove(volume)
        raise SceneError(f"Blender cannot read the volume {vdb_path}: {reason}.")
    has_color = COLOR in {grid.name for grid in volume.grids}
    volume[ORIGIN] = voxel_origin()
    volume.display.density = VIEWPORT_DENSITY
    volume.materials.append(create_material(name, has_color))
    item = bpy.data.objects.new(name, volume)
    frame_collection(frame).objects.link(item)
    parent_to_frame(item, frame)
    return item


def create_material(name: str, has_color: bool) -> Material:
    """Create the Principled Volume material of a field's volume.

    Cycles' extinction for that shader is density * (color + (1 - color) * (1 - absorption)), with
    the colour and the square root of the absorption colour per channel: with a black absorption
    colour it is the density itself, whatever the colour. Scattering is left out (black colour) and
    the field's radiance becomes emission, density times colour per unit length, which is the
    emission and absorption model of radiance fields.
    """
    material = bpy.data.materials.new(name)
    if bpy.app.version < (5, 0, 0):
        material.use_nodes = True
    tree = material.node_tree
    tree.nodes.clear()
    output = tree.nodes.new("ShaderNodeOutputMaterial")
    shader = tree.nodes.new("ShaderNodeVolumePrincipled")
    shader.location = (-300, 0)
    inputs = {socket.identifier: socket for socket in shader.inputs}
    inputs["Density"].default_value = 1.0
    inputs["Density Attribute"].default_value = DENSITY
    inputs["Absorption Color"].default_value = (0.0, 0.0, 0.0, 1.0)
    inputs["Temperature Attribute"].default_value = ""
    if has_color:
        inputs["Color"].default_value = (0.0, 0.0, 0.0, 1.0)
        _emit(tree, inputs)
    else:
        inputs["Color"].default_value = (0.8, 0.8, 0.8, 1.0)
    volume_input = next(s for s in output.inputs if s.identifier == "Volume")
    tree.links.new(shader.outputs[0], volume_input)
    return material


def _emit(tree, inputs: dict) -> None:
    """Link the grids of density and colour to the shader's emission."""
    for row, (grid, source, target) in enumerate(
        ((DENSITY, "Fac", "Emission Strength"), (COLOR, "Color", "Emission Color"))
    ):
        attribute = tree.nodes.new("ShaderNodeAttribute")
        attribute.attribute_name = grid
        attribute.location = (-600, -200 * row)
        output = next(s for s in attribute.outputs if s.identifier == source)
        tree.links.new(output, inputs[target])
