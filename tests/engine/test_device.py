"""Which device computes, and what is said of it."""

import platform
from pathlib import Path

import pytest
import torch

from pvd_engine.errors import UserError
from pvd_engine.jobs import device as devices
from pvd_engine.jobs.device import choose_device, device_memory, device_name, processor
from pvd_engine.kernels import launch
from pvd_engine.kernels.launch import has_bf16
from pvd_engine.verbs.device_report import describe_device

CPU, MPS = torch.device("cpu"), torch.device("mps")


@pytest.fixture
def with_devices(monkeypatch):
    """Let torch find an accelerator, or none."""
    return lambda *found: monkeypatch.setattr(devices, "available_devices", lambda: list(found))


@pytest.mark.parametrize(
    ("found", "auto"), [(("cpu",), "cpu"), (("cpu", "cuda"), "cuda"), (("cpu", "mps"), "cpu")]
)
def test_auto_takes_cuda_where_there_is_one(with_devices, found, auto):
    with_devices(*found)
    assert choose_device("auto").type == auto


def test_every_device_of_torch_can_be_named(with_devices):
    for name in ("cpu", "cuda", "mps", "xpu"):
        with_devices("cpu", name)
        assert choose_device(name) == torch.device(name)


def test_a_wrong_device_is_one_sentence_with_the_right_ones(with_devices):
    with_devices("cpu", "mps")
    with pytest.raises(
        UserError, match=r"no device 'tpu' here; choose auto or cpu or mps, [^.]*\.$"
    ):
        choose_device("tpu")


def test_a_wrong_device_of_a_command_is_one_sentence(run_here, tmp_path):
    done = run_here("floaters", "t.safetensors", "--device", "tpu", "--out", "f.npz", cwd=tmp_path)
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1].startswith("torch finds no device 'tpu' here;")


def test_what_is_no_cpu_has_the_limits_of_a_gpu():
    assert [processor(name) for name in ("cpu", "cuda", "mps", "xpu")] == ["cpu"] + ["gpu"] * 3


def test_warp_runs_on_the_cpu_and_on_cuda_alone(monkeypatch):
    monkeypatch.delenv(launch.REFERENCE_VARIABLE, raising=False)
    assert launch.why_reference(MPS) == "Warp does not run on mps"
    assert launch.why_reference(CPU) == launch.warp_problem()
    monkeypatch.setenv(launch.REFERENCE_VARIABLE, "reference")
    assert launch.REFERENCE_VARIABLE in launch.why_reference(CPU)


def test_the_report_says_what_is_used_and_why(monkeypatch):
    monkeypatch.setenv(launch.REFERENCE_VARIABLE, "reference")
    told = describe_device("cpu")
    assert told["type"] == "cpu" and told["why"] == "--device cpu asks for it"
    assert told["memory"] == device_memory(CPU) and told["threads"] == torch.get_num_threads()
    assert told["bf16"] == has_bf16("cpu") and told["torch"] == torch.__version__
    assert told["kernels"] == "torch" and launch.REFERENCE_VARIABLE in told["why_kernels"]


def test_the_report_of_auto_names_the_accelerator_that_it_leaves(monkeypatch, with_devices):
    with_devices("cpu", "xpu")
    monkeypatch.setattr("pvd_engine.verbs.device_report.available_devices", lambda: ["cpu", "xpu"])
    assert "--device xpu" in describe_device("auto")["why"]


@pytest.mark.parametrize(
    ("known", "name"),
    [
        (
            "processor\t: 0\nmodel name\t: Fast 9000 @ 3 GHz\n\nmodel name\t: other\n",
            "Fast 9000 @ 3 GHz",
        ),
        ("processor\t: 0\nmodel name\t:\nBogoMIPS\t: 48.00\n", platform.machine()),
        (None, platform.machine()),
    ],
)
def test_a_processor_has_the_name_that_the_system_gives_it(monkeypatch, known, name):
    def read_text(path, **options):
        if known is None:
            raise FileNotFoundError(path)
        return known

    monkeypatch.setattr(Path, "read_text", read_text)
    monkeypatch.setattr(platform, "processor", lambda: "")
    assert device_name(torch.device("cpu")) == name
