"""Gradients that are collected by rows train a table exactly as dense ones do."""

import pytest
import torch

from pvd_engine.fields.encoders.base import ParameterGroup
from pvd_engine.kernels.adam import adam_step_sparse
from pvd_engine.kernels.hash_grid import HashGridLayout, hash_encode
from pvd_engine.kernels.row_gradient import BLOCK_ROWS, RowGradient, collected
from pvd_engine.train import optimizer as optimizers
from pvd_engine.train.optimizer import FieldOptimizer

LAYOUT = HashGridLayout.between(4, 2, 14, 8, 128)


def optimizer_of(parameter):
    return FieldOptimizer([ParameterGroup([parameter], 1e-2, "adam_rows")])


def trained(table, steps=5, loss=None):
    """The table after some steps, each with points of another corner of space."""
    parameter = torch.nn.Parameter(table.clone())
    optimizer = optimizer_of(parameter)
    torch.manual_seed(0)
    for step in range(steps):
        points = torch.rand(200, 3) * 0.2 + 0.1 * step
        optimizer.step((loss or one_encoding)(points, parameter), 1.0)
    return parameter.detach()


def one_encoding(points, table):
    return (hash_encode(points, table, LAYOUT) - 1).square().mean()


def two_encodings(points, table):
    return one_encoding(points, table) + one_encoding(1 - points, table)


def and_a_dense_term(points, table):
    return one_encoding(points, table) + table[::3].square().sum()


@pytest.fixture
def table():
    torch.manual_seed(1)
    return torch.randn(LAYOUT.rows, LAYOUT.features)


@pytest.mark.parametrize("loss", [one_encoding, two_encodings, and_a_dense_term])
def test_steps_equal_those_with_dense_gradients(table, loss, monkeypatch):
    by_rows = trained(table, loss=loss)
    monkeypatch.setattr(optimizers, "use_warp", lambda device: False)  # nothing is collected
    dense = trained(table, loss=loss)
    assert (by_rows - dense).abs().max() < 1e-6
    assert (by_rows - table).abs().max() > 1e-3
    untouched = (dense == table).all(dim=1)
    assert torch.equal(by_rows[untouched], table[untouched])


def test_a_step_by_rows_clears_the_gradient_and_its_marks(table):
    parameter = torch.nn.Parameter(table)
    gradient = RowGradient(parameter)
    with collected([(parameter, gradient)]):
        one_encoding(torch.rand(100, 3), parameter).backward()
    assert parameter.grad is None and gradient.used
    rows = gradient.values.ne(0).any(dim=1).nonzero().view(-1)
    assert len(rows) and gradient.touched[rows // BLOCK_ROWS].all()
    moments = torch.zeros_like(table), torch.zeros_like(table)
    adam_step_sparse(parameter.detach(), gradient, *moments, 1e-2, (0.9, 0.99), 1e-15, 1)
    assert not gradient.values.any() and not gradient.touched.any() and not gradient.used


def test_a_gradient_that_no_step_took_does_not_reach_the_next(table):
    parameter = torch.nn.Parameter(table.clone())
    optimizer = optimizer_of(parameter)
    gradient = optimizer._rows[parameter]
    with collected([(parameter, gradient)]):
        one_encoding(torch.rand(100, 3), parameter).backward()
    optimizer.step((parameter * 0).sum(), 1.0)
    assert torch.equal(parameter, table)


def test_outside_of_an_optimiser_autograd_gets_the_gradient(table):
    parameter = torch.nn.Parameter(table)
    gradient = RowGradient(parameter)
    points = torch.rand(100, 3)
    with collected([(parameter, gradient)]):
        one_encoding(points, parameter).backward()
    (dense,) = torch.autograd.grad(one_encoding(points, parameter), parameter)
    assert torch.allclose(dense, gradient.values, atol=1e-9)
