"""Kernels that are compiled ahead: all that any work here needs."""

import pytest
import torch
from short_teachers import run_convert, run_train, share_ball, share_field

from pvd_engine.fields.registry import CLOUDS, RADIANCE_FIELDS, TARGETS_ONLY
from pvd_engine.kernels import compile as ahead
from pvd_engine.kernels import declare, launch

pytestmark = pytest.mark.skipif(not launch.warp_available(), reason="Warp is not installed")


@pytest.fixture(scope="module")
def teacher(shared, tmp_path_factory):
    folder = tmp_path_factory.mktemp("compiled")
    capture = share_ball(shared)
    field = share_field(shared, capture, arch="hash", steps=140)
    (folder / "ball").symlink_to(capture)
    (folder / "hash.safetensors").symlink_to(field)
    return folder


def test_every_kernel_is_compiled_once_and_reported(prepared):
    told = []
    count = ahead.compile_kernels(lambda *numbers: told.append(numbers))
    kernels, gpus = ahead.declared_kernels(), len(ahead.kernel_devices()) - 1
    wanted = len(kernels) + gpus * sum(not kernel.cpu_only for kernel in kernels)
    assert count == len(prepared) == wanted
    assert told == [(number, count) for number in range(1, count + 1)]


def test_for_a_gpu_all_kernels_are_compiled_but_those_for_processors(monkeypatch):
    asked = []
    monkeypatch.setattr(ahead, "kernel_devices", lambda: ["cuda:0"])
    monkeypatch.setattr(declare, "prepared", lambda *key: asked.append(key))
    ahead.compile_kernels(lambda *_: None)
    names = [(kernel.key, device) for kernel, device, _ in asked]
    wanted = [kernel for kernel in ahead.declared_kernels() if not kernel.cpu_only]
    assert names == [(kernel.name, "cuda:0") for kernel in wanted]
    assert [key[0] for key in asked] == [kernel.warp(kernel.lanes("cuda")) for kernel in wanted]


def test_gpus_that_warp_compiles_nothing_for_are_left_out_and_use_the_references(monkeypatch):
    import warp

    class Gpu:
        def __init__(self, alias):
            self.alias = alias

        def get_cuda_compile_arch(self):
            if self.alias == "cuda:1":
                raise RuntimeError("it is too old")
            return 80

    gpus = {alias: Gpu(alias) for alias in ("cuda:0", "cuda:1")}
    monkeypatch.setattr(warp, "get_cuda_devices", lambda: list(gpus.values()))
    monkeypatch.setattr(warp, "get_device", gpus.get)
    monkeypatch.delenv(launch.REFERENCE_VARIABLE, raising=False)
    launch.gpu_problem.cache_clear()
    try:
        with pytest.warns(UserWarning, match="Warp does not compile for the GPU cuda:1"):
            assert ahead.kernel_devices() == ["cpu", "cuda:0"]
        assert launch.use_warp(torch.device("cuda", 0))
        assert not launch.use_warp(torch.device("cuda", 1))
        assert "it is too old" in launch.why_reference(torch.device("cuda", 1))
    finally:
        launch.gpu_problem.cache_clear()


def test_a_training_then_compiles_nothing(prepared, teacher, tmp_path):
    ahead.compile_kernels(lambda *_: None)
    ready = prepared.copy()
    prepared.clear()
    run_train(teacher / "ball", tmp_path / "hash.safetensors", steps=20)
    assert prepared and prepared <= ready


@pytest.mark.parametrize("target", [*RADIANCE_FIELDS, *CLOUDS, *TARGETS_ONLY])
def test_a_conversion_then_compiles_nothing(prepared, teacher, tmp_path, target):
    ahead.compile_kernels(lambda *_: None)
    ready = prepared.copy()
    prepared.clear()
    run_convert(teacher, tmp_path, to=target, steps=4)
    assert prepared and prepared <= ready
