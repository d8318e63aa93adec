"""Starting, hearing, stopping and outliving the engine; with real processes."""

import json
import os
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import pytest
from long_training import STEPS, end_soon

import pvd_engine
from pvd_blender.engine import environment, job_folder, process
from pvd_blender.engine import job as jobs
from pvd_blender.engine.environment import EngineSettings
from pvd_blender.engine.job import Job, State
from pvd_blender.engine.job_folder import Request
from pvd_blender.engine.process import EngineProcess
from pvd_blender.errors import ConvertFieldError, JobCancelledError

ROOT = Path(__file__).resolve().parents[2]
LONG = 600.0
posix_only = pytest.mark.skipif(os.name != "posix", reason="kills by POSIX signals")


def program(tmp_path, source):
    """An EngineProcess that runs a few lines of Python."""
    path = tmp_path / "program.py"
    path.write_text(textwrap.dedent(source))
    return EngineProcess(
        [sys.executable, str(path)], dict(os.environ), tmp_path, tmp_path / "engine.log"
    )


def collect(running, until, seconds=60.0, doing=lambda: None):
    """Everything a process says until a condition on it holds, doing something meanwhile."""
    said, end = [], time.monotonic() + seconds
    while time.monotonic() < end:
        doing()
        said += running.take()
        if until(said):
            return said
        time.sleep(0.01)
    raise AssertionError(f"nothing came of it: {said}")


def is_alive(pid):
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    # A process that has ended but was not waited for still has its id.
    status = Path(f"/proc/{pid}/stat")
    return not status.exists() or status.read_text().rpartition(")")[2].split()[0] != "Z"


def wait_until_gone(pid, seconds):
    end = time.monotonic() + seconds
    while is_alive(pid) and time.monotonic() < end:
        time.sleep(0.05)
    return not is_alive(pid)


# The process ------------------------------------------------------------------------------------


def test_events_and_other_lines_arrive_in_order_and_errors_go_to_the_log(tmp_path):
    running = program(
        tmp_path,
        """
        import json, sys
        print(json.dumps({"type": "hello", "payload": {"é": 1}}))
        print("a library says something")
        print('{"no type": 1}')
        print("trouble", file=sys.stderr)
        """,
    )
    said = collect(running, lambda said: len(said) == 3)
    assert said[0] == {"type": "hello", "payload": {"é": 1}}
    assert said[1:] == ["a library says something", '{"no type": 1}']
    running.close()
    assert running.exit_code == 0
    assert process.read_tail(tmp_path / "engine.log") == "trouble"


def test_a_flood_on_both_streams_blocks_nobody(tmp_path):
    running = program(
        tmp_path,
        """
        import sys
        for number in range(20000):
            print('{"type": "progress", "payload": {"step": %d}}' % number)
            print("x" * 100, file=sys.stderr)
        """,
    )
    said = collect(running, lambda said: len(said) == 20000)
    assert [event["payload"]["step"] for event in said] == list(range(20000))
    running.close()


def test_the_engine_reads_cancel_on_its_standard_input(tmp_path):
    running = program(tmp_path, "import sys; print('heard', sys.stdin.readline().strip())")
    running.ask_to_stop()
    assert collect(running, bool) == ["heard cancel"]
    running.close()


def test_an_engine_that_does_not_respond_is_terminated_then_killed(tmp_path, monkeypatch):
    monkeypatch.setattr(process, "SECONDS_TO_ANSWER", 0.2)
    monkeypatch.setattr(process, "SECONDS_TO_TERMINATE", LONG)
    running = program(
        tmp_path,
        """
        import signal, time
        signal.signal(signal.SIGTERM, lambda *_: print("no", flush=True))
        print("ready", flush=True)
        while True:
            time.sleep(0.1)
        """,
    )
    collect(running, bool)
    running.press()
    assert running.exit_code is None, "nobody asked it to stop"
    running.ask_to_stop()
    assert collect(running, bool, doing=running.press) == ["no"]
    monkeypatch.setattr(process, "SECONDS_TO_TERMINATE", 0.2)
    said = collect(running, lambda _: running.exit_code is not None, doing=running.press)
    assert said == [], "it was terminated once"
    assert running.exit_code == -signal.SIGKILL


