"""A verb in a process of its own, so that its memory can be measured apart."""

import contextlib
import json
import os
import re
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..errors import Cancelled, UserError
from ..jobs.cancel import EXIT_CANCELLED
from ..jobs.folder import Request, finished_result, start_or_resume
from ..jobs.job import LOG, Job
from ..verbs.table import VERBS


@dataclass(frozen=True)
class ChildRun:
    """The result of a process, and the time and memory that it took.

    Attributes
    ----------
    outputs : dict
        Results that its verb returned.
    seconds : float
        Time from its start to its end; of a resumed job, since it was resumed.
    peak_memory : int or None
        Most memory that was resident at once, in bytes; None where the system does not report it
        (all but Linux). Memory of a GPU does not count.
    """

    outputs: dict[str, Any]
    seconds: float
    peak_memory: int | None


def run_child(verb: str, arguments: Any, folder: Path, job: Job) -> ChildRun:
    """Run a verb as a process of this engine's own interpreter, or resume it.

    Parameters
    ----------
    verb : str
    arguments : dataclass of the verb
        With absolute paths.
    folder : Path
        The process's job folder; made when missing.
    job : Job
        Shows the process's progress; when it is cancelled, so is the process, which leaves a
        checkpoint.

    Raises
    ------
    Cancelled
        The process was cancelled.
    UserError
        It failed; the message has its reason.
    """
    folder.mkdir(parents=True, exist_ok=True)
    start_or_resume(folder, Request(VERBS[verb], arguments), restart=False)
    command = [sys.executable, "-m", "pvd_engine", "run", str(folder)]
    pipe = subprocess.PIPE
    start, peak, cancelled, message = time.monotonic(), 0, False, None
    # An exception here closes the pipes, upon which the process stops at a checkpoint.
    with (
        (folder / LOG).open("ab") as log,
        subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=log) as process,
    ):
        assert process.stdin is not None and process.stdout is not None
        for line in process.stdout:
            # Measured with every event, because after its last one the process may be gone.
            peak = max(peak, peak_memory(process.pid) or 0)
            event = json.loads(line)
            if event["type"] == "progress":
                known = {k: v for k, v in event["payload"].items() if v is not None}
                job.progress(**known)
            elif event["type"] == "end":
                message = event["payload"]["message"]
            if job.cancelled and not cancelled:
                cancelled = True
                with contextlib.suppress(OSError):  # it may just have ended
                    os.write(process.stdin.fileno(), b"cancel\n")
    result = finished_result(folder)
    if result is not None:
        return ChildRun(result["outputs"], time.monotonic() - start, peak or None)
    if process.returncode == EXIT_CANCELLED:
        raise Cancelled
    reason = message or f"exit code {process.returncode}; '{folder / LOG}' has the details."
    raise UserError(f"{folder.stem} failed: {reason}")


def peak_memory(pid: int) -> int | None:
    """Return the most bytes that a running process has had resident; None when unknown.

    This is Linux's ``VmHWM``. The maximum of ``wait4`` is not usable: it begins at the memory of
    the parent at the process's start.
    """
    try:
        status = Path(f"/proc/{pid}/status").read_text(encoding="utf-8")
    except OSError:
        return None
    found = re.search(r"^VmHWM:\s+(\d+) kB", status, re.MULTILINE)
    return None if found is None else int(found[1]) * 1024
