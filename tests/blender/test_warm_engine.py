"""The engine that other tests start warm is to them what the engine's Python is."""

import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pytest
import warm_engine
from test_engine_driver import is_alive, wait_until_gone

pytestmark = pytest.mark.skipif(not warm_engine.can_be_warm(), reason="no warm engine here")

ENGINE = """
import json, os, sys
told = [sys.argv[1:], os.getcwd(), os.environ["COLOR"], sys.stdin.read()]
print(json.dumps(told), flush=True)
sys.exit("ended badly")
"""
SLEEP = "import os, time; print(os.getpid(), flush=True); time.sleep(600)"


@pytest.fixture(scope="module")
def sources(tmp_path_factory):
    """An engine without libraries, which tells what it was started with."""
    folder = tmp_path_factory.mktemp("sources")
    (folder / "pvd_engine").mkdir()
    for name, text in (("__init__", ""), ("cli", "main = sys.exit"), ("__main__", ENGINE)):
        (folder / "pvd_engine" / f"{name}.py").write_text(f"import sys\n{text}")
    return folder


@pytest.fixture
def engine(sources):
    with tempfile.TemporaryDirectory(prefix="warm-") as folder:
        engine = warm_engine.WarmEngine(sys.executable, sources, Path(folder))
        yield engine
        engine.close()


def start(engine, sources, *words, **options):
    variables = os.environ | {"PYTHONPATH": str(sources), "COLOR": "blue"}
    pipes = dict.fromkeys(("stdin", "stdout", "stderr"), subprocess.PIPE)
    command = [engine.program, *words]
    return subprocess.Popen(command, env=variables, text=True, **pipes, **options)


def sleeping(engine, sources):
    """A program that sleeps, and the process id of its fork."""
    program = start(engine, sources, "-c", SLEEP)
    fork = int(program.stdout.readline())
    assert fork != program.pid and is_alive(fork)
    return program, fork


def test_words_folder_environment_pipes_and_exit_code_are_the_programs(engine, sources, tmp_path):
    program = start(engine, sources, "-m", "pvd_engine", "run", "a b", cwd=tmp_path)
    told, complaint = program.communicate("cancel\n")
    assert json.loads(told) == [["run", "a b"], str(tmp_path), "blue", "cancel\n"]
    assert complaint == "ended badly\n" and program.returncode == 1


def test_a_fork_imports_nothing_that_was_imported_before(engine, sources):
    code = "import sys; print('pvd_engine.cli' in sys.modules, __name__, sys.argv)"
    told, _ = start(engine, sources, "-c", code, "x").communicate()
    assert told == "True __main__ ['-c', 'x']\n"


@pytest.mark.parametrize(
    ("code", "ends"),
    [
        ("import sys; sys.exit(7)", 7),
        ("import os; os.kill(os.getpid(), 9)", -signal.SIGKILL),
        ("1 / 0", 1),
    ],
)
def test_the_program_ends_as_its_fork_does(engine, sources, code, ends):
    program = start(engine, sources, "-c", code)
    _, complaint = program.communicate()
    assert program.returncode == ends
    assert ("ZeroDivisionError" in complaint) == (code == "1 / 0")


def test_a_signal_reaches_the_fork(engine, sources):
    code = "import signal, sys, time\n"
    code += "signal.signal(signal.SIGTERM, lambda *_: sys.exit(print('heard')))\n"
    code += "print('ready', flush=True)\ntime.sleep(600)"
    program = start(engine, sources, "-c", code)
    assert program.stdout.readline() == "ready\n"
    program.terminate()
    assert program.communicate()[0] == "heard\n" and program.returncode == 0


def test_a_fork_goes_with_its_program(engine, sources):
    program, fork = sleeping(engine, sources)
    program.kill()
    assert wait_until_gone(fork, 20)
    program.communicate()


def test_forks_and_server_go_with_who_started_the_server(sources, tmp_path):
    starts = f"import sys; sys.path.insert(0, {str(Path(warm_engine.__file__).parent)!r})\n"
    starts += "import pathlib, time, warm_engine\n"
    starts += "warm_engine.WarmEngine(sys.executable, *map(pathlib.Path, sys.argv[1:]))\n"
    starts += "time.sleep(600)"
    with tempfile.TemporaryDirectory(prefix="warm-") as folder:
        owner = subprocess.Popen([sys.executable, "-c", starts, sources, folder])
        program_path, deadline = Path(folder) / "python", time.monotonic() + 60
        while not os.access(program_path, os.X_OK):
            assert time.monotonic() < deadline, "no program was made"
            time.sleep(0.02)
        program, fork = sleeping(Made(program_path), sources)
        owner.kill()
        owner.wait()
        assert wait_until_gone(fork, 20)
        assert "has ended" in program.communicate()[1] and program.returncode == 1


class Made:
    """A warm engine that another process has made."""

    def __init__(self, program):
        self.program = program


def test_the_real_interpreter_does_what_a_fork_could_not(engine, sources, tmp_path):
    code = "import sys; print('pvd_engine.cli' in sys.modules)"
    for where, words in ((tmp_path, ("-c", code)), (sources, ("-S", "-c", code))):
        told, _ = start(engine, where, *words).communicate()
        assert told == "False\n"
