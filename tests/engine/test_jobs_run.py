"""Jobs as real processes: what the parent hears, and how they stop, die and go on."""

import ctypes
import json
import os
import shutil
import signal
import subprocess
import sys
import time

import pytest
from engine_process import (
    environment,
    events,
    files_below,
    pvd,
    read_json,
    start,
    wait_until,
    write_disc_capture,
    write_request,
)

from pvd_engine.files.lock import hold_lock
from pvd_engine.jobs.checkpoint import load_checkpoint

TRAIN_FOR_EVER = {"arch": "hash", "budget": "1h"}
posix = pytest.mark.skipif(sys.platform == "win32", reason="needs POSIX signals")


@pytest.fixture
def capture(tmp_path):
    return write_disc_capture(tmp_path / "ball")


def train_request(folder, capture, **arguments):
    out = folder.parent / "t.safetensors"
    return write_request(folder, "train", capture=capture, out=out, **arguments)


def heard(process, kind):
    """Read events until one of a kind comes."""
    for line in process.stdout:
        event = json.loads(line)
        if event["type"] == kind:
            return event
    raise AssertionError(f"the engine ended without {kind}: {process.stderr.read()}")


def checkpoint(folder):
    return folder / "checkpoints" / "latest.safetensors"


def step_of(folder):
    return load_checkpoint(checkpoint(folder))[1]["step"]


def test_a_job_says_hello_first_and_writes_its_result_last(tmp_path, capture):
    job = train_request(tmp_path / "job", capture, arch="hash", steps=4)
    result = pvd("run", job)
    assert result.returncode == 0, result.stderr
    told = events(result.stdout)
    assert told == events((job / "events.jsonl").read_text(encoding="utf-8"))
    assert [event["seq"] for event in told] == list(range(len(told)))
    assert told[0]["type"] == "hello"
    assert told[0]["payload"].keys() >= {"engine", "protocol", "python", "torch", "warp", "device"}
    assert told[-1]["type"] == "end"
    assert "preview" in [event["type"] for event in told]
    final = read_json(job / "result.json")
    assert final["status"] == "done"
    assert final["error"] is None
    assert final["outputs"]["steps"] == 4
    assert final["metrics"]["psnr_to_images"] > 0
    newest = max(path.stat().st_mtime_ns for path in job.iterdir() if path.name != "engine.log")
    assert (job / "result.json").stat().st_mtime_ns == newest
    assert not (job / "checkpoints").exists()
    assert (tmp_path / "t.safetensors").is_file()
    # What is done is told again, not done again.
    (tmp_path / "t.safetensors").unlink()
    again = pvd("run", job, "--json")
    assert again.returncode == 0
    assert json.loads(again.stdout.splitlines()[-1]) == final["outputs"]
    assert not (tmp_path / "t.safetensors").exists()


def test_cancel_writes_a_checkpoint_from_which_the_same_command_goes_on(tmp_path, capture):
    job = train_request(tmp_path / "job", capture, **TRAIN_FOR_EVER)
    process = start("run", job)
    heard(process, "progress")
    process.stdin.write("cancel\n")
    process.stdin.flush()
    assert heard(process, "end")["payload"]["status"] == "cancelled"
    assert process.wait(timeout=30) == 130
    assert read_json(job / "result.json")["status"] == "cancelled"
    assert not (tmp_path / "t.safetensors").exists()
    stopped_at = step_of(job)
    assert stopped_at > 0

    process = start("run", job)
    assert heard(process, "progress")["payload"]["step"] > stopped_at
    process.stdin.close()  # the parent is gone
    assert process.wait(timeout=5) == 130
    assert step_of(job) > stopped_at


@posix
def test_a_killed_job_goes_on_from_its_last_checkpoint(tmp_path, capture):
    job = train_request(tmp_path / "job", capture, **TRAIN_FOR_EVER)
    process = start("run", job)
    heard(process, "progress")
    process.stdin.write("cancel\n")
    process.stdin.flush()
    process.wait(timeout=30)
    stopped_at = step_of(job)
    process = start("run", job)
    heard(process, "progress")
    process.kill()
    process.wait()
    assert not (job / "result.json").exists()
    assert step_of(job) == stopped_at
    # Remains of a write that the kill cut off.
    for folder, name in ((job / "checkpoints", "latest"), (tmp_path, "t")):
        part = folder / f".{name}.safetensors.0badcafe.part"
        part.mkdir()
        (part / ".tmp1234").write_bytes(b"half")
    process = start("run", job)
    assert heard(process, "progress")["payload"]["step"] > stopped_at
    assert not list(tmp_path.rglob("*.part*"))
    process.stdin.close()
    process.wait(timeout=5)
    told = events((job / "events.jsonl").read_text(encoding="utf-8"))
    assert [event["seq"] for event in told] == list(range(len(told)))


@posix
@pytest.mark.parametrize("moment", [0.0, 0.3, 1.0, 2.5])
def test_no_engine_is_left_when_its_parent_is_killed(tmp_path, capture, moment):
    """The parent dies without a word, at any moment of the start."""
    job = train_request(tmp_path / "job", capture, **TRAIN_FOR_EVER)
    parent = (
        "import subprocess, sys, time\n"
        "engine = subprocess.Popen([sys.executable, '-m', 'pvd_engine', 'run', sys.argv[1]],\n"
        "    stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,\n"
        "    start_new_session=True)\n"
        "print(engine.pid, flush=True)\n"
        "time.sleep(600)\n"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", parent, str(job)],
        stdout=subprocess.PIPE,
        text=True,
        env=environment(),
    )
    engine = int(process.stdout.readline())
    time.sleep(moment)
    process.kill()
    process.wait()
    wait_until(lambda: not alive(engine), "the engine's end", seconds=5)


