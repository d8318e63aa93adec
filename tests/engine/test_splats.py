"""Splats as a value: moved, turned, scaled, mirrored and stretched, with their colours."""

import numpy as np
import pytest
import torch
from scipy.spatial.transform import Rotation
from splat_samples import cloud, colors, largest_error

from pvd_engine.errors import UserError
from pvd_engine.fields.quaternions import quaternions_of, rotation_matrices
from pvd_engine.fields.sh_rotation import turned_coefficients
from pvd_engine.fields.splats import Splats, concatenated, transformed
from pvd_engine.kernels.harmonics import spherical_harmonics

TURN = Rotation.from_euler("xyz", [0.7, -1.9, 2.4]).as_matrix()
MIRROR = TURN @ np.diag([1.0, 1.0, -1.0])


def affine(linear, move=(1.0, -2.0, 0.5)):
    matrix = np.eye(4)
    matrix[:3, :3], matrix[:3, 3] = linear, move
    return torch.tensor(matrix)


def directions(count=200):
    found = np.random.default_rng(1).normal(size=(count, 3))
    return found / np.linalg.norm(found, axis=1, keepdims=True)


def relative_error(covariances, expected):
    size = np.abs(expected).max(axis=(1, 2), keepdims=True)
    return largest_error(np.asarray(covariances) / size, expected / size)


def test_the_basis_is_that_of_scipy_with_the_signs_of_3dgs():
    one = cloud(1, 4)
    basis = spherical_harmonics(torch.tensor(directions()), 4)
    ours = (0.5 + torch.einsum("dk,nkc->ndc", basis, one.sh.double())).clamp(min=0)
    assert largest_error(ours, colors(one, directions())) < 1e-12


@pytest.mark.parametrize("degree", range(5))
@pytest.mark.parametrize("turn", [TURN, MIRROR, -np.eye(3)], ids=["turn", "mirror", "inversion"])
def test_harmonics_turn_as_the_directions_do(degree, turn):
    sh = cloud(20, degree).sh.double()
    turned = turned_coefficients(sh, torch.tensor(turn))
    seen = directions()
    before = spherical_harmonics(torch.tensor(seen), degree) @ sh
    after = spherical_harmonics(torch.tensor(seen @ turn.T), degree) @ turned
    assert largest_error(after, before) < 1e-12


@pytest.mark.parametrize("signs", [(1, -1, -1), (-1, -1, 1), (-1, 1, 1)])
def test_half_turns_and_mirrors_change_nothing_but_signs(signs):
    sh = cloud(50, 4).sh
    turn = torch.diag(torch.tensor(signs, dtype=torch.float64))
    turned = turned_coefficients(sh, turn)
    assert torch.equal(turned.abs(), sh.abs())
    assert torch.equal(turned_coefficients(turned, turn), sh)


@pytest.mark.parametrize("linear", [2.5 * TURN, 0.3 * MIRROR], ids=["turned", "mirrored"])
def test_a_similarity_moves_gaussians_and_colours_exactly(linear):
    splats = cloud(100, 3)
    moved, notes = transformed(splats, affine(linear))
    expected = linear @ np.asarray(splats.covariances(), np.float64) @ linear.T
    assert notes == []
    assert relative_error(moved.covariances(), expected) < 2e-6
    centers = np.asarray(splats.centers, np.float64) @ linear.T + [1.0, -2.0, 0.5]
    assert largest_error(moved.centers, centers) < 1e-5
    assert torch.equal(moved.opacities, splats.opacities)
    polar = linear / np.cbrt(abs(np.linalg.det(linear)))
    seen = directions()
    assert largest_error(colors(moved, seen @ polar.T), colors(splats, seen)) < 1e-5


def test_a_stretch_refactors_the_gaussians_and_says_what_colours_lose():
    linear = TURN @ np.diag([3.0, 0.2, -1.0]) @ TURN.T @ MIRROR
    splats = cloud(100, 1)
    moved, notes = transformed(splats, affine(linear))
    expected = linear @ np.asarray(splats.covariances(), np.float64) @ linear.T
    assert relative_error(moved.covariances(), expected) < 2e-6
    assert float((moved.rotations.norm(dim=1) - 1).abs().max()) < 1e-6
    assert len(notes) == 1 and "not stretched" in notes[0]
    plain, none = transformed(splats.with_degree(0), affine(linear))
    assert none == [] and torch.equal(plain.scales, moved.scales)


def test_a_flat_splat_stays_flat_when_stretched():
    flat = cloud(50, 0)
    flat.scales[:, 2] = 0
    moved, _ = transformed(flat, affine(np.diag([1.0, 2.0, 3.0])))
    assert float((moved.scales[:, 2] / moved.scales[:, 0]).max()) < 1e-6


@pytest.mark.parametrize(
    "matrix",
    [
        affine(np.diag([1.0, 1.0, 0.0])),
        affine(np.diag([1.0, np.nan, 1.0])),
        torch.tensor(np.eye(4) + np.eye(4)[::-1]),
    ],
    ids=["flat", "not a number", "projective"],
)
def test_a_matrix_that_no_object_has_is_refused(matrix):
    with pytest.raises(UserError):
        transformed(cloud(3, 0), matrix)


def test_quaternions_are_those_of_scipy():
    turns = Rotation.random(300, random_state=2)
    half = Rotation.from_rotvec(np.pi * np.eye(3))
    for rotation in (turns, half):
        matrices = torch.tensor(rotation.as_matrix())
        wxyz = np.roll(rotation.as_quat(), 1, axis=1)
        assert largest_error(rotation_matrices(torch.tensor(wxyz)), matrices) < 1e-12
        assert largest_error(rotation_matrices(quaternions_of(matrices)), matrices) < 1e-12


def test_clouds_are_chosen_from_and_joined():
    first, second = cloud(4, 1), cloud(3, 3, seed=1)
    joined = concatenated([first, second])
    assert (len(joined), joined.degree) == (7, 3)
    assert torch.equal(joined.sh[:4, :4], first.sh) and not joined.sh[:4, 4:].any()
    again = joined.chosen(torch.arange(7) >= 4)
    assert torch.equal(again.sh, second.sh) and torch.equal(again.rotations, second.rotations)


def test_shapes_that_do_not_fit_are_refused():
    splats = cloud(4, 1)
    with pytest.raises(ValueError):
        Splats(splats.centers, splats.scales, splats.rotations, splats.opacities, splats.sh[:, :3])
