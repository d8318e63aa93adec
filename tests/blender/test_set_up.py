"""Setting up the engine's environment: real ones, from a wheel that is made here."""

import os
import subprocess
import sys
import time
import zipfile
from pathlib import Path

import bpy
import pytest
from in_window import pump_to_the_end

pytestmark = pytest.mark.skipif(
    "python" not in Path(sys.executable).name, reason="this Blender's Python is no program"
)


@pytest.fixture
def online(add_on, monkeypatch):
    monkeypatch.setattr(bpy.context.preferences.system, "use_online_access", True)


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    """A package of one module, as pip installs it without asking anybody."""
    path = tmp_path_factory.mktemp("wheels") / "tiny_engine-1.0-py3-none-any.whl"
    info = "tiny_engine-1.0.dist-info"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("tiny_engine.py", "ANSWER = 42\n")
        archive.writestr(
            f"{info}/METADATA", "Metadata-Version: 2.1\nName: tiny-engine\nVersion: 1.0\n"
        )
        archive.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\nTag: py3-none-any\n")
        archive.writestr(f"{info}/RECORD", "")
    return path


def test_an_environment_is_made_used_and_checked(add_on, online, wheel, tmp_path):
    from pvd_blender import api
    from pvd_blender.preferences import preferences

    folder = tmp_path / "environment"
    preferences().pip_options = "--no-index"
    with pytest.raises(api.ConvertFieldError, match="Installing failed"):
        api.set_up_engine([str(tmp_path / "missing.whl")], folder)
    assert not folder.exists(), "and it can be repeated"
    assert "missing.whl" in (tmp_path / "work" / "set_up.log").read_text()
    # The engine's own libraries are not among what is installed here, and the check says so.
    with pytest.raises(api.ConvertFieldError, match="lacks torch"):
        api.set_up_engine([str(wheel)], folder)
    python = Path(preferences().engine_python)
    assert python.is_relative_to(folder)
    code = "import tiny_engine, sys; sys.exit(tiny_engine.ANSWER != 42)"
    assert subprocess.run([python, "-c", code], check=False).returncode == 0


def test_it_can_be_cancelled_and_leaves_nothing(add_on, online, wheel, tmp_path, session):
    from pvd_blender import api
    from pvd_blender.preferences import preferences

    folder = tmp_path / "environment"
    before = preferences().engine_python
    assert api.set_up_engine([str(wheel)], folder, wait=False) is None
    assert "Making the environment" in session.engine.set_up.text
    bpy.ops.convert_field.cancel_set_up()
    pump_to_the_end(session)
    assert session.engine.set_up is None and "cancelled" in session.message
    assert not folder.exists() and preferences().engine_python == before


def test_without_online_access_it_is_refused_in_one_sentence(add_on, tmp_path, monkeypatch):
    from pvd_blender import api

    monkeypatch.setattr(bpy.context.preferences.system, "use_online_access", False)
    with pytest.raises(api.ConvertFieldError, match="online access"):
        api.set_up_engine(folder=tmp_path / "environment")
    assert not bpy.ops.convert_field.set_up_engine.poll()


def test_a_folder_that_holds_something_else_is_left_alone(add_on, online, wheel, tmp_path):
    from pvd_blender import api

    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "picture.txt").write_text("mine")
    with pytest.raises(api.ConvertFieldError, match="no Python environment"):
        api.set_up_engine([str(wheel)], tmp_path / "mine")
    assert (tmp_path / "mine" / "picture.txt").read_text() == "mine"


@pytest.mark.skipif(os.name != "posix", reason="needs a program that does nothing")
def test_an_environment_that_was_not_made_is_one_sentence_and_not_a_fault_in_the_timer(tmp_path):
    from pvd_blender.jobs.set_up import EngineSetUp

    set_up = EngineSetUp("true", tmp_path / "new" / "engine", [], tmp_path / "log")
    while not set_up.pump():
        time.sleep(0.01)
    assert "Installing cannot be started" in set_up.error.sentence