def alive(pid):
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    status = f"/proc/{pid}/stat"
    if os.path.exists(status):  # noqa: PTH110
        with open(status) as file:  # noqa: PTH123
            return file.read().rsplit(")", 1)[1].split()[0] != "Z"
    return True


@posix
def test_interrupt_in_the_foreground_keeps_a_checkpoint_and_says_how_to_go_on(tmp_path, capture):
    out = tmp_path / "t.safetensors"
    words = ["train", capture, "--budget", "1h", "--out", out]
    job = tmp_path / "t.safetensors.job"
    process = start(*words, stdin=subprocess.DEVNULL)
    wait_until(lambda: "progress" in read_events(job), "progress")
    process.send_signal(signal.SIGINT)
    _, error = process.communicate(timeout=30)
    assert process.returncode == 130
    assert "the same command resumes" in error
    assert "Traceback" not in error
    stopped_at = step_of(job)

    other = pvd(*words[:-2], "--seed", 5, "--out", out)
    assert other.returncode == 1
    assert "'seed'" in other.stderr
    assert "--restart" in other.stderr
    assert step_of(job) == stopped_at

    process = start(*words, stdin=subprocess.DEVNULL)
    count = read_events(job).count("progress")
    wait_until(lambda: read_events(job).count("progress") > count, "progress")
    process.send_signal(signal.SIGINT)
    _, error = process.communicate(timeout=30)
    assert "Resuming" in error
    assert step_of(job) > stopped_at

    fresh = pvd(*words[:2], "--steps", 2, "--out", out, "--restart")
    assert fresh.returncode == 0, fresh.stderr
    assert read_json(job / "request.json")["arguments"]["steps"] == 2
    assert read_events(job).count("hello") == 1


def read_events(job):
    path = job / "events.jsonl"
    lines = path.read_text(encoding="utf-8").split("\n")[:-1] if path.is_file() else []
    return [json.loads(line)["type"] for line in lines]


def test_a_job_folder_belongs_to_one_engine(tmp_path, capture):
    job = train_request(tmp_path / "job", capture, arch="hash", steps=2)
    with hold_lock(job / "lock"):
        before = files_below(job)
        result = pvd("run", job)
        assert result.returncode == 1
        assert "Another engine" in result.stderr
        assert len(result.stderr.splitlines()) == 1
        assert files_below(job) == before


def test_paths_in_a_request_are_relative_to_its_folder(tmp_path, capture):
    job = tmp_path / "job"
    write_request(job, "info", path="../ball")
    result = pvd("run", job, cwd=tmp_path.parent)
    assert result.returncode == 0, result.stderr
    assert read_json(job / "result.json")["outputs"]["capture"]["root"] == str(capture)


@pytest.fixture
def small_disk(tmp_path):
    """A file system of 8 MiB."""
    if sys.platform != "linux" or os.geteuid() != 0:
        pytest.skip("mounting a small file system needs root on Linux")
    folder = tmp_path / "disk"
    folder.mkdir()
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.mount(b"tmpfs", str(folder).encode(), b"tmpfs", 0, b"size=8m") != 0:
        pytest.skip(f"no file system can be mounted here: {os.strerror(ctypes.get_errno())}")
    yield folder
    libc.umount2(str(folder).encode(), 2)


def test_a_full_disk_is_one_sentence_and_the_job_goes_on_when_there_is_space(
    tmp_path, capture, small_disk
):
    out = small_disk / "t.safetensors"
    words = ["train", capture, "--arch", "hash", "--steps", 3, "--out", out]
    result = pvd(*words)
    assert result.returncode == 1
    assert "the disk is full" in result.stderr
    assert "Traceback" not in result.stderr
    assert not out.exists()
    assert not [name for name in files_below(small_disk) if ".part" in name]

    job = write_request(small_disk / "job", "train", capture=capture, out=out, steps=3)
    result = pvd("run", job)
    assert result.returncode == 1
    assert "disk is full" in read_json(job / "result.json")["error"]["message"]
    end = events(result.stdout)[-1]
    assert end["type"] == "end"
    assert "disk is full" in end["payload"]["message"]
    assert not [name for name in files_below(small_disk) if ".part" in name]

    elsewhere = tmp_path / "roomy"
    shutil.copytree(small_disk / "job", elsewhere)
    request = read_json(elsewhere / "request.json")
    request["arguments"]["out"] = str(tmp_path / "t.safetensors")
    (elsewhere / "request.json").write_text(json.dumps(request))
    result = pvd("run", elsewhere)
    assert result.returncode == 0, result.stderr
    assert (tmp_path / "t.safetensors").is_file()


def test_a_disk_that_is_full_to_the_last_byte_still_gives_one_sentence(capture, small_disk):
    job = write_request(small_disk / "job", "info", path=capture)
    with (small_disk / "ballast").open("wb", buffering=0) as file:
        try:
            while True:
                file.write(b"\0" * 4096)
        except OSError:
            pass
    result = pvd("run", job)
    assert result.returncode == 1
    assert "Traceback" not in result.stderr
    assert "full" in result.stderr
    assert len(result.stderr.splitlines()) == 1
    assert not (job / "result.json").exists()
    (small_disk / "ballast").unlink()
    assert pvd("run", job).returncode == 0