def test_closing_ends_a_program_by_the_end_of_its_input(tmp_path):
    source = "print('ready', flush=True); sys.stdin.read(); print('end', flush=True)"
    running = program(tmp_path, f"import sys; {source}")
    collect(running, bool)
    running.close()
    assert running.take() == ["end"]
    assert running.exit_code == 0


@posix_only
def test_what_the_engine_started_goes_with_it(tmp_path):
    running = program(
        tmp_path,
        """
        import signal, subprocess, sys, time
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
        print(child.pid, flush=True)
        time.sleep(600)
        """,
    )
    child = int(collect(running, bool)[0])
    running.close(seconds=0.1)
    assert wait_until_gone(child, 5)
    assert not is_alive(running.pid)


# Its environment --------------------------------------------------------------------------------


def test_both_halves_speak_the_same_protocol_and_are_one_version():
    from pvd_blender.version import VERSION

    assert pvd_engine.PROTOCOL_VERSION == environment.PROTOCOL_VERSION
    assert pvd_engine.__version__ == VERSION


def test_the_engine_imports_the_bundled_sources_and_nothing_from_where_it_runs(
    tmp_path, engine_python, monkeypatch
):
    (tmp_path / "json.py").write_text("raise SystemExit('imported from the working folder')")
    monkeypatch.setenv("PYTHONHOME", str(tmp_path))
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    variables = environment.engine_variables(environment.engine_sources())
    answer = subprocess.run(
        [engine_python, "-c", "import json, pvd_engine; print(pvd_engine.__file__)"],
        cwd=tmp_path, env=variables, capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert (
        Path(answer.stdout.strip()) == environment.engine_sources() / "pvd_engine" / "__init__.py"
    )


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (lambda folder: "", "not set"),
        (lambda folder: str(folder / "nowhere"), "does not exist"),
        (lambda folder: str(folder), "is a folder"),
    ],
)
def test_a_wrong_python_is_named_in_one_sentence(tmp_path, make, says):
    python = make(tmp_path)
    problem = environment.problem_with_python(python)
    assert says in problem and problem.count(".") - python.count(".") == 1
    folder = job_folder.next_folder(tmp_path / "work", "info")
    with pytest.raises(ConvertFieldError, match=says):
        Job(Request("info", {}), folder, EngineSettings(python, "cpu", tmp_path))


def test_a_python_without_the_engines_libraries_says_which_is_missing(tmp_path, monkeypatch):
    # An interpreter without site-packages has none of them, whatever this machine has.
    monkeypatch.setattr(
        jobs, "engine_command", lambda python, job: [python, "-S", "-m", "pvd_engine", "run", job]
    )
    folder = written(tmp_path, Request("info", {"path": str(tmp_path)}))
    job = Job(Request("info", {}), folder, EngineSettings(sys.executable, "cpu", tmp_path))
    with pytest.raises(ConvertFieldError, match=r"lacks a library|is missing") as failed:
        job.wait()
    assert failed.value.log == folder / "engine.log"


def test_check_reports_versions_or_what_is_missing(tmp_path, engine_python):
    from pvd_blender.jobs.check import EngineCheck

    report = EngineCheck(EngineSettings(engine_python, "cpu", tmp_path)).wait()
    assert pvd_engine.__version__ in report and "PyTorch" in report and "CPU" in report
    # A virtual environment without packages.
    bare = tmp_path / "bare"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", bare], check=True)
    python = bare / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
    with pytest.raises(ConvertFieldError, match="lacks torch"):
        EngineCheck(EngineSettings(str(python), "cpu", tmp_path)).wait()


