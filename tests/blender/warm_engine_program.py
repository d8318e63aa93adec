"""Stands in for the engine's Python: has a server fork it warm, and ends as the fork ends.

    python warm_engine_program.py SOCKET PYTHON WORDS...

``SOCKET`` is the server's, ``PYTHON`` the real interpreter, which takes over what the server
refuses. It is started for every job, so it imports nothing that takes long, such as `pathlib`.
"""

import array
import contextlib
import json
import os
import signal
import socket
import sys
import time
from collections.abc import Iterable

PASSED_ON = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGUSR1, signal.SIGUSR2)
REFUSED = "refused"
"""The server's answer instead of a process id."""

SECONDS_TO_LISTEN = 20.0
"""For a server that has just been started."""


def main(socket_path: str, python: str, words: list[str]) -> None:
    connection = connected(socket_path)
    # A signal that comes before there is someone to pass it on to waits.
    signal.pthread_sigmask(signal.SIG_BLOCK, PASSED_ON)
    request = {"words": words, "folder": os.getcwd(), "environment": dict(os.environ)}  # noqa: PTH109
    pipes = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", [0, 1, 2]))]
    line = json.dumps(request).encode() + b"\n"
    sent = connection.sendmsg([line], pipes)
    while sent < len(line):
        sent += connection.send(line[sent:])
    answers = connection.makefile("r")
    answer = next_answer(answers)
    if answer == REFUSED:
        signal.pthread_sigmask(signal.SIG_UNBLOCK, PASSED_ON)
        os.execv(python, [python, *words])
    pass_signals_to(int(answer))
    signal.pthread_sigmask(signal.SIG_UNBLOCK, PASSED_ON)
    end_with(int(next_answer(answers)))


def connected(socket_path: str) -> socket.socket:
    connection = socket.socket(socket.AF_UNIX)
    deadline = time.monotonic() + SECONDS_TO_LISTEN
    while True:
        try:
            connection.connect(socket_path)
            return connection
        except OSError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.02)


def next_answer(answers: Iterable[str]) -> str:
    for line in answers:
        return line.strip()
    sys.exit("The server of the warm engine has ended.")


def pass_signals_to(process: int) -> None:
    def handle(number: int, _frame: object) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.kill(process, number)

    for number in PASSED_ON:
        signal.signal(number, handle)


def end_with(exit_code: int) -> None:
    """End as a process did whose exit code is that of `subprocess`: negative for a signal."""
    if exit_code < 0:
        if -exit_code not in (signal.SIGKILL, signal.SIGSTOP):
            signal.signal(-exit_code, signal.SIG_DFL)
        os.kill(os.getpid(), -exit_code)
    os._exit(exit_code)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], sys.argv[3:])
