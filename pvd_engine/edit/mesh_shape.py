"""From the vertices and faces of a file to a closed, outward-facing triangle mesh."""

from collections.abc import Sequence

import numpy as np

from .regions import InvalidRegionError, require_finite

MAX_ELEMENTS = 2_000_000
"""Most vertices, and most triangles, of one mesh."""


def closed_mesh(
    vertices: np.ndarray, faces: Sequence[Sequence[int]] | np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Return the triangles of a closed mesh, facing outward.

    Polygons are cut into fans; vertices at the very same position are one, so that a mesh split
    along its seams is closed. A mesh turned inside out (as by a negative scale) is turned back.

    Parameters
    ----------
    vertices : (V, 3) array
    faces : sequence of sequences of int, or (F, 3) array
        Three or more vertex indices each.

    Returns
    -------
    vertices : (W, 3) float64 array
    triangles : (F, 3) int64 array

    Raises
    ------
    InvalidRegionError
        The mesh is empty, too large, not closed, unevenly oriented or without volume.
    """
    vertices = np.asarray(vertices, np.float64)
    if vertices.ndim != 2 or vertices.shape[1:] != (3,) or len(vertices) == 0:
        raise InvalidRegionError('"mesh.vertices" must be a list of points of three numbers')
    require_finite("mesh.vertices", vertices)
    if len(vertices) > MAX_ELEMENTS:
        raise InvalidRegionError(f'"mesh.vertices" holds more than {MAX_ELEMENTS} points')
    triangles = fans(faces, len(vertices))
    vertices, merged = np.unique(vertices, axis=0, return_inverse=True)
    triangles = merged.reshape(-1)[triangles]
    following = np.roll(triangles, -1, axis=1)
    triangles = triangles[(triangles != following).all(axis=1)]
    require_closed(triangles, len(vertices))
    volume = signed_volume(vertices, triangles)
    side = np.ptp(vertices, axis=0).max()
    if not abs(volume) > 1e-9 * side**3:
        raise InvalidRegionError('"mesh" encloses no volume')
    return vertices, triangles if volume > 0 else np.ascontiguousarray(triangles[:, ::-1])


def fans(faces: Sequence[Sequence[int]] | np.ndarray, vertex_count: int) -> np.ndarray:
    """Return triangles (F, 3) int64 of polygons, each cut into a fan about its first vertex.

    A fan of a concave polygon overlaps itself, yet with opposite orientation, so the winding
    number stays right.
    """
    if len(faces) == 0:
        raise InvalidRegionError('"mesh.faces" is empty')
    counts = [len(face) for face in faces]
    if min(counts) < 3:
        raise InvalidRegionError('"mesh.faces" holds a face with fewer than three vertices')
    if sum(counts) - 2 * len(counts) > MAX_ELEMENTS:
        raise InvalidRegionError(f'"mesh.faces" makes more than {MAX_ELEMENTS} triangles')
    by_sides: dict[int, list] = {}
    for sides, face in zip(counts, faces, strict=True):
        by_sides.setdefault(sides, []).append(face)
    parts = []
    for sides, alike in sorted(by_sides.items()):
        polygons = np.array(alike)
        if polygons.dtype.kind not in "iu":
            raise InvalidRegionError('"mesh.faces" must hold whole numbers')
        if polygons.min() < 0 or polygons.max() >= vertex_count:
            wrong = polygons.min() if polygons.min() < 0 else polygons.max()
            raise InvalidRegionError(
                f'"mesh.faces" names vertex {wrong} of a mesh with {vertex_count} vertices'
            )
        polygons = polygons.astype(np.int64)
        second = np.arange(1, sides - 1)
        fan = np.stack((np.zeros_like(second), second, second + 1), axis=1)
        parts.append(polygons.T[fan].transpose(0, 2, 1).reshape(-1, 3))
    return np.concatenate(parts)


def require_closed(triangles: np.ndarray, vertex_count: int) -> None:
    """Raise unless every edge is passed as often one way as the other."""
    if len(triangles) == 0:
        raise InvalidRegionError('"mesh" has no face with an area')
    starts = triangles.reshape(-1)
    ends = np.roll(triangles, -1, axis=1).reshape(-1)
    keys = np.minimum(starts, ends) * vertex_count + np.maximum(starts, ends)
    _, edge = np.unique(keys, return_inverse=True)
    passes = np.bincount(edge)
    if (passes % 2).any():
        open_edges = int((passes % 2).sum())
        raise InvalidRegionError(
            f'"mesh" is not closed: {open_edges} edges have a face on one side only; fill its holes'
        )
    balance = np.bincount(edge, weights=np.where(starts < ends, 1.0, -1.0))
    if balance.any():
        raise InvalidRegionError(
            '"mesh" has faces that point inward and faces that point outward;'
            " recalculate its normals"
        )


def signed_volume(vertices: np.ndarray, triangles: np.ndarray) -> float:
    """Return the volume of a closed mesh, positive when its faces point outward.

    It is computed by the divergence theorem.
    """
    corners = (vertices - vertices.mean(axis=0))[triangles]
    return float(np.einsum("ni,ni->", corners[:, 0], np.cross(corners[:, 1], corners[:, 2])) / 6)
