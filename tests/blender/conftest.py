"""Fixtures of the add-on's tests: a real Blender whose preferences are thrown away afterwards."""

import os
import sys
import tempfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
HOME = tempfile.TemporaryDirectory(prefix="blender-home-")
# Kernels that were compiled once serve all tests; they are found by their content.
os.environ.setdefault("XDG_CACHE_HOME", str(Path.home() / ".cache"))
# Before bpy is imported: from then on Blender knows where its user's files are.
os.environ["HOME"] = os.environ["BLENDER_USER_RESOURCES"] = HOME.name
for folder in (ROOT, Path(__file__).resolve().parent):
    if str(folder) not in sys.path:
        sys.path.insert(0, str(folder))

import bpy  # noqa: E402
import small_capture  # noqa: E402
import warm_engine  # noqa: E402

from tests.made_once import once  # noqa: E402

ZIP = os.environ.get("PVD_ADD_ON_ZIP", "")
if ZIP:
    import installed

    installed.install(ZIP)

EXIT_STATUS = pytest.StashKey[int]()


@pytest.fixture(autouse=True)
def add_on(tmp_path):
    """The add-on, newly enabled in an empty file, with a work folder of its own and no engine.

    It is disabled afterwards: no test finds jobs, messages, icons or preferences of another.
    """
    import pvd_blender
    from pvd_blender import api

    bpy.ops.wm.read_homefile(use_empty=True, use_factory_startup=True)
    bpy.ops.preferences.addon_enable(module=pvd_blender.__name__)
    api.configure(engine_python="", device="cpu", work_folder=tmp_path / "work")
    yield pvd_blender
    bpy.ops.preferences.addon_disable(module=pvd_blender.__name__)


@pytest.fixture(scope="session")
def engine_python():
    """The engine's Python, as the Makefile names it."""
    python = os.environ.get("PVD_ENGINE_PYTHON", "")
    if not python:
        pytest.skip("PVD_ENGINE_PYTHON names no Python of the engine")
    return python


@pytest.fixture(scope="session")
def warm_python(engine_python):
    """A program that runs what the engine's Python runs, but starts at once."""
    from pvd_blender.engine.environment import engine_sources

    if not warm_engine.can_be_warm():
        yield engine_python
        return
    with tempfile.TemporaryDirectory(prefix="warm-") as folder:
        engine = warm_engine.WarmEngine(engine_python, engine_sources(), Path(folder))
        yield str(engine.program)
        engine.close()


@pytest.fixture
def api(add_on, warm_python):
    """The add-on's api with an engine."""
    from pvd_blender import api

    api.configure(engine_python=warm_python)
    return api


@pytest.fixture
def session(add_on):
    """What lives while the add-on is enabled: the running job and what panels say of jobs."""
    from pvd_blender.jobs.session import session

    return session()


@pytest.fixture(scope="session")
def shared_folder(tmp_path_factory):
    """A folder for what is made once for all workers of this run."""
    own = tmp_path_factory.getbasetemp()
    return own.parent if "PYTEST_XDIST_WORKER" in os.environ else own


@pytest.fixture(scope="session")
def capture(shared_folder):
    """The folder of a small capture: a coloured ball seen by ten cameras."""
    folder = shared_folder / "captures"
    return once(folder, lambda new: small_capture.write(new / "ball")) / "ball"


@pytest.fixture
def trained_file(api, capture, shared_folder, tmp_path):
    """A .blend of the capture with a trained teacher, made by one test for all."""

    def make(folder):
        api.configure(work_folder=folder / "work")
        api.train(api.import_capture(capture), "hash", preset="small", steps=60)
        bpy.ops.wm.save_as_mainfile(filepath=str(folder / "trained.blend"))
        api.configure(work_folder=tmp_path / "work")

    return once(shared_folder / "trained", make) / "trained.blend"


@pytest.fixture
def trained(trained_file):
    """The capture's frame, opened with a trained teacher in its list and nothing else made."""
    bpy.ops.wm.open_mainfile(filepath=str(trained_file))
    return bpy.context.scene.convert_field.frame


@pytest.fixture
def teacher(trained_file):
    """The file of the trained teacher."""
    return next(trained_file.parent.rglob("hash.safetensors"))


def pytest_sessionfinish(session, exitstatus):
    session.config.stash[EXIT_STATUS] = int(exitstatus)


@pytest.hookimpl(trylast=True)
def pytest_unconfigure(config):
    # The bpy package of 4.2 crashes while Python ends, once any class or handler was registered,
    # and the crash would stand for the tests' own exit status.
    if bpy.app.version < (4, 3, 0):
        HOME.cleanup()
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(config.stash.get(EXIT_STATUS, 1))
