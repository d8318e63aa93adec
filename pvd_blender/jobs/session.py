"""The session: one job of the engine at a time, and a queue of those that wait.

Exactly one session exists while the add-on is registered. Jobs run one at a time because each uses
the whole machine. In the interface a persistent timer takes in what the engine says (a timer that
is not persistent ends when another file is opened); in background mode, where timers never fire,
the same job is waited for.
"""

import atexit
import contextlib
import time
import traceback

import bpy
from bpy.types import Object

from ..engine.job import Job, State, describe_progress, describe_seconds
from ..engine.job_folder import unfinished_folders
from ..engine.picture_server import PictureServer
from ..engine.temporary import remove_left_folders
from ..errors import ConvertFieldError, JobCancelledError
from ..preferences import engine_settings
from ..texts import say
from .engine_status import EngineStatus
from .outcome import Outcome
from .results import finish, follow_up
from .tasks import Task, capture_folder
from .undistorting import Undistorting
from .unfinished import Unfinished, unfinished_here
from .windows import redraw_panels

TICK_SECONDS = 0.2
"""Seconds between two calls of the timer."""

PRINT_SECONDS = 2.0
"""Seconds between two lines of progress on a terminal, at least."""


class Session:
    """The running job, those that wait, and the outcome of the last one.

    Attributes
    ----------
    job : Job or None
        The job that runs now.
    task : Task or None
        The task of that job.
    queue : list of Task
        Tasks that follow, in this order.
    message : str
        One sentence about the last job that ended well.
    made : object
        The value of the last task that was done: an Object, an Image or a Path.
    error : ConvertFieldError or None
        The last failure, until it is dismissed.
    unfinished : list of Unfinished
        Jobs of the active capture that can be resumed.
    engine : EngineStatus
        The set-up and the check of the engine.
    pictures : PictureServer
        The engine process that renders for the render engine *PVD Field*.
    undistorting : Undistorting
        The undistorted image that is made for the camera that the user looks through.
    """

    def __init__(self) -> None:
        self.job: Job | None = None
        self.task: Task | None = None
        self.queue: list[Task] = []
        self.message = ""
        self.made: object = None
        self._first_message = ""
        self.error: ConvertFieldError | None = None
        self.unfinished: list[Unfinished] = []
        self.engine = EngineStatus(_start_timer)
        self.pictures = PictureServer()
        self.undistorting = Undistorting(_start_timer)

    @property
    def busy(self) -> bool:
        """True while a job runs."""
        return self.job is not None

    def run(self, task: Task) -> object:
        """Do a task, block until it is done, print its progress, and return its value.

        Raises
        ------
        ConvertFieldError
            When it fails, is cancelled, or another job runs.
        """
        self.message, self.error = "", None
        job = self._begin(task)
        try:
            result = job.wait(_Printer(task.label))
        finally:
            self._end_job()
        outcome = finish(job.request, job.folder, result)
        self.made = outcome.value
        say(f"{task.label}: {outcome.message} ({describe_seconds(job.seconds)})")
        if outcome.next_task is not None:
            self.run(outcome.next_task)
        self.message = outcome.message
        return outcome.value

    def start(self, task: Task) -> None:
        """Start a task, or let it wait for its turn; the timer takes in its end.

        Raises
        ------
        ConvertFieldError
            When it cannot be started.
        """
        if self.busy:
            self.queue.append(task)
            return
        self.message, self.error = "", None
        self._begin(task)
        _start_timer()

    def start_undistorting(self, camera: Object) -> None:
        """Start to undistort a camera's image if need be; a failure shows in the panels."""
        try:
            self.undistorting.start(camera)
        except ConvertFieldError as error:
            self.error = error

    def pump(self) -> bool:
        """Take in what the engine said; when the job has ended, put its result into the scene.

        Returns
        -------
        bool
            True while something runs.
        """
        set_up = self.engine.pump()
        if set_up is not None:
            if set_up.error is None:
                self.message = "The engine is set up"
            else:
                self._show_failure(set_up.error, str(set_up.error))
        if self.job is not None and self.job.pump():
            job, task = self.job, self.task
            self._end_job()
            self._take_result(job, task)
            self._start_next()
        try:
            self.undistorting.pump()
        except ConvertFieldError as error:
            self.error = error
        redraw_panels()
        return self.busy or self.engine.busy or self.undistorting.busy

    def look_for_unfinished(self, capture_name: str | None) -> None:
        """Look on disk for jobs of a capture that can be resumed."""
        self.unfinished = []
        if capture_name:
            with contextlib.suppress(ConvertFieldError, OSError):
                work = engine_settings().work_folder
                found = unfinished_folders(capture_folder(work, capture_name))
                self.unfinished = [job for folder in found if (job := unfinished_here(folder))]

    def open(self) -> None:
        """Begin the session; what a killed one left in the temporary folder goes."""
        remove_left_folders()
        atexit.register(self.close_engines)

    def close(self) -> None:
        """End the session: the running job is stopped at a checkpoint."""
        atexit.unregister(self.close_engines)
        self.close_engines()
        if bpy.app.timers.is_registered(_tick):
            bpy.app.timers.unregister(_tick)

    def close_engines(self) -> None:
        """End every process."""
        self.close_job()
        self.undistorting.close()
        self.engine.close()
        self.pictures.close()

    def close_job(self) -> None:
        """End the running job, which leaves a checkpoint, and empty the queue."""
        self.queue.clear()
        if self.job is not None:
            self.job.close()
            self._end_job()

    def _begin(self, task: Task) -> Job:
        if self.job is not None:
            raise ConvertFieldError("A job is running; wait for its end or cancel it first.")
        settings = engine_settings()
        self._first_message = ""
        folder, request = task.prepare(settings.work_folder)
        job = Job(request, folder, settings, follow_up(request))
        self.job, self.task = job, task
        return job

    def _start_next(self) -> None:
        """Start what waits, unless something follows from what has ended; failures are kept."""
        while self.queue and not self.busy:
            try:
                self._begin(self.queue.pop(0))
            except ConvertFieldError as error:
                self.error = error

    def _end_job(self) -> None:
        task, self.job, self.task = self.task, None, None
        self.look_for_unfinished(task.capture_name if task else None)

    def _take_result(self, job: Job, task: Task) -> None:
        if job.error is not None:
            self._show_failure(job.error, f"{task.label} was cancelled")
            return
        try:
            outcome = finish(job.request, job.folder, job.result or {})
            self._show(task, outcome)
        except ConvertFieldError as error:
            self.error = ConvertFieldError(str(error), job.log)
        except Exception as error:
            # A timer has no caller: without this the failure would only be on a terminal.
            say(traceback.format_exc(), as_error=True)
            self.error = ConvertFieldError(f"{task.label} ended, but: {error}.", job.log)

    def _show_failure(self, error: ConvertFieldError, cancelled: str) -> None:
        """Keep a failure for the panels; a cancellation is a message and no failure."""
        if isinstance(error, JobCancelledError):
            self.message = cancelled
        else:
            self.error = error

    def _show(self, task: Task, outcome: Outcome) -> None:
        self.made = outcome.value
        # The message of what was asked for stays; that of what followed from it matters less.
        self.message, self._first_message = self._first_message or outcome.message, ""
        bpy.ops.ed.undo_push(message=task.label)
        if outcome.next_task is not None:
            first, self.message = self.message, ""
            self._begin(outcome.next_task)
            self._first_message = first


