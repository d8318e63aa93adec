"""Meshes for tests: vertices (V, 3) float64 and polygons."""

import numpy as np

CUBE_FACES = [
    [0, 2, 3, 1],
    [4, 5, 7, 6],
    [0, 1, 5, 4],
    [2, 6, 7, 3],
    [0, 4, 6, 2],
    [1, 3, 7, 5],
]


def cube(matrix: np.ndarray | None = None) -> tuple[np.ndarray, list[list[int]]]:
    """The cube [-1, 1]^3 as six outward quads, under an affine map."""
    corners = np.array([[x, y, z] for z in (-1, 1) for y in (-1, 1) for x in (-1, 1)], float)
    matrix = np.eye(4) if matrix is None else matrix
    return corners @ matrix[:3, :3].T + matrix[:3, 3], CUBE_FACES


def torus(
    major: float = 0.6, minor: float = 0.25, rings: int = 48, sides: int = 24
) -> tuple[np.ndarray, list[list[int]]]:
    """A ring about z of quads whose corners lie on the torus."""
    u, v = np.meshgrid(
        np.arange(rings) * 2 * np.pi / rings, np.arange(sides) * 2 * np.pi / sides, indexing="ij"
    )
    reach = major + minor * np.cos(v)
    vertices = np.stack((reach * np.cos(u), reach * np.sin(u), minor * np.sin(v)), axis=-1)

    def corner(i: int, j: int) -> int:
        return (i % rings) * sides + j % sides

    faces = [
        [corner(i, j), corner(i + 1, j), corner(i + 1, j + 1), corner(i, j + 1)]
        for i in range(rings)
        for j in range(sides)
    ]
    return vertices.reshape(-1, 3), faces


def turned(angle: float, scale: tuple, center: tuple) -> np.ndarray:
    """A (4, 4) matrix: scale, turn by `angle` about (1, 1, 0), move."""
    axis = np.array([1, 1, 0]) / np.sqrt(2)
    cross = np.cross(np.eye(3), axis) * -1
    rotation = np.eye(3) + np.sin(angle) * cross + (1 - np.cos(angle)) * cross @ cross
    matrix = np.eye(4)
    matrix[:3, :3] = rotation * np.array(scale)
    matrix[:3, 3] = center
    return matrix


def joined(*meshes: tuple) -> tuple[np.ndarray, list[list[int]]]:
    """Several meshes as one."""
    vertices, faces, count = [], [], 0
    for points, polygons in meshes:
        vertices.append(points)
        faces += [[index + count for index in face] for face in polygons]
        count += len(points)
    return np.concatenate(vertices), faces
