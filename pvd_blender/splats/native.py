"""Blender's own splat objects: point clouds of the type *Gaussian Splat*, from Blender 5.3 on.

Attributes of the points: ``position``; ``scale``, standard deviations; ``rotation``, a quaternion
w, x, y, z; ``radiance:base``, the coefficients of degree 0 and the opacity; ``radiance:sh_0`` and
so on, the higher coefficients. All that Blender imports, draws and cuts has them.
"""

from collections.abc import Callable, Iterable, Iterator

import bpy
import numpy as np
from bpy.types import Depsgraph, Object, PointCloud

from ..errors import SceneError
from .cloud import Splats, concatenated, sound_splats, transformed

FIRST_VERSION = (5, 3, 0)
"""First Blender that has splat objects."""

KIND = "GAUSSIAN_SPLAT"
POSITION, SCALE, ROTATION, BASE = "position", "scale", "rotation", "radiance:base"
HIGHER = "radiance:sh_"
WHOLE_DEGREES = (0, 3, 8, 15, 24)
"""Numbers of coefficients of the higher bands, of degrees 0 to 4."""

MOST_NAMED = 5
"""Most objects that a message names."""

WIDTHS = {"FLOAT_VECTOR": 3, "FLOAT4": 4, "QUATERNION": 4}
"""Numbers of an attribute's value, by its type."""

TYPES = {POSITION: "FLOAT_VECTOR", SCALE: "FLOAT_VECTOR", ROTATION: "QUATERNION", BASE: "FLOAT4"}


def has_native_splats() -> bool:
    """Return whether this Blender has splat objects."""
    return bpy.app.version >= FIRST_VERSION


def is_splats(item: Object | None) -> bool:
    """Return whether an object is a splat object."""
    return item is not None and item.type == "POINTCLOUD" and _is_splat_data(item.data)


def may_hold_splats(item: Object) -> bool:
    """Return whether an object is a splat object, or shows others or what its nodes make."""
    if not has_native_splats():
        return False
    if item.type == "EMPTY":
        return item.instance_type == "COLLECTION"
    return is_splats(item) or any(modifier.type == "NODES" for modifier in item.modifiers)


def native_data(splats: Splats, name: str) -> PointCloud:
    """Create the point cloud of a splat object.

    Parameters
    ----------
    splats : Splats
        In the space of the object.
    name : str
    """
    data = bpy.data.pointclouds.new(name)
    data.resize(len(splats))
    data.type = KIND
    _store(data, POSITION, splats.centers)
    _store(data, SCALE, splats.scales)
    _store(data, ROTATION, splats.rotations)
    base = np.concatenate([splats.sh[:, 0], splats.opacities[:, None]], axis=1)
    _store(data, BASE, base)
    for number in range(splats.sh.shape[1] - 1):
        _store(data, f"{HIGHER}{number}", splats.sh[:, number + 1])
    return data


def splats_of(
    objects: Iterable[Object],
    depsgraph: Depsgraph,
    placed: Callable[[np.ndarray], np.ndarray] = lambda matrix: matrix,
) -> tuple[Splats, list[str]]:
    """Return the splats that objects show, with all modifiers, instances and transforms.

    Parameters
    ----------
    objects : iterable of Object
    depsgraph : Depsgraph
        The one that has evaluated them.
    placed : callable
        Returns the (4, 4) float64 matrix of an object in the frame of the result, given its matrix
        in Blender's world; without it, the world is that frame.

    Returns
    -------
    splats : Splats
        At least one.
    notes : list of str
        What was left out, clamped or could not be turned, a sentence each.

    Raises
    ------
    SceneError
        The objects show no splats, or their attributes are not those of splats.
    ConvertFieldError
        A transform flattens them.
    """
    wanted = set(objects)
    clouds, notes = [], []
    for name, read, matrix in _shown(wanted, depsgraph):
        sound, left_out = sound_splats(read)
        cloud, lost = transformed(sound, placed(matrix))
        clouds.append(cloud)
        notes += [f"'{name}': {note}" for note in (*left_out, *lost)]
    if not any(map(len, clouds)):
        names = ", ".join(sorted(f"'{item.name}'" for item in wanted)[:MOST_NAMED])
        raise SceneError(
            f"There are no splats in {names or 'an empty selection'}; select visible objects of "
            "Gaussian splats, such as Blender imports from .ply and .spz."
        )
    notes = list(dict.fromkeys(notes))
    if len(notes) > MOST_NAMED:
        notes[MOST_NAMED:] = [f"The same or the like of {len(notes) - MOST_NAMED} others."]
    return concatenated(clouds), notes


def _shown(wanted: set[Object], depsgraph: Depsgraph) -> Iterator[tuple[str, Splats, np.ndarray]]:
    """Yield name, splats and world matrix of every splat cloud that the objects show."""
    for instance in depsgraph.object_instances:
        shown = instance.object
        owner = instance.parent if instance.is_instance else shown
        is_wanted = owner is not None and owner.original in wanted
        if is_wanted and shown.type == "POINTCLOUD" and _is_splat_data(shown.data):
            matrix = np.array([list(row) for row in instance.matrix_world], np.float64)
            yield shown.name, _read(shown.data, shown.name), matrix


def _read(data: PointCloud, name: str) -> Splats:
    count = sum(f"{HIGHER}{number}" in data.attributes for number in range(WHOLE_DEGREES[-1]))
    whole = max(known for known in WHOLE_DEGREES if known <= count)
    base = _values(data, BASE, name)
    higher = [_values(data, f"{HIGHER}{number}", name)[:, None] for number in range(whole)]
    return Splats(
        _values(data, POSITION, name),
        # A Gaussian is its own reflection, so the sign of a scale says nothing.
        np.abs(_values(data, SCALE, name)),
        _values(data, ROTATION, name),
        np.clip(base[:, 3], 0, 1),
        np.concatenate([base[:, None, :3], *higher], axis=1),
    )


def _values(data: PointCloud, name: str, owner: str) -> np.ndarray:
    """Return an attribute of the points as an array (N, width) float32."""
    attribute = data.attributes.get(name)
    kind = TYPES.get(name, "FLOAT_VECTOR")
    if attribute is None or attribute.data_type != kind or attribute.domain != "POINT":
        raise SceneError(
            f"The splats of '{owner}' have no attribute '{name}' as Blender imports it; remove the "
            "nodes that change it, or import the splats again."
        )
    values = np.empty((len(data.points), WIDTHS[kind]), np.float32)
    attribute.data.foreach_get(_key(kind), values.ravel())
    return values


def _store(data: PointCloud, name: str, values: np.ndarray) -> None:
    kind = TYPES.get(name, "FLOAT_VECTOR")
    attribute = data.attributes.get(name) or data.attributes.new(name, kind, "POINT")
    attribute.data.foreach_set(_key(kind), np.ascontiguousarray(values, np.float32).ravel())


def _key(kind: str) -> str:
    return "value" if kind == "QUATERNION" else "vector"


def _is_splat_data(data: PointCloud) -> bool:
    return getattr(data, "type", "") == KIND