@pytest.mark.skipif(os.name != "posix", reason="needs a program of the shell")
def test_check_says_which_kernel_is_compiled(tmp_path):
    from pvd_blender.jobs.check import EngineCheck

    python = tmp_path / "python"
    lines = (
        {"type": "progress", "number": 3, "count": 28},
        {"type": "progress", "number": "many"},
        {"type": "hello", "missing": ["torch"]},
    )
    said = "".join(f"echo '{json.dumps(line)}'\n" for line in lines)
    python.write_text(f"#!/bin/sh\n{said}")
    python.chmod(0o755)
    check = EngineCheck(EngineSettings(str(python), "cpu", tmp_path / "work"))
    assert check.text == "Starting the engine"
    with pytest.raises(ConvertFieldError, match="lacks torch"):
        check.wait()
    assert check.text == "Compiling kernel 3 of 28"


# The job folder ---------------------------------------------------------------------------------


def written(tmp_path, request):
    folder = job_folder.next_folder(tmp_path / "work", request.verb)
    job_folder.write_request(folder, request, "0.0.0")
    return folder


def test_job_folders_are_numbered_and_never_used_twice(tmp_path):
    names = [job_folder.next_folder(tmp_path, verb).name for verb in ("train", "train", "edit")]
    assert names == ["train-1", "train-2", "edit-1"]
    (tmp_path / "train-41").mkdir()
    (tmp_path / "train-x").mkdir()
    assert job_folder.next_folder(tmp_path, "train").name == "train-42"


@pytest.mark.parametrize("name", ["a/b", "..", "", "C:\\x", "naïve lego", "a\0b"])
def test_any_capture_name_becomes_one_folder_below_the_work_folder(tmp_path, name):
    folder = tmp_path / job_folder.safe_name(name)
    folder.mkdir()
    assert folder.resolve().parent == tmp_path.resolve()


def test_a_request_comes_back_as_it_was_written(tmp_path):
    request = Request("train", {"steps": 3, "capture": "/x y/ü"}, {"frame": "1", "label": "é"})
    folder = written(tmp_path, request)
    assert job_folder.read_request(folder) == request
    (folder / "request.json").write_text("{")
    with pytest.raises(ConvertFieldError, match="is not a job"):
        job_folder.read_request(folder)


def test_only_jobs_with_a_checkpoint_and_no_good_result_are_unfinished(tmp_path):
    request = Request("train", {})
    fresh, stopped, killed, done = (written(tmp_path, request) for _ in range(4))
    for folder in (stopped, killed, done):
        (folder / "checkpoints").mkdir()
        (folder / "checkpoints" / "latest.safetensors").write_bytes(b"x")
    (stopped / "result.json").write_text('{"status": "cancelled"}')
    (killed / "result.json").write_text('{"status": "do')
    (done / "result.json").write_text('{"status": "done"}')
    assert set(job_folder.unfinished_folders(fresh.parent)) == {stopped, killed}


# Jobs of the real engine ------------------------------------------------------------------------


def start(tmp_path, engine_python, verb, **arguments):
    request = Request(verb, arguments)
    folder = written(tmp_path, request)
    return Job(request, folder, EngineSettings(engine_python, "cpu", tmp_path))


def start_training(tmp_path, engine_python, capture, **arguments):
    limit = arguments or {"budget": f"{LONG:g}s"}
    out = str(tmp_path / "teacher.safetensors")
    job = start(
        tmp_path, engine_python, "train", capture=str(capture), out=out, device="cpu", **limit
    )
    end = time.monotonic() + 90
    while job.progress.step == 0 and not job.finished:
        assert time.monotonic() < end, "training does not begin"
        job.pump()
        time.sleep(0.02)
    return job


def resumed(job, engine_python, tmp_path):
    return Job(job.request, job.folder, EngineSettings(engine_python, "cpu", tmp_path))


def test_info_gives_the_capture_without_torch(tmp_path, engine_python, capture):
    job = start(tmp_path, engine_python, "info", path=str(capture))
    result = job.wait()
    assert job.state is State.DONE
    assert job.hello["protocol"] == pvd_engine.PROTOCOL_VERSION
    assert result["outputs"]["capture"]["counts"] == {"train": 8, "val": 1, "test": 1}


