"""A job driven by a parent: events on standard output, cancelling on standard input."""

import contextlib
from pathlib import Path

from ..errors import UserError
from ..files.atomic import json_text
from ..files.lock import hold_lock
from .cancel import (
    SECONDS_AFTER_PARENT_DIED,
    Cancellation,
    interrupts_cancel,
    listen_to_parent,
    parent_pipe,
)
from .events import Event, Listener
from .folder import finished_result, read_request
from .job import LOCK, LOG, REQUEST
from .runner import (
    Outcome,
    log_to_file,
    repeat_result,
    report_failure,
    run_request,
    write_cancelled,
)
from .streams import prints_to_log
from .verb import Verbs


def run_driven(folder: Path, verbs: Verbs, as_json: bool) -> int:
    """Run the request of a job folder, or resume it.

    A job that is done does not run again; its result is reported again.

    Parameters
    ----------
    folder : Path
        The job folder, with a ``request.json``.
    verbs : Verbs
        The verbs that a request may name.
    as_json : bool
        Print the verb's result as the last line, after the events.

    Returns
    -------
    int
        The process's exit code.

    Raises
    ------
    UserError
        The folder holds no request, or another engine works on it.
    """
    folder = folder.expanduser().absolute()
    if not (folder / REQUEST).is_file():
        raise UserError(f"'{folder}' is not a job folder: it has no {REQUEST}.")
    with contextlib.ExitStack() as stack:
        try:
            stack.enter_context(hold_lock(folder / LOCK))
            terminal = stack.enter_context(prints_to_log(folder / LOG))
            stack.enter_context(log_to_file(folder / LOG))
        except OSError as error:
            reason = error.strerror or error
            raise UserError(f"The job folder '{folder}' cannot be used: {reason}.") from error
        cancellation = Cancellation(lambda: write_cancelled(folder))

        def send(event: Event) -> None:
            if not terminal.print(json_text(event)):
                cancellation.request(SECONDS_AFTER_PARENT_DIED)

        listeners: list[Listener] = [send]
        if not terminal.err_is_log:
            from .progress_bar import ProgressBar

            bar = stack.enter_context(contextlib.closing(ProgressBar("run", terminal.err)))
            listeners.append(bar)
        pipe = parent_pipe()
        if pipe is not None:
            listen_to_parent(cancellation, pipe)
        with interrupts_cancel(cancellation, terminal.say):
            outcome = _run(folder, verbs, listeners, cancellation)
        if outcome.message is not None and not terminal.err_is_log:
            terminal.say(outcome.message)
        if as_json:
            done = outcome.status == "done"
            terminal.print(json_text(outcome.outputs if done else outcome.to_json()))
        return outcome.exit_code


def _run(
    folder: Path, verbs: Verbs, listeners: list[Listener], cancellation: Cancellation
) -> Outcome:
    finished = finished_result(folder)
    if finished is not None:
        return repeat_result(folder, finished, listeners)
    try:
        request = read_request(folder, verbs)
    except UserError as error:
        return report_failure(folder, error, listeners)
    return run_request(folder, request, listeners, cancellation)
