"""The engine without the seconds that it takes to start, for tests of the add-on.

A server imports the engine with all its libraries once. A program that stands in for the engine's
Python hands its words, folder, environment and pipes to the server, which forks a child that goes
on with them as a fresh interpreter would. The program passes signals on and ends as the child
ends; once the program is killed, so is the child. What the server cannot do, the real interpreter
does.
"""

import os
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
SERVER, PROGRAM = HERE / "warm_engine_server.py", HERE / "warm_engine_program.py"


class WarmEngine:
    """A server, and the program that stands in for the engine's Python.

    The server ends once its standard input ends, so also when the process that made it is killed.

    Parameters
    ----------
    python : str
        The engine's real interpreter.
    sources : Path
        The import path that the engine is preloaded from.
    folder : Path
        For the program, the server's socket and its log; a socket's path may have no more than
        about 100 characters.

    Attributes
    ----------
    program : Path
        To be named as the engine's Python.
    """

    def __init__(self, python: str, sources: Path, folder: Path) -> None:
        self.program = folder / "python"
        socket_path = folder / "socket"
        # A process that has threads cannot be forked.
        variables = os.environ | {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
        with (folder / "server.log").open("wb") as log:
            self._server = subprocess.Popen(
                [python, "-P", "-u", "-X", "utf8", SERVER, socket_path],
                stdin=subprocess.PIPE,
                stdout=log,
                stderr=log,
                env=variables | {"PYTHONPATH": str(sources)},
                start_new_session=True,
            )
        # The shell's exec keeps the process's id, which is the one that the add-on signals.
        self.program.write_text(
            f'#!/bin/sh\nexec "{python}" -E -S -P "{PROGRAM}" "{socket_path}" "{python}" "$@"\n'
        )
        self.program.chmod(0o755)

    def close(self) -> None:
        """End the server, and with it what it still runs."""
        self._server.stdin.close()
        self._server.wait()


def can_be_warm() -> bool:
    """Return whether this system has what the server needs."""
    return sys.platform == "linux"
