"""Temporary folders go with the next start of the add-on when their Blender was killed."""

import os
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from pvd_blender.engine import temporary
from pvd_blender.engine.temporary import TemporaryFolder, remove_left_folders

ROOT = Path(__file__).resolve().parents[2]
OWNER = """
import sys, time
sys.path.insert(0, {root!r})
from pvd_blender.engine.temporary import TemporaryFolder
made = TemporaryFolder()
(made.path / "picture.npy").write_bytes(b"x")
print("FOLDER", made.path, flush=True)
time.sleep(600)
"""


@pytest.fixture(autouse=True)
def place(tmp_path, monkeypatch):
    """A temporary folder of the system for this test alone."""
    folder = tmp_path / "system"
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    monkeypatch.setenv("TMPDIR", str(folder))
    return folder


def killed(place):
    """The folder of a process that was killed."""
    program = [sys.executable, "-c", OWNER.format(root=str(ROOT))]
    with subprocess.Popen(program, stdout=subprocess.PIPE, text=True) as running:
        # Blender itself may print before.
        line = next(line for line in running.stdout if line.startswith("FOLDER "))
        folder = Path(line.removeprefix("FOLDER ").strip())
        remove_left_folders()
        assert (folder / "picture.npy").is_file(), "its process lives"
        running.kill()
    assert folder.parent == place and folder.is_dir()
    return folder


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="kills by POSIX signals")
def test_the_folder_of_a_killed_process_goes_and_that_of_a_living_one_stays(place):
    left = killed(place)
    with TemporaryFolder() as own:
        remove_left_folders()
        assert not left.exists() and own.is_dir()
    assert list(place.glob("convert-field-*")) == []


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="kills by POSIX signals")
def test_enabling_the_add_on_removes_what_a_killed_blender_left(place, add_on):
    import bpy

    left = killed(place)
    bpy.ops.preferences.addon_disable(module=add_on.__name__)
    bpy.ops.preferences.addon_enable(module=add_on.__name__)
    assert not left.exists()


def test_only_own_folders_go_and_links_are_not_followed(place, tmp_path, monkeypatch):
    kept = tmp_path / "kept"
    kept.mkdir()
    for folder in (kept, place / "other-1", place / "convert-field-without-a-lock"):
        folder.mkdir(exist_ok=True)
        (folder / "file").write_text("of the user")
    (kept / temporary.OWNER).touch()
    (place / "other-1" / temporary.OWNER).touch()
    (place / "convert-field-link").symlink_to(kept)
    (place / "convert-field-file").write_text("no folder")
    left = place / "convert-field-left"
    left.mkdir()
    (left / temporary.OWNER).touch()
    (left / "inside").symlink_to(kept)
    remove_left_folders()
    assert not left.exists()
    assert (kept / "file").is_file() and (place / "other-1" / "file").is_file()
    assert (place / "convert-field-without-a-lock" / "file").is_file()
    assert (place / "convert-field-link").is_symlink() and (place / "convert-field-file").is_file()
    if hasattr(os, "getuid"):
        left.mkdir()
        (left / temporary.OWNER).touch()
        user = os.getuid() + 1
        monkeypatch.setattr(os, "getuid", lambda: user)
        remove_left_folders()
        assert left.is_dir(), "it is another user's"