class _Printer:
    """Prints a job's progress, seldom enough for a terminal or a log."""

    def __init__(self, label: str) -> None:
        self._label = label
        self._last_time = time.monotonic()
        self._last_text = ""

    def __call__(self, job: Job) -> None:
        now = time.monotonic()
        if now - self._last_time < PRINT_SECONDS or job.state is State.STARTING:
            return
        self._last_time = now
        text = describe_progress(job)
        if text != self._last_text:
            self._last_text = text
            say(f"{self._label}: {text}")


_sessions: list[Session] = []


def session() -> Session:
    """Return the session; exists while the add-on is registered."""
    return _sessions[0]


def _start_timer() -> None:
    if not bpy.app.timers.is_registered(_tick):
        bpy.app.timers.register(_tick, first_interval=TICK_SECONDS, persistent=True)


def _tick() -> float | None:
    try:
        return TICK_SECONDS if _sessions and session().pump() else None
    except Exception as error:
        # Blender would drop the timer, and the panels would show a running job for ever.
        say(traceback.format_exc(), as_error=True)
        session().close_engines()
        session().error = ConvertFieldError(f"The job was ended, because of a fault: {error}.")
        return None


def register() -> None:
    """Begin the session."""
    _sessions.append(Session())
    session().open()


def unregister() -> None:
    """End it."""
    session().close()
    _sessions.clear()
