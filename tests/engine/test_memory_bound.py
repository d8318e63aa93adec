"""What a real process takes stays within ``--memory``, on top of the program itself."""

import subprocess
import sys
from pathlib import Path

import pytest
from engine_process import environment
from short_teachers import share_ball

from tests.made_once import once

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="Linux tells the peak in kilobytes")

BOUNDS = {"train": 0.25, "convert": 0.25, "render": 0.1}
"""GB, less than each takes without a bound."""

ALLOWANCE = 0.02
"""GB that a run takes more than the bound at most, for what differs from run to run."""

IDLE = """
import importlib, pkgutil, torch, pvd_engine
from pvd_engine.process_setup import prepare_process
from pvd_engine.kernels.compile import compile_kernels
for module in pkgutil.walk_packages(pvd_engine.__path__, "pvd_engine."):
    if not module.name.endswith("__main__"):
        importlib.import_module(module.name)
compile_kernels(lambda number, count: None)
"""
"""The program with all of its modules and kernels, and nothing to do."""


def peak(*words):
    """GB that a Python program with these words had at once."""
    script = Path(__file__).with_name("peak_memory.py")
    done = subprocess.run(
        [sys.executable, script, *map(str, words)],
        capture_output=True,
        text=True,
        env=environment(),
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return int(done.stdout.splitlines()[-1]) / 1e9


@pytest.fixture(scope="module")
def idle():
    """GB of the program itself."""
    return peak("-c", IDLE)


@pytest.fixture(scope="module")
def teacher(shared):
    """A field file of TensoRF VM, hardly trained."""

    def train(folder):
        out = folder / "field.safetensors"
        peak("-m", "pvd_engine", *training(shared), "--out", out)

    return once(shared / "for_memory", train) / "field.safetensors"


def training(shared):
    ball = share_ball(shared, size=200)
    return "train", ball, "--arch", "vm", "--preset", "small", "--steps", 8


def converting(shared, teacher):
    ball = share_ball(shared, size=200)
    steps = "--preset", "small", "--steps", 4, "--no-report"
    return "convert", teacher, "--to", "cp", "--capture", ball, *steps


def rendering(shared, teacher):
    return "render", teacher, "--capture", share_ball(shared, size=200), "--split", "val"


@pytest.mark.parametrize(
    "verb",
    [
        pytest.param("train", marks=pytest.mark.slow),
        pytest.param("convert", marks=pytest.mark.slow),
        "render",
    ],
)
def test_a_process_keeps_within_the_bound_and_takes_more_without_it(
    verb, idle, teacher, shared, tmp_path
):
    words = {
        "train": training(shared),
        "convert": converting(shared, teacher),
        "render": rendering(shared, teacher),
    }[verb]
    suffix = "" if verb == "render" else ".safetensors"
    bound, taken = BOUNDS[verb], {}
    for name, options in (("bounded", ("--memory", bound)), ("free", ())):
        out = tmp_path / f"{name}{suffix}"
        taken[name] = peak("-m", "pvd_engine", *words, *options, "--device", "cpu", "--out", out)
        taken[name] -= idle
    assert taken["bounded"] < bound + ALLOWANCE < taken["free"]
