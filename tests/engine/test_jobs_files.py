import json
import math
import os
import stat
import subprocess
import sys

import numpy as np
import pytest
import torch

from pvd_engine.errors import UserError
from pvd_engine.files.atomic import (
    json_text,
    remove_leftovers,
    write_atomic,
    write_bytes,
    write_json,
)
from pvd_engine.jobs.checkpoint import load_checkpoint, save_checkpoint


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def test_a_failed_write_leaves_the_old_file_and_nothing_else(tmp_path):
    path = tmp_path / "a.bin"
    write_bytes(path, b"old")

    def half(temporary):
        temporary.write_bytes(b"ne")
        raise RuntimeError("stop")

    with pytest.raises(RuntimeError):
        write_atomic(path, half)
    assert path.read_bytes() == b"old"
    assert names(tmp_path) == ["a.bin"]


def test_the_temporary_name_is_that_of_the_file(tmp_path):
    write_atomic(tmp_path / "v.npz", lambda temporary: np.savez(temporary, density=np.ones(3)))
    assert names(tmp_path) == ["v.npz"]
    assert np.load(tmp_path / "v.npz")["density"].sum() == 3


@pytest.mark.skipif(sys.platform == "win32", reason="modes of POSIX")
def test_a_file_has_the_mode_that_the_umask_gives(tmp_path):
    before = os.umask(0o027)
    try:
        save_checkpoint(tmp_path / "c.safetensors", {"a": torch.ones(3)}, {})
        write_bytes(tmp_path / "b.bin", b"new")
    finally:
        os.umask(before)
    for name in ("c.safetensors", "b.bin"):
        assert stat.S_IMODE((tmp_path / name).stat().st_mode) == 0o640


def test_a_folder_that_cannot_be_made_is_one_sentence(tmp_path):
    (tmp_path / "file").write_text("x")
    with pytest.raises(UserError, match=r"cannot be written: .*\.$"):
        write_json(tmp_path / "file" / "a.json", {})


DIES_IN_A_WRITE = """
import os, sys
from pathlib import Path
from pvd_engine.files.atomic import write_atomic

def die(path):
    path.write_bytes(b"ha")
    path.with_name(".tmp1234").write_bytes(b"of a library")
    os._exit(9)

write_atomic(Path(sys.argv[1]), die)
"""


def test_leftovers_of_a_killed_write_are_removed_and_nothing_else(tmp_path):
    write_bytes(tmp_path / "t.safetensors", b"whole")
    write_bytes(tmp_path / "t[1].safetensors", b"whole")

    subprocess.run([sys.executable, "-c", DIES_IN_A_WRITE, str(tmp_path / "t.safetensors")])
    assert len(names(tmp_path)) == 3
    remove_leftovers(tmp_path / "t[1].safetensors")
    assert len(names(tmp_path)) == 3
    remove_leftovers(tmp_path / "t.safetensors")
    assert names(tmp_path) == ["t.safetensors", "t[1].safetensors"]


def test_json_has_no_nan_and_takes_numpy_numbers():
    text = json_text(
        {"a": math.nan, "b": np.float32(0.5), "c": [np.int64(3), -math.inf], "d": True}
    )
    assert json.loads(text) == {"a": None, "b": 0.5, "c": [3, None], "d": True}
    assert json.loads(json_text(np.arange(4.0).reshape(2, 2))) == [[0, 1], [2, 3]]


def test_a_checkpoint_comes_back_bit_for_bit(tmp_path):
    path = tmp_path / "c" / "latest.safetensors"
    assert load_checkpoint(path) is None
    values = torch.randn(6, 5)
    tensors = {"turned": values.t(), "same": values, "row": values[2], "none": torch.zeros(0, 3)}
    tensors["state"] = torch.Generator().manual_seed(3).get_state()
    save_checkpoint(path, tensors, {"step": 7, "elapsed": 0.1})
    loaded = load_checkpoint(path)
    assert loaded is not None
    assert loaded[1] == {"step": 7, "elapsed": 0.1}
    assert loaded[0].keys() == tensors.keys()
    for name, tensor in tensors.items():
        assert torch.equal(loaded[0][name], tensor), name


def test_a_damaged_checkpoint_is_one_sentence(tmp_path):
    path = tmp_path / "latest.safetensors"
    save_checkpoint(path, {"a": torch.ones(1000)}, {})
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(UserError, match="damaged"):
        load_checkpoint(path)


if sys.platform == "win32":
    del test_leftovers_of_a_killed_write_are_removed_and_nothing_else  # there is no fork
