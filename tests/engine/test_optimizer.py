import pytest
import torch
from torch.nn import Parameter

from pvd_engine.fields.encoders.base import ParameterGroup
from pvd_engine.train.optimizer import ADAM_BETAS, ADAM_EPSILON, FieldOptimizer

RULES = ("adam", "adam_rows", "muon")


def optimizer_of(*parameters, rule, rate=1e-2):
    return FieldOptimizer([ParameterGroup(list(parameters), rate, rule)])


def weighted(parameter, gradient):
    """A loss with a given gradient."""
    return (parameter * gradient).sum()


@pytest.mark.parametrize("rule", ["adam", "adam_rows"])
def test_steps_are_those_of_torch_adam(rule):
    torch.manual_seed(0)
    ours = Parameter(torch.randn(50, 3))
    theirs = Parameter(ours.detach().clone())
    optimizer = optimizer_of(ours, rule=rule, rate=0.02)
    reference = torch.optim.Adam([theirs], lr=0.01, betas=ADAM_BETAS, eps=ADAM_EPSILON)
    for gradient in torch.randn(5, 50, 3):
        optimizer.step(weighted(ours, gradient), 0.5)
        theirs.grad = gradient
        reference.step()
    assert torch.allclose(ours, theirs, rtol=1e-6, atol=3e-7)


@pytest.mark.parametrize("rule", RULES)
def test_it_goes_on_from_its_state(rule):
    torch.manual_seed(2)
    gradients = torch.randn(6, 50, 2)
    whole, resumed = Parameter(torch.ones(50, 2)), Parameter(torch.ones(50, 2))
    optimizer = optimizer_of(whole, rule=rule)
    for gradient in gradients:
        optimizer.step(weighted(whole, gradient), 1.0)
    first = optimizer_of(resumed, rule=rule)
    for gradient in gradients[:3]:
        first.step(weighted(resumed, gradient), 1.0)
    second = optimizer_of(resumed, rule=rule)
    second.load_state(first.state())
    for gradient in gradients[3:]:
        second.step(weighted(resumed, gradient), 1.0)
    assert torch.equal(whole, resumed)


@pytest.mark.parametrize("rule", RULES)
def test_parameters_without_gradient_stay(rule):
    used, unused = Parameter(torch.ones(4, 2)), Parameter(torch.ones(4, 2))
    optimizer_of(used, unused, rule=rule).step(used.square().sum(), 1.0)
    assert not torch.equal(used, torch.ones(4, 2))
    assert torch.equal(unused, torch.ones(4, 2))


@pytest.mark.parametrize("rule", ["adam", "adam_rows"])
def test_the_first_step_of_adam_is_as_long_as_its_rate(rule):
    used, unused = Parameter(torch.ones(4, 2)), Parameter(torch.ones(4, 2))
    optimizer_of(used, unused, rule=rule, rate=0.1).step(used.square().sum(), 1.0)
    assert torch.allclose(used, torch.full((4, 2), 0.9)) and torch.equal(unused, torch.ones(4, 2))


def test_a_step_with_an_empty_table_moves_the_others():
    full, empty = Parameter(torch.ones(4, 2)), Parameter(torch.zeros(0, 2))
    optimizer = optimizer_of(empty, full, rule="adam_rows", rate=0.1)
    optimizer.step(full.square().sum() + empty.sum(), 1.0)
    assert empty.shape == (0, 2) and optimizer.state()["0.0.step"] == 1
    assert torch.allclose(full, torch.full((4, 2), 0.9), atol=1e-6)
