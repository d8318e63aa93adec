"""Run one verb in a job folder, from hello to the result."""

import contextlib
import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ..errors import Cancelled, UserError
from ..files.atomic import is_disk_full, require_writable, write_json
from ..kernels.out_of_memory import OUT_OF_MEMORY, is_out_of_memory
from .cancel import EXIT_CANCELLED, Cancellation
from .device import choose_device
from .events import Listener
from .folder import Request, begin, drop_checkpoints
from .hello import hello
from .job import LOG, RESULT, Job
from .streams import printable

log = logging.getLogger(__name__)

_EXIT_CODES = {"done": 0, "failed": 1, "cancelled": EXIT_CANCELLED}


@dataclass(frozen=True)
class Outcome:
    """The outcome of a job.

    Attributes
    ----------
    status : str
        ``"done"``, ``"failed"`` or ``"cancelled"``.
    outputs : dict
        Result of the verb.
    metrics : dict of str to float
        Last reported value of each number.
    message : str or None
        One sentence: why the job failed.
    cause : str or None
        The error behind the failure, for a bug report.
    unexpected : bool
        The failure is a fault of the engine; the log has the details.
    """

    status: str
    outputs: dict[str, Any] = field(default_factory=dict)
    metrics: dict[str, float] = field(default_factory=dict)
    message: str | None = None
    cause: str | None = None
    unexpected: bool = False

    @property
    def exit_code(self) -> int:
        """Exit code of the process."""
        return _EXIT_CODES[self.status]

    def to_json(self) -> dict[str, Any]:
        """Return the content of ``result.json``."""
        failed = self.status == "failed"
        return {
            "status": self.status,
            "outputs": self.outputs,
            "metrics": self.metrics,
            "error": {"message": self.message, "cause": self.cause} if failed else None,
        }


def run_request(
    folder: Path,
    request: Request,
    listeners: Sequence[Listener],
    cancellation: Cancellation,
    temporary: bool = False,
) -> Outcome:
    """Run a request, from hello to ``result.json``, and return its outcome; never raise.

    Parameters
    ----------
    folder : Path
        The job folder, locked by the caller.
    request : Request
    listeners : sequence of callable
        Functions called with every event.
    cancellation : Cancellation
    temporary : bool
        The folder is removed when the job has ended.
    """
    try:
        begin(folder, request)
        job = Job(folder, listeners, cancellation, temporary)
    except (OSError, UserError) as error:
        return _failure(error, folder)
    with contextlib.closing(job):
        try:
            job.emit("hello", **hello(getattr(request.arguments, "device", None)))
            _check_output(request)
            with _bounded(request):
                outputs = request.verb.run(request.arguments, job)
            outcome = Outcome("done", outputs, job.metrics)
        except (Cancelled, KeyboardInterrupt):
            outcome = Outcome("cancelled", metrics=job.metrics)
        except Exception as error:
            outcome = _failure(error, folder)
        cancellation.disarm()
        _finish(job, outcome)
    return outcome


def report_failure(folder: Path, error: UserError, listeners: Sequence[Listener]) -> Outcome:
    """End a job that cannot start, such as one with an invalid request."""
    outcome = _failure(error, folder)
    with contextlib.closing(Job(folder, listeners)) as job:
        job.emit("hello", **hello(None))
        _finish(job, outcome)
    return outcome


def repeat_result(folder: Path, result: dict[str, Any], listeners: Sequence[Listener]) -> Outcome:
    """Report again the result of a job that is done."""
    with contextlib.closing(Job(folder, listeners)) as job:
        job.emit("hello", **hello(None))
        job.emit("end", status="done", message=None)
    return Outcome("done", result.get("outputs") or {}, result.get("metrics") or {})


def write_cancelled(folder: Path) -> None:
    """Write the result of a job whose process is about to be ended."""
    with contextlib.suppress(OSError, UserError):
        write_json(folder / RESULT, Outcome("cancelled").to_json())


class _LogFormatter(logging.Formatter):
    """Lines that a terminal can show, whatever names of files are in them."""

    def format(self, record: logging.LogRecord) -> str:
        """Return a record's lines."""
        return printable(super().format(record))


@contextlib.contextmanager
def log_to_file(path: Path) -> Iterator[None]:
    """Append log records and warnings to a file, with time and level."""
    handler = logging.FileHandler(path, encoding="utf-8")
    handler.setFormatter(_LogFormatter("%(asctime)s %(levelname)s %(name)s: %(message)s"))
    root = logging.getLogger()
    level = root.level
    root.addHandler(handler)
    root.setLevel(logging.INFO)
    logging.captureWarnings(True)
    try:
        yield
    finally:
        logging.captureWarnings(False)
        root.setLevel(level)
        root.removeHandler(handler)
        # A full disk shows at the last flush; the job has reported it already.
        with contextlib.suppress(OSError):
            handler.close()


def _finish(job: Job, outcome: Outcome) -> None:
    """Report how the job ended, then write ``result.json``."""
    # On a full disk neither may be possible; the message still reaches the terminal, and the
    # parent through standard output.
    with contextlib.suppress(OSError):
        job.emit("end", status=outcome.status, message=outcome.message)
    if outcome.status == "done":
        drop_checkpoints(job.folder)
    with contextlib.suppress(UserError):
        write_json(job.folder / RESULT, outcome.to_json())


def _bounded(request: Request) -> contextlib.AbstractContextManager[object]:
    """Return a context in which a verb's portions fit the memory of the device that it names."""
    name = getattr(request.arguments, "device", None)
    if name is None:
        return contextlib.nullcontext()
    from ..kernels.workload import bounded

    return bounded(choose_device(name), getattr(request.arguments, "memory", None))


def _check_output(request: Request) -> None:
    """Raise UserError before the work when its output cannot be written."""
    out = getattr(request.arguments, "out", None)
    if out is None:
        return
    require_writable(out)
    makes_file = out.suffix.lower() in request.verb.file_suffixes
    if request.verb.makes_folder and not makes_file:
        if out.exists() and not out.is_dir():
            raise UserError(f"'{out}' is a file; --out must name a folder.")
    elif out.is_dir():
        raise UserError(f"'{out}' is a folder; --out must name a file.")


def _failure(error: Exception, folder: Path) -> Outcome:
    """Return the outcome for an error, and log the details."""
    cause = error.__cause__ if isinstance(error, UserError) else error
    named = None if cause is None else f"{type(cause).__name__}: {cause}"
    message = _sentence(error)
    if message is not None:
        log.error("%s", message)
        if cause is not None:
            log.info("caused by", exc_info=cause)
        return Outcome("failed", message=message, cause=named)
    log.error("unexpected failure", exc_info=error)
    first = named.splitlines()[0].rstrip(".") if named else type(error).__name__
    message = f"The engine failed unexpectedly ({first}); '{folder / LOG}' has the details."
    return Outcome("failed", message=message, cause=named, unexpected=True)


def _sentence(error: Exception) -> str | None:
    """Return the message for an error that the user can correct; None for any other."""
    if isinstance(error, UserError):
        return str(error)
    if is_disk_full(error):
        return "The disk is full; free some space and run the same command again."
    if is_out_of_memory(error):
        return OUT_OF_MEMORY
    if isinstance(error, ModuleNotFoundError) and not (error.name or "").startswith("pvd_engine"):
        return f"The library '{error.name}' is missing; install the engine's environment again."
    if isinstance(error, OSError) and error.filename is not None:
        return f"'{error.filename}' cannot be used: {error.strerror}."
    return None
