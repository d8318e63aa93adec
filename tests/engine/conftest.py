"""Every test of the engine starts from one state of its process, in whatever order they run."""

import logging
import os
import random
import signal
import subprocess
import sys
import threading
from zlib import crc32

import numpy as np
import pytest
from hypothesis import settings

from pvd_engine.process_setup import prepare_process

prepare_process()

import torch  # noqa: E402, after the settings that must be made before it is loaded
from tiny_fields import tiny_fields  # noqa: E402

from pvd_engine.cli import main  # noqa: E402
from pvd_engine.jobs import device  # noqa: E402
from pvd_engine.jobs.device import choose_device  # noqa: E402
from pvd_engine.kernels import declare, launch  # noqa: E402

DEVICE_VARIABLE = "PVD_TEST_DEVICE"
"""Environment variable: the device, such as cuda, that verbs compute on in tests for the CPU."""

BEFORE = pytest.StashKey[dict[str, object]]()

settings.register_profile("repeatable", derandomize=True, database=None)
settings.load_profile("repeatable")


def pytest_configure(config):
    """Keep pytest-randomly, which shuffles the tests, from seeding their random numbers, too."""
    config.option.randomly_reset_seed = False


@pytest.fixture(scope="session")
def shared(tmp_path_factory):
    """The folder of what is made once for all processes that run tests."""
    own = tmp_path_factory.getbasetemp()
    return own.parent if "PYTEST_XDIST_WORKER" in os.environ else own


@pytest.fixture(scope="session", autouse=True)
def on_the_chosen_device():
    """Let verbs compute on the device of `DEVICE_VARIABLE`, whatever device a test names."""
    name = os.environ.get(DEVICE_VARIABLE)
    if name is None:
        yield
        return
    chosen = choose_device(name)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(device, "choose_device", lambda asked: chosen)
        yield


@pytest.fixture
def prepared(monkeypatch):
    """What launches ask for from now on: Warp's kernel, device and threads of a block."""
    keys = set()

    def record(*key):
        keys.add(key)
        return launch.prepared(*key)

    monkeypatch.setattr(declare, "prepared", record)
    return keys


@pytest.fixture
def run_here(capfd, monkeypatch):
    """Run a command like `pvd`, but in this process, which has torch at hand, and tiny fields."""

    def run(*words, cwd="."):
        capfd.readouterr()
        with monkeypatch.context() as patch, tiny_fields():
            patch.chdir(cwd)
            code = main([str(word) for word in words])
        out, err = capfd.readouterr()
        return subprocess.CompletedProcess(words, code, out, err)

    return run


@pytest.hookimpl(wrapper=True)
def pytest_fixture_setup(fixturedef):
    seed_everything(crc32(fixturedef.argname.encode()))
    return (yield)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call():
    seed_everything(0)
    return (yield)


def seed_everything(seed):
    """Seed all generators that a process has, so that none tells which tests ran before."""
    random.seed(seed)
    np.random.seed(seed)
    torch.manual_seed(seed)


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_setup(item):
    item.stash[BEFORE] = process_state()
    return (yield)


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_teardown(item):
    result = yield
    before, after = item.stash[BEFORE], process_state()
    changed = [name for name in before if before[name] != after[name]]
    assert {n: after[n] for n in changed} == {n: before[n] for n in changed}, "state is left over"
    return result


def process_state():
    """State by which one test could change another, by name."""
    log = logging.getLogger()
    return {
        "the working directory": os.getcwd(),  # noqa: PTH109, a plain string
        "environment variables": {
            name: text
            for name, text in os.environ.items()
            if not name.startswith(("PYTEST_", "TORCH"))  # these two programs set their own
        },
        "sys.path": list(sys.path),
        "signal handlers": [signal.getsignal(n) for n in (signal.SIGINT, signal.SIGTERM)],
        "the log": (log.level, [h for h in log.handlers if isinstance(h, logging.FileHandler)]),
        "running timers": [t for t in threading.enumerate() if isinstance(t, threading.Timer)],
        "torch's threads": torch.get_num_threads(),
        "torch's precision": torch.get_default_dtype(),
        "torch's gradients": torch.is_grad_enabled(),
    }
