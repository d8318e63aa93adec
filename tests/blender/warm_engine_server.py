"""Serves warm engines: imports the engine once, then forks it for every program that asks.

    PYTHONPATH=<the engine's sources> python warm_engine_server.py SOCKET

It runs in the engine's environment. A program sends one line of JSON (``words``, ``folder``,
``environment``) with its standard input, output and error, and is answered with the process id of
its fork and, later, with the fork's exit code. The server ends with everything that it has forked
once its own standard input ends.
"""

import array
import atexit
import contextlib
import gc
import importlib
import json
import os
import pkgutil
import runpy
import selectors
import signal
import socket
import sys
import threading
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum, auto
from pathlib import Path
from types import ModuleType
from typing import NoReturn

sys.path.insert(0, str(Path(__file__).parent))
from warm_engine_program import REFUSED

del sys.path[0]

PACKAGE = "pvd_engine"


@dataclass(frozen=True)
class Request:
    """What a program is to be.

    Attributes
    ----------
    words : list of str
        What follows an interpreter's name: ``-m MODULE ...`` or ``-c CODE ...``.
    folder : str
    environment : dict of str to str
    pipes : list of int
        Descriptors of its standard input, output and error.
    """

    words: list[str]
    folder: str
    environment: dict[str, str]
    pipes: list[int]

    def can_be_forked(self) -> bool:
        """Return whether a fork of this process does what a fresh interpreter would."""
        sources = self.environment.get("PYTHONPATH")
        return self.words[:1] in (["-m"], ["-c"]) and sources == os.environ["PYTHONPATH"]

    def close_pipes(self) -> None:
        """Close this process's copies."""
        for pipe in self.pipes:
            os.close(pipe)

    def run(self) -> None:
        """Take the program's place and do what an interpreter does with its words."""
        os.setsid()
        for target, pipe in enumerate(self.pipes):
            os.dup2(pipe, target)
        self.close_pipes()
        os.chdir(self.folder)
        os.environ.clear()
        os.environ.update(self.environment)
        kind, what, *words = self.words
        sys.argv[:] = [kind, *words]
        if kind == "-m":
            runpy.run_module(what, run_name="__main__", alter_sys=True)
        else:
            main = sys.modules["__main__"] = ModuleType("__main__")
            exec(compile(what, "<string>", "exec"), vars(main))


class Ready(Enum):
    """What can be ready while the server waits."""

    INPUT_ENDED = auto()
    NEW_PROGRAM = auto()
    PROGRAM_GONE = auto()
    FORK_ENDED = auto()


class Server:
    """Forks for every program that connects to a socket.

    Parameters
    ----------
    socket_path : str
    """

    def __init__(self, socket_path: str) -> None:
        self._programs: dict[int, socket.socket] = {}
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(socket_path)
        self._listener.listen()
        self._selector = selectors.DefaultSelector()
        self._wait_for(sys.stdin, Ready.INPUT_ENDED)
        self._wait_for(self._listener, Ready.NEW_PROGRAM)

    def serve(self) -> Request | None:
        """Serve until standard input ends; return None then, and in a fork its request."""
        while True:
            for key, _ in self._selector.select():
                what, process = key.data
                if what is Ready.NEW_PROGRAM:
                    request = self._fork_for_next()
                    if request is not None:
                        return request
                elif what is Ready.FORK_ENDED:
                    self._tell_end(process, key.fd)
                elif what is Ready.PROGRAM_GONE and process in self._programs:
                    self._selector.unregister(key.fileobj)
                    os.kill(process, signal.SIGKILL)
                elif what is Ready.INPUT_ENDED:
                    for process in self._programs:
                        os.kill(process, signal.SIGKILL)
                    return None

    def _wait_for(self, file: object, what: Ready, process: int = 0) -> None:
        self._selector.register(file, selectors.EVENT_READ, (what, process))

    def _fork_for_next(self) -> Request | None:
        """Fork for the program that has connected; return its request in the fork."""
        program, _ = self._listener.accept()
        request = _receive(program)
        if not request.can_be_forked():
            request.close_pipes()
            with program:
                program.sendall(f"{REFUSED}\n".encode())
            return None
        process = os.fork()
        if process == 0:
            self._close_in_fork(program)
            return request
        request.close_pipes()
        self._programs[process] = program
        program.sendall(f"{process}\n".encode())
        # It sends nothing more, so its socket is ready once it has gone.
        self._wait_for(program, Ready.PROGRAM_GONE, process)
        self._wait_for(os.pidfd_open(process), Ready.FORK_ENDED, process)
        return None

    def _close_in_fork(self, program: socket.socket) -> None:
        self._selector.close()
        for file in (self._listener, program, *self._programs.values()):
            file.close()

    def _tell_end(self, process: int, end: int) -> None:
        exit_code = os.waitstatus_to_exitcode(os.waitpid(process, 0)[1])
        self._selector.unregister(end)
        os.close(end)
        with self._programs.pop(process) as program:
            with contextlib.suppress(KeyError):  # taken out when it had gone
                self._selector.unregister(program)
            with contextlib.suppress(OSError):
                program.sendall(f"{exit_code}\n".encode())


def _receive(program: socket.socket) -> Request:
    room = socket.CMSG_LEN(3 * array.array("i").itemsize)
    line, messages, _, _ = program.recvmsg(1 << 16, room)
    pipes = array.array("i")
    for _, _, content in messages:
        pipes.frombytes(content)
    while not line.endswith(b"\n"):
        line += program.recv(1 << 16)
    return Request(**json.loads(line), pipes=pipes.tolist())


def preload() -> None:
    """Import what the engine may import later; runs nothing that could start a thread."""
    package = importlib.import_module(PACKAGE)
    for module in pkgutil.walk_packages(package.__path__, f"{PACKAGE}."):
        if module.name.split(".")[1] not in ("__main__", "bench"):
            importlib.import_module(module.name)
    if "torch" in sys.modules:
        importlib.import_module("torch._dynamo")  # which the first optimiser imports
    with contextlib.suppress(SystemExit):
        sys.modules[f"{PACKAGE}.cli"].main(["run", "--help"])  # the parser imports as it parses
    # What never changes is left out of collections, which would copy its pages in every fork.
    gc.collect()
    gc.freeze()


def end_as_an_interpreter(run: Callable[[], None]) -> NoReturn:
    """Run something and end the process, without taking apart what was preloaded."""
    exit_code = 0
    try:
        run()
    except SystemExit as end:
        exit_code = end.code or 0
        if not isinstance(exit_code, int):
            print(exit_code, file=sys.stderr)
            exit_code = 1
    except BaseException:
        traceback.print_exc()
        exit_code = 1
    threading._shutdown()
    atexit._run_exitfuncs()
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(OSError, ValueError):
            stream.flush()
    os._exit(exit_code & 0xFF)


if __name__ == "__main__":
    server = Server(sys.argv[1])
    preload()
    request = server.serve()
    if request is not None:
        end_as_an_interpreter(request.run)
