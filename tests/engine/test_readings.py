"""Losses and metrics are read from an accelerator many steps at a time, and keep their order."""

import weakref

import pytest
import torch
from pretended_device import DEVICE, pretended

from pvd_engine.train.picture_error import decibels
from pvd_engine.train.readings import Readings

CPU = torch.device("cpu")


def add(readings, step, loss, error, device):
    metrics = {"stage": 3.0, "psnr_to_source": torch.tensor(error).to(device)}
    readings.add(step, step / 10, torch.tensor(loss).to(device), metrics)


def test_every_step_is_read_at_once_on_a_cpu():
    readings = Readings(CPU)
    assert not readings.due and readings.take() == []
    add(readings, 1, 0.5, 0.01, CPU)
    assert readings.due
    (reading,) = readings.take()
    assert (reading.step, reading.seconds, reading.loss) == (1, 0.1, 0.5)
    assert reading.metrics == {"stage": 3.0, "psnr_to_source": pytest.approx(20.0)}
    assert not readings.due and readings.take() == []


def test_sixteen_steps_are_read_at_once_elsewhere():
    with pretended() as traffic:
        readings = Readings(DEVICE)
        for step in range(16):
            assert not readings.due
            add(readings, step, float(step), 10.0**-step, DEVICE)
        assert readings.due
        traffic.taken()
        taken = readings.take()
        assert traffic.taken().waits.total() == 1
    assert [reading.step for reading in taken] == list(range(16))
    assert [reading.loss for reading in taken] == [float(step) for step in range(16)]
    shown = [reading.metrics["psnr_to_source"] for reading in taken]
    assert shown == pytest.approx([decibels(10.0**-step) for step in range(16)], abs=1e-3)


def test_a_step_without_an_error_shows_none():
    readings = Readings(CPU)
    readings.add(1, 0.1, torch.tensor(0.5), {"stage": 1.0})
    add(readings, 2, 0.25, 0.1, CPU)
    first, second = readings.take()
    assert first.metrics == {"stage": 1.0}
    assert second.metrics["psnr_to_source"] == pytest.approx(10.0)


def test_waiting_steps_keep_no_graph_alive():
    class Held(torch.autograd.Function):
        @staticmethod
        def forward(ctx, values):
            ctx.held = memory.pop()
            return values.sum()

    class Memory:
        pass

    memory = [Memory()]
    kept, readings = weakref.ref(memory[0]), Readings(CPU)
    loss = Held.apply(torch.ones(3, requires_grad=True))
    readings.add(1, 0.1, loss, {"psnr_to_images": loss})
    del loss
    assert kept() is None
    assert readings.take()[0].loss == 3.0
