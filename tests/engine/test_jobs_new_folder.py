"""Folders that are whole or not there, and what is left of them after a kill."""

import subprocess
import sys

import pytest
from engine_process import environment

from pvd_engine.files.new_folder import new_folder

FILL = """
import sys, time
from pathlib import Path
from pvd_engine.files.new_folder import new_folder
with new_folder(Path(sys.argv[1])) as folder:
    (folder / "half").write_text("written")
    print(folder.name, flush=True)
    time.sleep(60)
"""


@pytest.fixture
def filling(tmp_path):
    """A process that is filling the folder ``out [1]``, and the name of its temporary folder."""
    process = subprocess.Popen(
        [sys.executable, "-c", FILL, str(tmp_path / "out [1]")],
        stdout=subprocess.PIPE,
        text=True,
        env=environment(),
    )
    yield process, process.stdout.readline().strip()
    process.kill()
    process.wait()


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def fill(path):
    with new_folder(path) as folder:
        (folder / "whole").write_text("written")


def test_what_a_kill_left_goes_with_the_next_folder_of_that_name(tmp_path, filling):
    process, temporary = filling
    process.kill()
    process.wait()
    mine = tmp_path / ".out [1].notes.part"
    mine.mkdir()
    fill(tmp_path / "other")
    assert (tmp_path / temporary / "half").is_file(), "it is of another folder"
    fill(tmp_path / "out [1]")
    assert names(tmp_path) == [mine.name, "other", "out [1]"]
    assert names(tmp_path / "out [1]") == ["whole"]


def test_what_is_being_filled_stays(tmp_path, filling):
    _, temporary = filling
    fill(tmp_path / "out [1]")
    assert names(tmp_path) == [temporary, "out [1]"]
    assert "half" in names(tmp_path / temporary)


def test_an_error_leaves_nothing(tmp_path):
    with pytest.raises(ZeroDivisionError), new_folder(tmp_path / "out"):
        raise ZeroDivisionError
    assert not list(tmp_path.iterdir())
