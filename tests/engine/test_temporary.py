"""Temporary job folders go with the next command when theirs was killed."""

import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pytest

from pvd_engine.files.temporary import OWNER, remove_left_folders, temporary_folder

HOLDS = """
import time
from pvd_engine.files.temporary import temporary_folder
with temporary_folder() as folder:
    (folder / "big.bin").write_bytes(b"x")
    print(folder, flush=True)
    time.sleep(600)
"""


@pytest.fixture
def place(tmp_path, monkeypatch):
    """A temporary folder of the system for this test alone."""
    folder = tmp_path / "system"
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    monkeypatch.setenv("TMPDIR", str(folder))
    return folder


def killed():
    """The folder of a process that was killed."""
    program = [sys.executable, "-c", HOLDS]
    with subprocess.Popen(program, stdout=subprocess.PIPE, text=True) as running:
        folder = Path(running.stdout.readline().strip())
        remove_left_folders()
        assert (folder / "big.bin").is_file(), "its process lives"
        running.kill()
    assert folder.is_dir()
    return folder


def test_the_next_command_removes_what_a_killed_one_left(place):
    left = killed()
    command = [sys.executable, "-m", "pvd_engine", "info", str(place / "nothing")]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 1 and "Traceback" not in done.stderr
    assert not left.exists()
    assert list(place.glob("pvd-*")) == [], "nor does it leave its own"


def test_a_folder_that_is_kept_for_the_user_is_no_leftover(place):
    with temporary_folder() as folder:
        (folder / "engine.log").write_text("a fault")
        assert (folder / OWNER).is_file()
    remove_left_folders()
    assert [path.name for path in folder.iterdir()] == ["engine.log"]


def test_only_own_folders_go_and_links_are_not_followed(place, tmp_path, monkeypatch):
    kept = tmp_path / "kept"
    for folder in (kept, place / "pvd-job-of-a-user"):
        folder.mkdir()
        (folder / "job.lock").touch()
        (folder / "file").write_text("of the user")
    (kept / OWNER).touch()
    (place / "pvd-link").symlink_to(kept)
    (place / "pvd-file").write_text("no folder")
    left = place / "pvd-left"
    left.mkdir()
    (left / OWNER).touch()
    (left / "inside").symlink_to(kept)
    remove_left_folders()
    assert not left.exists()
    assert (kept / "file").is_file() and (place / "pvd-job-of-a-user" / "file").is_file()
    assert (place / "pvd-link").is_symlink() and (place / "pvd-file").is_file()
    if hasattr(os, "getuid"):
        left.mkdir()
        (left / OWNER).touch()
        user = os.getuid() + 1
        monkeypatch.setattr(os, "getuid", lambda: user)
        remove_left_folders()
        assert left.is_dir(), "it is another user's"


def test_many_at_once_take_no_folder_from_each_other(place):
    program = """
import sys
from pvd_engine.files.temporary import remove_left_folders, temporary_folder
for _ in range(60):
    remove_left_folders()
    with temporary_folder() as folder:
        (folder / "file").write_text("mine")
        remove_left_folders()
        assert (folder / "file").read_text() == "mine"
        for path in folder.iterdir():
            path.unlink()
"""
    begun = time.monotonic()
    running = [subprocess.Popen([sys.executable, "-c", program]) for _ in range(3)]
    assert [process.wait(timeout=100) for process in running] == [0, 0, 0]
    assert time.monotonic() - begun < 100
