import pytest
import torch

from pvd_engine.kernels.adam import adam_step_sparse_reference, adam_step_sparse_warp

BOTH = pytest.mark.parametrize("step", [adam_step_sparse_warp, adam_step_sparse_reference])


@BOTH
@pytest.mark.parametrize("columns", [1, 2, 3, 8, 28])
def test_steps_equal_torch_adam_where_every_row_has_a_gradient(step, columns):
    torch.manual_seed(columns)
    ours = torch.randn(1500, columns)
    theirs = torch.nn.Parameter(ours.clone())
    mean, square = torch.zeros_like(ours), torch.zeros_like(ours)
    optimizer = torch.optim.Adam([theirs], lr=1e-2, betas=(0.9, 0.99), eps=1e-8)
    for number in range(1, 6):
        gradient = torch.randn_like(ours)
        theirs.grad = gradient
        optimizer.step()
        step(ours, gradient, mean, square, 1e-2, (0.9, 0.99), 1e-8, number)
    assert torch.allclose(ours, theirs.detach(), rtol=1e-6, atol=3e-7)


@BOTH
def test_rows_without_gradient_keep_value_and_moments(step):
    torch.manual_seed(0)
    tensors = [torch.rand(1000, 2) + 0.1 for _ in range(4)]
    parameter, gradient, mean, square = tensors
    gradient[torch.rand(1000) < 0.7] = 0
    gradient[200:600] = 0
    gradient[5] = torch.tensor([0.0, 1.0])  # half a gradient is one
    untouched = ~gradient.bool().any(dim=1)
    before = [x.clone() for x in (parameter, mean, square)]
    step(*tensors, 1e-2, (0.9, 0.99), 1e-15, 3)
    for old, new in zip(before, (parameter, mean, square), strict=True):
        assert torch.equal(old[untouched], new[untouched])
        assert (old[~untouched] != new[~untouched]).any(dim=1).all()


def test_fast_kernel_equals_reference():
    torch.manual_seed(1)
    fast = [torch.randn(3000, 4) for _ in range(4)]
    fast[3].abs_()
    fast[1][torch.rand(3000) < 0.9] = 0
    before, reference = fast[0].clone(), [x.clone() for x in fast]
    adam_step_sparse_warp(*fast, 1e-2, (0.9, 0.99), 1e-15, 7)
    adam_step_sparse_reference(*reference, 1e-2, (0.9, 0.99), 1e-15, 7)
    changes = fast[0] - before, reference[0] - before
    assert (changes[0] - changes[1]).abs().max() <= 1e-5 * changes[1].abs().max()
    assert torch.equal(fast[1], reference[1])
    for a, b in zip(fast[2:], reference[2:], strict=True):
        assert (a - b).abs().max() <= 1e-6 * b.abs().max()


@BOTH
@pytest.mark.parametrize("columns", [2, 3])
def test_a_step_of_an_empty_table_changes_nothing_around_it(step, columns):
    torch.manual_seed(3)
    memory = torch.rand(4, 200, columns) + 0.1
    before = memory.clone()
    step(*(array[100:100] for array in memory), 1e-2, (0.9, 0.99), 1e-15, 1)
    assert torch.equal(memory, before)
