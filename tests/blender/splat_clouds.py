"""Clouds of splats for tests."""

import numpy as np

from pvd_blender.splats.cloud import Splats, normalized


def cloud(count=200, degree=3, seed=0):
    """Splats as programs that train them make: of all sizes, nearly flat ones among them."""
    draw = np.random.default_rng(seed)
    rotations = normalized(draw.normal(size=(count, 4)))
    parts = (
        draw.normal(size=(count, 3)),
        np.exp(draw.uniform(-7, -2, (count, 3))),
        rotations,
        1 / (1 + np.exp(-draw.normal(scale=3, size=count))),
        draw.normal(scale=0.4, size=(count, (degree + 1) ** 2, 3)),
    )
    return Splats(*(part.astype(np.float32) for part in parts))


def same_bits(first, second):
    return all(np.array_equal(a, b) for a, b in zip(first.parts(), second.parts(), strict=True))


def turn(seed=0):
    """A rotation without preferred axes."""
    matrix, _ = np.linalg.qr(np.random.default_rng(seed).normal(size=(3, 3)))
    return matrix * np.sign(np.linalg.det(matrix))


def affine(linear, offset=(0.0, 0.0, 0.0)):
    matrix = np.eye(4)
    matrix[:3, :3], matrix[:3, 3] = linear, offset
    return matrix


def directions(count=100):
    found = np.random.default_rng(5).normal(size=(count, 3))
    return found / np.linalg.norm(found, axis=1, keepdims=True)
