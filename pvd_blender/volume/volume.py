"""A field's density and colour as a Volume object of Blender."""

import os
import sys
from pathlib import Path
from types import ModuleType

import bpy
import numpy as np
from bpy.types import Material, Object, Volume

from ..errors import SceneError
from ..scene.frame import ORIGIN as FRAME_ORIGIN
from ..scene.frame import frame_collection, frame_origin, parent_to_frame
from ..scene.matrices import to_numpy
from . import volume_file
from .vdb import openvdb_module, voxel_origin, write_vdb
from .volume_file import COLOR, DENSITY, DISPLAY, ORIGIN, volume_arrays

SOLID_DEPTH = 3.0
"""Optical depth of a cell that lets nothing through, as Solid mode draws it."""


def write_volume(npz_path: Path, folder: Path, name: str, origin: np.ndarray) -> Path:
    """Write the engine's volume as a new `.vdb` file, unless `writer` has written it already.

    Parameters
    ----------
    npz_path : Path
        The engine's file, in the form that `volume_file.volume_arrays` reads.
    folder : Path
        Folder to write to; it is made if it is missing.
    name : str
        The file becomes ``<name>_<number>.vdb``. Every export takes a new number, because Blender
        keeps showing the old content of a file that is overwritten.
    origin : (3,) array
        Point of the dataset frame that the volume's own space begins at.

    Returns
    -------
    Path

    Raises
    ------
    SceneError
        When the file is no such volume, or has no density at all.
    """
    folder.mkdir(parents=True, exist_ok=True)
    path = _new_file(folder, name)
    written = npz_path.with_suffix(".vdb")
    if written.is_file():
        return written.replace(path)
    try:
        density, color, box = volume_arrays(npz_path, origin)
    except ValueError as error:
        raise SceneError(str(error)) from error
    temporary = path.with_name(f".{path.stem}.part.vdb")
    try:
        write_vdb(temporary, density, color, box)
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)
    return path


def writer(npz_path: Path, origin: np.ndarray) -> tuple[list[str], dict[str, str]] | None:
    """Return the command with which Blender's own Python writes the engine's volume as `.vdb`.

    Parameters
    ----------
    npz_path, origin
        As of `write_volume`.

    Returns
    -------
    tuple of list and dict, or None
        The command and the variables that its environment needs; None in a build without OpenVDB,
        where only Blender itself can write volumes.
    """
    module = openvdb_module()
    if module is None:
        return None
    libraries = {str(_library_folder(library)) for library in (module, np)}
    vdb_path = npz_path.with_suffix(".vdb")
    # -P keeps the script's folder, with its modules of common names, off the path.
    command = [sys.executable, "-P", volume_file.__file__, str(npz_path), str(vdb_path)]
    numbers = [repr(float(value)) for value in origin]
    return [*command, voxel_origin(), *numbers], {"PYTHONPATH": os.pathsep.join(sorted(libraries))}


def _library_folder(module: ModuleType) -> Path:
    """Return the folder from which a module is imported."""
    file = Path(module.__file__)
    return file.parents[1] if file.stem == "__init__" else file.parent


def _new_file(folder: Path, name: str) -> Path:
    taken = [path.stem.rpartition("_")[2] for path in folder.glob(f"{name}_*.vdb")]
    number = 1 + max((int(text) for text in taken if text.isdecimal()), default=0)
    return folder / f"{name}_{number:04d}.vdb"


def create_volume_object(vdb_path: Path, frame: Object, name: str) -> Object:
    """Create a Volume object that shows a `.vdb` file in a capture's frame.

    Its material absorbs light as the field does: the extinction per dataset unit is the density.
    With a colour grid it emits the field's own colours and is not lit by the scene, as a radiance
    field; without one it is a grey fog in the scene's light.

    Raises
    ------
    SceneError
        When Blender cannot read the file.
    """
    volume = bpy.data.volumes.new(name)
    try:
        show_file(volume, vdb_path)
    except SceneError:
        bpy.data.volumes.remove(volume)
        raise
    has_color = COLOR in {grid.name for grid in volume.grids}
    volume[ORIGIN] = voxel_origin()
    volume.materials.append(create_material(name, has_color))
    item = bpy.data.objects.new(name, volume)
    frame_collection(frame).objects.link(item)
    parent_to_frame(item, frame)
    if FRAME_ORIGIN in frame:  # kept here too, for when it has no parent any more
        item[FRAME_ORIGIN] = frame_origin(frame).tolist()
    return item


def show_file(volume: Volume, vdb_path: Path) -> None:
    """Make a Volume show a `.vdb` file, in Solid mode as dense as its field is.

    Raises
    ------
    SceneError
        When Blender cannot read the file.
    """
    volume.filepath = str(vdb_path)
    loaded = volume.grids.load()
    grids = {grid.name: (index, grid) for index, grid in enumerate(volume.grids)}
    if not loaded or DENSITY not in grids:
        reason = volume.grids.error_message or "it has no grid 'density'"
        raise SceneError(f"Blender cannot read the volume {vdb_path}: {reason}.")
    volume.grids.active_index, grid = grids.get(DISPLAY, grids[DENSITY])
    cell = np.mean(np.diag(to_numpy(grid.matrix_object))[:3])
    volume.display.density = SOLID_DEPTH / cell if DISPLAY in grids else 1.0


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
