"""Closed triangle meshes of objects, for edit shapes."""

import bmesh
import numpy as np
from bpy.types import Depsgraph, Object

from ..errors import SceneError

SPHERE_SUBDIVISIONS = 5
"""Subdivisions of the icosphere that stands for a stretched sphere."""

BOX_TOLERANCE = 1e-6
"""Largest distance of a box's vertices from its corners, in half sizes of the box."""


def closed_mesh(item: Object, depsgraph: Depsgraph) -> tuple[np.ndarray, np.ndarray]:
    """Return an object's surface after its modifiers as triangles, in the object's own space.

    Parameters
    ----------
    item : Object
    depsgraph : Depsgraph
        The depsgraph that has evaluated it.

    Returns
    -------
    tuple of (N, 3) float64 and (M, 3) int64 arrays
        Vertices, and triangles that all face outwards.

    Raises
    ------
    SceneError
        When the surface has no faces, or is not closed.
    """
    evaluated = item.evaluated_get(depsgraph)
    mesh = evaluated.to_mesh()
    form = bmesh.new()
    try:
        if mesh is not None:
            form.from_mesh(mesh)
        if not form.faces:
            raise SceneError(f"'{item.name}' has no faces; use an object with a closed surface.")
        loose = [v for v in form.verts if not v.link_faces]
        bmesh.ops.delete(form, geom=loose, context="VERTS")
        _require_closed(form, item.name)
        bmesh.ops.recalc_face_normals(form, faces=form.faces)
        bmesh.ops.triangulate(form, faces=form.faces)
        form.verts.index_update()
        vertices = np.array([v.co for v in form.verts], dtype=np.float64)
        faces = np.array([[v.index for v in f.verts] for f in form.faces], dtype=np.int64)
    finally:
        form.free()
        evaluated.to_mesh_clear()
    return vertices, faces


def _require_closed(form: bmesh.types.BMesh, name: str) -> None:
    open_edges = sum(len(edge.link_faces) != 2 for edge in form.edges)
    if open_edges:
        raise SceneError(
            f"The mesh '{name}' is not closed: {open_edges} of its edges do not lie between two "
            "faces; fill its holes or merge its vertices by distance."
        )


def box_of_mesh(vertices: np.ndarray) -> np.ndarray | None:
    """Return the matrix from [-1, 1]^3 to a mesh that is a box along its own axes, or None.

    Parameters
    ----------
    vertices : (N, 3) float64 array
        A closed mesh's vertices, in the object's own space.
    """
    low, high = vertices.min(axis=0), vertices.max(axis=0)
    half = (high - low) / 2
    if len(vertices) != 8 or half.min() <= 0:
        return None
    signs = (vertices - (low + high) / 2) / half
    if np.abs(np.abs(signs) - 1).max() > BOX_TOLERANCE or len(np.unique(signs > 0, axis=0)) != 8:
        return None
    matrix = np.diag([*half, 1.0])
    matrix[:3, 3] = (low + high) / 2
    return matrix


def sphere_mesh() -> tuple[np.ndarray, np.ndarray]:
    """Return the unit sphere as (N, 3) vertices and (M, 3) triangles that face outwards."""
    form = bmesh.new()
    try:
        bmesh.ops.create_icosphere(form, subdivisions=SPHERE_SUBDIVISIONS, radius=1.0)
        form.verts.index_update()
        vertices = np.array([v.co for v in form.verts], dtype=np.float64)
        faces = np.array([[v.index for v in f.verts] for f in form.faces], dtype=np.int64)
    finally:
        form.free()
    return vertices, faces
