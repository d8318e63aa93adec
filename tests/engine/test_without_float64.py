"""Work on a device without float64, such as Apple's: the CPU plays one, in the references."""

import traceback
from pathlib import Path

import pytest
import torch
from short_teachers import run_convert, run_train, share_ball
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

import pvd_engine
from pvd_engine.distill.objective import DistillObjective
from pvd_engine.kernels import launch, widest
from pvd_engine.train.from_images import ImageObjective

ENGINE = str(Path(pvd_engine.__file__).parent)


class Float64Made(TorchDispatchMode):
    """Collects the lines of the engine that make float64 tensors."""

    def __init__(self):
        super().__init__()
        self.lines = set()

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        made = func(*args, **kwargs or {})
        tensors = [leaf for leaf in tree_leaves(made) if isinstance(leaf, torch.Tensor)]
        if any(tensor.dtype is torch.float64 for tensor in tensors):
            own = [f for f in traceback.extract_stack() if f.filename.startswith(ENGINE)]
            self.lines.add(f"{Path(own[-1].filename).name}: {own[-1].name}")
        return made


ON_THE_CPU = {"widest.py: sums_before", "rays.py: from_cameras", "rays.py: <listcomp>"}
"""Functions that compute in float64 on the CPU, whatever the device of the field is."""


@pytest.fixture
def made(monkeypatch):
    """The functions of the engine that make float64 tensors in steps, but for those on the CPU."""
    monkeypatch.setenv(launch.REFERENCE_VARIABLE, "reference")
    monkeypatch.setattr(widest, "WITHOUT_FLOAT64", {"cpu"})
    mode = Float64Made()

    def watched(call):
        def watch(*arguments):
            with mode:
                return call(*arguments)

        return watch

    for objective in (ImageObjective, DistillObjective):
        monkeypatch.setattr(objective, "__call__", watched(objective.__call__))
    return lambda: mode.lines - ON_THE_CPU


def test_a_step_of_training_makes_no_float64(made, shared, tmp_path):
    run_train(share_ball(shared, wall=True), tmp_path / "hash.safetensors", steps=2)
    assert made() == set()


def test_a_step_of_distillation_makes_no_float64(made, shared, tmp_path):
    (tmp_path / "ball").symlink_to(share_ball(shared))
    run_train(tmp_path / "ball", tmp_path / "hash.safetensors", steps=1)
    run_convert(tmp_path, tmp_path, to="mlp", steps=3)
    assert made() == set()


def test_sums_keep_their_digits_where_the_device_has_no_float64(monkeypatch):
    values = torch.cat((torch.full((1 << 20,), 10.0), torch.tensor([0.001, 0.002, 0.003])))
    ray = torch.cat((torch.zeros(1 << 20), torch.ones(3))).long()
    offsets = torch.tensor([0, 1 << 20, (1 << 20) + 3])
    monkeypatch.setattr(widest, "WITHOUT_FLOAT64", {"cpu"})
    last = widest.sums_before(values, offsets, ray)[-3:]
    assert torch.allclose(last, torch.tensor([0.0, 0.001, 0.003]), atol=1e-7)