def test_a_wrong_folder_is_one_sentence_with_the_log(tmp_path, warm_python):
    job = start(tmp_path, warm_python, "info", path=str(tmp_path))
    with pytest.raises(ConvertFieldError) as failed:
        job.wait()
    assert job.state is State.FAILED
    assert str(tmp_path) in failed.value.sentence and "Traceback" not in str(failed.value)
    assert failed.value.log == job.folder / "engine.log" and failed.value.log.is_file()


def test_another_protocol_is_refused(tmp_path, warm_python, capture, monkeypatch):
    monkeypatch.setattr(jobs, "PROTOCOL_VERSION", 99)
    job = start(tmp_path, warm_python, "info", path=str(capture))
    with pytest.raises(ConvertFieldError, match="speaks protocol 1 and this add-on 99"):
        job.wait()


def test_cancel_leaves_a_checkpoint_and_resume_goes_on(tmp_path, engine_python, capture):
    job = start_training(tmp_path, engine_python, capture, steps=STEPS)
    job.cancel()
    assert job.state is State.CANCELLING
    with pytest.raises(JobCancelledError):
        job.wait()
    assert job.state is State.CANCELLED
    assert not is_alive(job.process.pid)
    assert job_folder.unfinished_folders(job.folder.parent) == [job.folder]
    assert not (tmp_path / "teacher.safetensors").exists(), "nothing half-written"
    steps = end_soon(job.folder, job.progress.step)
    again = resumed(job, engine_python, tmp_path)
    assert again.wait()["outputs"]["steps"] == steps
    assert (tmp_path / "teacher.safetensors").is_file()
    assert job_folder.unfinished_folders(job.folder.parent) == []


@posix_only
def test_a_killed_engine_is_one_sentence(tmp_path, engine_python, capture):
    job = start_training(tmp_path, engine_python, capture)
    os.kill(job.process.pid, signal.SIGKILL)
    with pytest.raises(ConvertFieldError, match="killed by signal 9") as failed:
        job.wait()
    assert failed.value.log is not None
    assert not (tmp_path / "teacher.safetensors").exists()


BLENDER = """
import sys, time
sys.path.insert(0, {root!r})
import bpy
bpy.ops.preferences.addon_enable(module="pvd_blender")
from pvd_blender import api
from pvd_blender.jobs import tasks
from pvd_blender.jobs.session import session
api.configure({python!r}, "cpu", {work!r})
frame = api.import_capture({capture!r})
session().start(tasks.training(frame, tasks.FieldSettings("hash", budget=600), {{"device": "cpu"}}))
while session().job.progress.step == 0:
    session().pump()
    time.sleep(0.02)
print("engine", session().job.process.pid, flush=True)
{then}
"""


def blender_with_a_job(tmp_path, engine_python, capture, then):
    """A Blender of its own in the middle of a training; its process and the engine's id."""
    script = tmp_path / "blender.py"
    values = {"python": engine_python, "work": str(tmp_path / "work"), "capture": str(capture)}
    script.write_text(BLENDER.format(root=str(ROOT), then=then, **values))
    blender = subprocess.Popen([sys.executable, script], stdout=subprocess.PIPE, text=True)
    for line in blender.stdout:
        if line.startswith("engine "):
            return blender, int(line.split()[1])
    raise AssertionError("Blender ended without a job")


@posix_only
@pytest.mark.parametrize(
    ("number", "python"), [(signal.SIGKILL, "engine_python"), (signal.SIGTERM, "warm_python")]
)
def test_no_engine_outlives_a_killed_blender(tmp_path, capture, number, python, request):
    python = request.getfixturevalue(python)
    blender, engine = blender_with_a_job(tmp_path, python, capture, "time.sleep(600)")
    assert is_alive(engine)
    blender.send_signal(number)
    blender.wait()
    assert wait_until_gone(engine, 5)


@posix_only
def test_no_engine_outlives_a_blender_that_quits(tmp_path, engine_python, capture):
    blender, engine = blender_with_a_job(tmp_path, engine_python, capture, "")
    blender.wait(timeout=30)
    assert not is_alive(engine)
    folder = next((tmp_path / "work").glob("ball/train-1"))
    assert json.loads((folder / "result.json").read_text())["status"] == "cancelled"
