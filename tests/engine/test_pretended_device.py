"""The pretended device refuses what a GPU refuses, and counts what makes the processor wait."""

import pytest
import torch
from pretended_device import DEVICE, DeviceTensor, pretended

from pvd_engine.kernels.transfer import upload

CPU = torch.device("cpu")


@pytest.fixture
def traffic():
    with pretended() as counted:
        yield counted


@pytest.fixture
def values(traffic):
    made = torch.arange(6.0).to(DEVICE)
    traffic.taken()
    return made


def test_it_computes_with_gradients(traffic):
    weight = torch.nn.Parameter(torch.tensor([2.0, 3.0]).to(DEVICE))
    (weight.square() * torch.ones(2, device=DEVICE)).sum().backward()
    assert isinstance(weight.grad, DeviceTensor) and weight.grad.device == DEVICE
    assert weight.grad.tolist() == [4.0, 6.0]


@pytest.mark.parametrize(
    "mixed",
    [
        lambda values: values + torch.ones(6),
        lambda values: torch.cat((values, torch.ones(6))),
        lambda values: torch.ones(6)[values.long()],
        lambda values: values.index_select(0, torch.arange(2)),
        lambda values: torch.rand(3, generator=torch.Generator(), device=DEVICE),
        lambda values: torch.rand(3, generator=torch.Generator(DEVICE)),
    ],
)
def test_two_devices_in_one_operation_are_refused(values, mixed):
    with pytest.raises(RuntimeError, match=r"two devices|generator"):
        mixed(values)


@pytest.mark.parametrize(
    ("call", "syncs"),
    [
        (lambda values: values[0].item(), 1),
        (lambda values: float(values.max()), 1),
        (lambda values: bool(values.any()), 1),
        (lambda values: values.nonzero(), 1),
        (lambda values: values[values > 2], 1),
        (lambda values: values.masked_select(values > 2), 1),
        (lambda values: values.unique(), 1),
        (lambda values: torch.equal(values, values), 1),
        (lambda values: values.repeat_interleave(values.long()), 1),
        (lambda values: values.repeat_interleave(values.long(), output_size=15), 0),
        (lambda values: values.repeat_interleave(2), 0),
        (lambda values: torch.where(values > 2, values, 0), 0),
        (lambda values: values.__setitem__(values > 2, 1.0), 0),
        (lambda values: values.__setitem__(values > 2, torch.ones(3, device=DEVICE)), 1),
        (lambda values: values[values.long()], 0),
    ],
)
def test_operations_that_a_gpu_must_finish_are_counted(traffic, values, call, syncs):
    call(values)
    counted = traffic.taken()
    assert counted.syncs.total() == syncs and counted.waits.total() == syncs


@pytest.mark.parametrize(
    ("copy", "kind"),
    [
        (lambda values: torch.ones(3).to(DEVICE), "pageable"),
        (lambda values: torch.ones(3).to(DEVICE, non_blocking=True), "pageable"),
        (lambda values: torch.ones(3).pin_memory().to(DEVICE), "pageable"),
        (lambda values: values.copy_(torch.ones(6)), "pageable"),
        (lambda values: torch.tensor([1.0], device=DEVICE), "pageable"),
        (lambda values: values.new_tensor([1.0]), "pageable"),
        (lambda values: values[torch.tensor([1, 2])], "pageable"),
        (lambda values: upload(torch.ones(3), DEVICE), "pinned"),
        (lambda values: values.cpu(), "reads"),
        (lambda values: values.tolist(), "reads"),
    ],
)
def test_copies_are_counted_by_kind(traffic, values, copy, kind):
    copy(values)
    counted = traffic.taken()
    assert {k: getattr(counted, k).total() for k in ("syncs", "pageable", "pinned", "reads")} == {
        "syncs": 0,
        "pageable": 0,
        "pinned": 0,
        "reads": 0,
    } | {kind: 1}


def test_what_is_uploaded_is_what_was_given(traffic):
    given = torch.rand(3, 4)
    assert torch.equal(upload(given, DEVICE).cpu(), given)
    assert upload(given, CPU) is given
