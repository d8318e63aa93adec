"""A job on the command line: the same folder and code as for Blender, with a progress bar."""

import contextlib
import shutil
from dataclasses import dataclass
from pathlib import Path

from ..errors import UserError
from ..files.atomic import json_text, require_writable
from ..files.lock import hold_lock
from ..files.temporary import remove_left_folders, temporary_folder
from .cancel import Cancellation, interrupts_cancel
from .folder import Request, has_checkpoints, start_or_resume
from .job import LOCK, LOG
from .runner import Outcome, log_to_file, run_request, write_cancelled
from .streams import Terminal, prints_to_log
from .summary import summary


@dataclass(frozen=True, kw_only=True)
class Options:
    """Options of every command: its job folder and its output."""

    job: Path | None = None
    """The job folder, with progress, checkpoints and log. By default train and convert use
    OUT.job, and the others a temporary folder. The same command resumes a job that stopped."""

    restart: bool = False
    """Start again, whatever the job folder holds."""

    json: bool = False
    """Print one JSON object as the last thing on standard output."""


def run_in_foreground(request: Request, options: Options) -> int:
    """Run a request on the command line, and print its result.

    Parameters
    ----------
    request : Request
    options : Options

    Returns
    -------
    int
        The process's exit code.

    Raises
    ------
    UserError
        The job cannot start: its folder cannot be used, is in use, or holds another job.
    """
    wanted = options.job.expanduser().absolute() if options.job else _default_folder(request)
    if wanted is not None:
        require_writable(wanted)
    existed = wanted is not None and wanted.exists()
    remove_left_folders()
    with contextlib.ExitStack() as stack:
        folder = _make_folder(wanted, stack)
        keep = existed
        try:
            outcome = _run_locked(folder, request, options, temporary=wanted is None)
            keep = outcome.unexpected or (
                wanted is not None
                and (existed or outcome.status == "done" or has_checkpoints(folder))
            )
        finally:
            if not keep:
                shutil.rmtree(folder, ignore_errors=True)
    return outcome.exit_code


def _default_folder(request: Request) -> Path | None:
    if not request.verb.resumable:
        return None
    out: Path = request.arguments.out
    return out.with_name(f"{out.name}.job")


def _make_folder(wanted: Path | None, stack: contextlib.ExitStack) -> Path:
    """Make the job folder, or a temporary one, which is removed when the job has ended."""
    try:
        if wanted is None:
            return stack.enter_context(temporary_folder())
        wanted.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        reason = error.strerror or error
        raise UserError(f"The job folder '{wanted}' cannot be made: {reason}.") from error
    return wanted


def _run_locked(folder: Path, request: Request, options: Options, temporary: bool) -> Outcome:
    with contextlib.ExitStack() as stack:
        try:
            stack.enter_context(hold_lock(folder / LOCK))
            resumed = start_or_resume(folder, request, options.restart)
            terminal = stack.enter_context(prints_to_log(folder / LOG))
            stack.enter_context(log_to_file(folder / LOG))
        except OSError as error:
            reason = error.strerror or error
            raise UserError(f"The job folder '{folder}' cannot be used: {reason}.") from error
        if resumed:
            terminal.say(f"Resuming the job in '{folder}'.")

        def last_words() -> None:
            write_cancelled(folder)
            terminal.say("Stopped at once.")

        from .progress_bar import ProgressBar

        cancellation = Cancellation(last_words)
        with (
            interrupts_cancel(cancellation, terminal.say),
            contextlib.closing(ProgressBar(request.verb.name, terminal.err)) as bar,
        ):
            outcome = run_request(folder, request, [bar], cancellation, temporary)
        _report(terminal, outcome, options.json)
        if outcome.status == "cancelled":
            resumable = has_checkpoints(folder)
            terminal.say(
                f"Stopped at a checkpoint in '{folder}'; the same command resumes the job."
                if resumable
                else "Stopped; nothing was written."
            )
        return outcome


def _report(terminal: Terminal, outcome: Outcome, as_json: bool) -> None:
    """Print the result, or the error in place of it."""
    if outcome.message is not None:
        terminal.say(outcome.message)
    if as_json:
        done = outcome.status == "done"
        terminal.print(json_text(outcome.outputs if done else outcome.to_json()))
    elif outcome.status == "done":
        terminal.print(summary(outcome.outputs))
