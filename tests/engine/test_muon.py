import pytest
import torch

from pvd_engine.train.muon import STEP_SIZE, muon_step, orthogonalised

SHAPES = pytest.mark.parametrize("shape", [(192, 192), (16, 64), (64, 28), (3, 64), (1, 5)])


@SHAPES
def test_orthogonalised_keeps_the_singular_vectors_and_evens_out_the_singular_values(shape):
    torch.manual_seed(0)
    # Singular values over a factor of twenty, as the gradients of a layer have them.
    u, _, v = torch.linalg.svd(torch.randn(shape), full_matrices=False)
    values = torch.linspace(0.05, 1, min(shape))
    (result,) = orthogonalised((u @ values.diag() @ v)[None], iterations=5)
    projected = u.T @ result @ v.T
    assert (projected.diagonal() > 0.5).all() and (projected.diagonal() < 1.3).all()
    assert (projected - projected.diagonal().diag()).abs().max() < 0.05


def test_a_zero_gradient_gives_no_update_and_no_nan():
    assert torch.equal(orthogonalised(torch.zeros(1, 4, 8), 3), torch.zeros(1, 4, 8))


@SHAPES
def test_steps_equal_those_of_torch_at_five_iterations(shape):
    torch.manual_seed(1)
    ours = torch.randn(shape)
    theirs = torch.nn.Parameter(ours.clone())
    start = ours.clone()
    mean = torch.zeros(shape)
    reference = torch.optim.Muon(
        [theirs], lr=0.03, weight_decay=0.0, momentum=0.95, adjust_lr_fn="match_rms_adamw"
    )
    for _ in range(4):
        theirs.grad = torch.randn(shape)
        muon_step([ours], [theirs.grad], [mean], 0.03, iterations=5)
        reference.step()
    moved = (theirs - start).norm()
    assert moved > 0
    assert (ours - theirs).norm() / moved < 0.03  # theirs multiplies in bf16


def test_an_update_has_the_size_of_adams():
    torch.manual_seed(2)
    parameter = torch.zeros(256, 256)
    muon_step([parameter], [torch.randn(256, 256)], [torch.zeros(256, 256)], 1.0)
    size = float(parameter.square().mean().sqrt())
    assert 0.5 * STEP_SIZE < size < 1.5 * STEP_SIZE


@SHAPES
def test_matrices_that_step_together_go_where_each_goes_alone(shape):
    torch.manual_seed(3)
    matrices, gradients, means = torch.randn(3, 4, *shape).unbind()
    gradients *= torch.tensor([1e-3, 1.0, 0.0, 1e3])[:, None, None]
    alone = [(matrix.clone(), mean.clone()) for matrix, mean in zip(matrices, means, strict=True)]
    muon_step(*(list(table.unbind()) for table in (matrices, gradients, means)), 0.1)
    for (matrix, mean), gradient in zip(alone, gradients, strict=True):
        muon_step([matrix], [gradient], [mean], 0.1)
    torch.testing.assert_close(matrices, torch.stack([matrix for matrix, _ in alone]))
    torch.testing.assert_close(means, torch.stack([mean for _, mean in alone]))
