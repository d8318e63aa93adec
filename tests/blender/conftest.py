"""Fixtures of the add-on's tests: a real Blender whose preferences are thrown away afterwards."""

import os
import sys
import tempfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
HOME = tempfile.TemporaryDirectory(prefix="blender-home-")
# Before bpy is imported: from then on Blender knows where its user's files are.
os.environ["HOME"] = os.environ["BLENDER_USER_RESOURCES"] = HOME.name
for folder in (ROOT, Path(__file__).resolve().parent):
    if str(folder) not in sys.path:
        sys.path.insert(0, str(folder))

import bpy  # noqa: E402
import small_capture  # noqa: E402

ZIP = os.environ.get("PVD_ADD_ON_ZIP", "")
if ZIP:
    import installed

    installed.install(ZIP)

EXIT_STATUS = pytest.StashKey[int]()


@pytest.fixture(scope="session")
def enabled():
    """The add-on, enabled from the source tree unless its zip is installed."""
    if not ZIP:
        bpy.ops.preferences.addon_enable(module="pvd_blender")
    import pvd_blender

    yield pvd_blender
    bpy.ops.preferences.addon_disable(module=pvd_blender.__name__)


@pytest.fixture
def add_on(enabled, tmp_path):
    """The enabled add-on in an empty file, with a work folder of its own and no engine."""
    from pvd_blender import api

    bpy.ops.wm.read_homefile(use_empty=True)
    api.configure(engine_python="", device="cpu", work_folder=tmp_path / "work")
    yield enabled
    from pvd_blender.jobs.session import session

    session().close_job()
    session().error, session().message = None, ""


@pytest.fixture(scope="session")
def engine_python():
    """The engine's Python, as the Makefile names it."""
    python = os.environ.get("PVD_ENGINE_PYTHON", "")
    if not python:
        pytest.skip("PVD_ENGINE_PYTHON names no Python of the engine")
    return python


@pytest.fixture
def api(add_on, engine_python):
    """The add-on's api with the real engine."""
    from pvd_blender import api

    api.configure(engine_python=engine_python)
    return api


@pytest.fixture
def session(add_on):
    """What lives while the add-on is enabled: the running job and what panels say of jobs."""
    from pvd_blender.jobs.session import session

    return session()


@pytest.fixture(scope="session")
def capture(tmp_path_factory):
    """The folder of a small capture: a coloured ball seen by ten cameras."""
    return small_capture.write(tmp_path_factory.mktemp("captures") / "ball")


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
