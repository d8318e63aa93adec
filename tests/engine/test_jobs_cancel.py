"""Work that does not look whether it should stop must end all the same."""

import signal
import subprocess
import sys
import time

import pytest
from engine_process import environment

BUSY = """
import sys
from pvd_engine.jobs.cancel import Cancellation, interrupts_cancel, listen_to_parent, parent_pipe
cancellation = Cancellation(lambda: print("last words", flush=True))
pipe = parent_pipe()
if pipe is not None:
    listen_to_parent(cancellation, pipe)
with interrupts_cancel(cancellation, lambda text: print(text, flush=True)):
    print("working", pipe is not None, flush=True)
    {work}
"""
posix = pytest.mark.skipif(sys.platform == "win32", reason="signals of POSIX")

FOR_EVER = "while True: pass"
# Python's own lock is held all through this: no other thread of Python runs.
DEAF = "sum(range(10**15))"
UNTIL_ASKED = """
    import time
    while not cancellation.requested: time.sleep(0.01)
    cancellation.disarm()
    print("stopped", flush=True)
    time.sleep(float(sys.argv[1]))
"""


def busy(work, *words, stdin=subprocess.PIPE):
    process = subprocess.Popen(
        [sys.executable, "-c", BUSY.format(work=work), *words],
        stdin=stdin,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        env=environment(),
    )
    return process, process.stdout.readline().strip()


def test_nothing_is_left_five_seconds_after_the_parent_died():
    process, said = busy(FOR_EVER)
    assert said == "working True"
    start = time.monotonic()
    process.stdin.close()
    process.wait(timeout=5)
    assert time.monotonic() - start > 1, "there was no time for a checkpoint"
    assert process.stdout.read().strip() == "last words"


def test_work_that_lets_no_other_thread_run_ends_too():
    """The deadline of last resort does not need Python's lock once it is set."""
    script = "from pvd_engine.jobs.cancel import Cancellation\nimport time\n"
    script += "c = Cancellation()\nc.request(1.0)\nprint('x', flush=True)\n" + DEAF
    start = time.monotonic()
    result = subprocess.run(
        [sys.executable, "-c", script], env=environment(), timeout=20, capture_output=True
    )
    assert result.returncode != 0
    assert time.monotonic() - start < 10


def test_a_line_cancels():
    process, _ = busy(UNTIL_ASKED, "0")
    process.stdin.write("something else\n")
    process.stdin.flush()
    time.sleep(0.3)
    assert process.poll() is None
    process.stdin.write("cancel\n")
    process.stdin.flush()
    assert process.wait(timeout=10) == 0
    assert process.stdout.read().strip() == "stopped"


def test_work_that_has_ended_is_not_ended_hard():
    process, _ = busy(UNTIL_ASKED, "6")
    process.stdin.close()
    assert process.wait(timeout=20) == 0


@pytest.mark.parametrize("closed", [True, False], ids=["closed", "null device"])
def test_no_parent_no_cancel(closed):
    if closed and sys.platform == "win32":
        pytest.skip("Windows starts no process with standard input closed")
    command = [sys.executable, "-c", BUSY.format(work="import time; time.sleep(1)")]
    if closed:
        command = ["sh", "-c", 'exec "$@" <&-', "sh", *command]
    result = subprocess.run(
        command,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        env=environment(),
        timeout=30,
    )
    assert result.returncode == 0, result.stderr
    assert result.stdout.strip() == "working False"


@posix
@pytest.mark.parametrize("name", ["SIGTERM", "SIGHUP"])
def test_termination_and_a_closed_terminal_cancel(name):
    process, _ = busy(UNTIL_ASKED, "0", stdin=subprocess.DEVNULL)
    process.send_signal(signal.Signals[name])
    assert process.wait(timeout=10) == 0
    assert process.stdout.read() == "stopped\n"


@posix
def test_a_closed_terminal_does_not_cancel_what_was_started_to_outlive_it():
    command = [sys.executable, "-c", BUSY.format(work=UNTIL_ASKED), "0"]
    process = subprocess.Popen(
        ["nohup", *command],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        env=environment(),
    )
    assert process.stdout.readline() == "working False\n"
    process.send_signal(signal.SIGHUP)
    with pytest.raises(subprocess.TimeoutExpired):
        process.wait(timeout=1)
    process.terminate()
    assert process.wait(timeout=10) == 0


@posix
def test_an_interrupt_asks_and_a_second_one_ends():
    process, _ = busy(UNTIL_ASKED, "0", stdin=subprocess.DEVNULL)
    process.send_signal(signal.SIGINT)
    assert process.wait(timeout=10) == 0
    assert "stopped" in process.stdout.read()
    process, _ = busy(FOR_EVER, stdin=subprocess.DEVNULL)
    process.send_signal(signal.SIGINT)
    assert "Ctrl-C again" in process.stdout.readline()
    process.send_signal(signal.SIGINT)
    assert process.wait(timeout=3) == 130
