"""What lives only while Blender runs: the running job and what the panels say about jobs.

Exactly one session exists while the add-on is registered. Jobs run one at a time, because each
uses the whole machine; what is started meanwhile waits for its turn. In the interface a persistent
timer takes in what the engine says (a timer that is not persistent dies when another file is
opened); in background mode, where timers never fire, the same job is waited for.
"""

import atexit
import contextlib
import sys
import time
import traceback
from pathlib import Path

import bpy

from ..engine.job import Job, State, describe_progress, describe_seconds
from ..engine.job_folder import unfinished_folders
from ..engine.picture_server import PictureServer
from ..errors import ConvertFieldError, JobCancelledError
from ..export.scene_export import ExportStep
from ..preferences import engine_settings, preferences
from ..scene.errors import SceneError
from ..ui.curve_picture import SIDE, curve_pixels
from .check import EngineCheck
from .results import Outcome, finish, follow_up
from .set_up import EngineSetUp
from .tasks import Task, capture_folder
from .unfinished import Unfinished, unfinished_here

TICK_SECONDS = 0.2
PRINT_SECONDS = 2.0
LEAST_POINTS = 3
"""Of a curve that is drawn."""

MOST_PICTURES = 16
"""Kept as icons at a time."""


class Session:
    """The running job, its last outcome, and what else the panels show.

    Attributes
    ----------
    job : Job or None
        The job that runs now.
    task : Task or None
        What it is for.
    queue : list of Task
        What is done after it, in this order.
    message : str
        One sentence about the last job that ended well.
    error : ConvertFieldError or None
        The last failure, until it is dismissed.
    unfinished : list of Unfinished
        Jobs of the active capture that can be resumed.
    engine_report : str
        What Check Engine found.
    engine_error : ConvertFieldError or None
        Why the engine that was checked cannot be used.
    check : EngineCheck or None
        The check that runs now.
    set_up : EngineSetUp or None
        The engine's environment, while it is being made.
    export : ExportStep or None
        How far the export of the scene is, while it is exported.
    pictures : PictureServer
        The engine that renders for the render engine *PVD Field*.
    """

    def __init__(self) -> None:
        self.job: Job | None = None
        self.task: Task | None = None
        self.queue: list[Task] = []
        self.message = ""
        self._asked_message = ""
        self.error: ConvertFieldError | None = None
        self.unfinished: list[Unfinished] = []
        self.engine_report = ""
        self.engine_error: ConvertFieldError | None = None
        self.check: EngineCheck | None = None
        self.set_up: EngineSetUp | None = None
        self.export: ExportStep | None = None
        self.pictures = PictureServer()
        self._previews: bpy.utils.previews.ImagePreviewCollection | None = None

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
        print(f"{task.label}: {outcome.message} ({describe_seconds(job.seconds)})", flush=True)
        if outcome.next_task is not None:
            self.run(outcome.next_task)
        self.message = outcome.message
        return outcome.value

    def start(self, task: Task) -> None:
        """Start a task, or have it wait for its turn; its end is taken in by the timer.

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

    def check_engine(self, wait: bool) -> str | None:
        """Check the engine; unless waited for, `engine_report` or `engine_error` is set later."""
        self.engine_report, self.engine_error = "", None
        check = EngineCheck(engine_settings())
        if wait:
            self.engine_report = check.wait()
            return self.engine_report
        self.check = check
        _start_timer()
        return None

    def set_up_engine(self, set_up: EngineSetUp, wait: bool) -> str | None:
        """Take the engine's environment into use once it is made, and check the engine.

        Returns
        -------
        str or None
            What was found, when waited for.

        Raises
        ------
        ConvertFieldError
            When waited for and it failed.
        """
        if not wait:
            self.message, self.error, self.set_up = "", None, set_up
            _start_timer()
            return None
        preferences().engine_python = str(set_up.wait())
        return self.check_engine(wait=True)

    def _take_set_up(self, set_up: EngineSetUp) -> None:
        if isinstance(set_up.error, JobCancelledError):
            self.message = str(set_up.error)
        elif set_up.error is not None:
            self.error = set_up.error
        else:
            preferences().engine_python = str(set_up.python)
            self.message = "The engine is set up"
            with contextlib.suppress(ConvertFieldError):
                self.check_engine(wait=False)

    def pump(self) -> bool:
        """Take in what the engine said; on its end, put the result into the scene.

        Returns
        -------
        bool
            True while something runs.
        """
        if self.set_up is not None and self.set_up.pump():
            set_up, self.set_up = self.set_up, None
            self._take_set_up(set_up)
        if self.check is not None and self.check.pump():
            self.engine_report, self.engine_error = self.check.report, self.check.error
            self.check = None
        if self.job is not None and self.job.pump():
            job, task = self.job, self.task
            self._end_job()
            self._take_result(job, task)
            self._start_next()
        redraw_panels()
        return self.busy or self.check is not None or self.set_up is not None

    def look_for_unfinished(self, capture_name: str | None) -> None:
        """Look on disk for jobs of a capture that can be resumed."""
        self.unfinished = []
        if capture_name:
            with contextlib.suppress(ConvertFieldError, OSError):
                work = engine_settings().work_folder
                found = unfinished_folders(capture_folder(work, capture_name))
                self.unfinished = [job for folder in found if (job := unfinished_here(folder))]

    def preview_icon(self) -> int:
        """Return the icon of the newest picture of the running job, or 0."""
        return self.picture_icon(self.job.preview if self.job else None)

    def curve_icon(self) -> int:
        """Return the icon of the running job's quality over time, or 0."""
        points = self.job.curve if self.job else []
        if len(points) < LEAST_POINTS or self._previews is None:
            return 0
        key = f"curve {len(points)}"
        if key not in self._previews:
            for old in [name for name in self._previews if name.startswith("curve ")]:
                del self._previews[old]
            icon = self._previews.new(key)
            icon.icon_size = icon.image_size = (SIDE, SIDE)
            icon.image_pixels_float = curve_pixels(points).ravel().tolist()
        return self._previews[key].icon_id

    def picture_icon(self, path: Path | str | None) -> int:
        """Return the icon of a picture file, or 0 when there is none."""
        path = Path(path) if path else None
        if path is None or self._previews is None or not path.is_file():
            return 0
        key = f"{path}:{path.stat().st_mtime_ns}"
        if key not in self._previews:
            if len(self._previews) >= MOST_PICTURES:
                self._previews.clear()
            self._previews.load(key, str(path), "IMAGE")
        return self._previews[key].icon_id

    def open(self) -> None:
        """Begin the session."""
        import bpy.utils.previews

        self._previews = bpy.utils.previews.new()
        atexit.register(self.close_engines)

    def close(self) -> None:
        """End the session: the running job is stopped at a checkpoint."""
        atexit.unregister(self.close_engines)
        self.close_engines()
        if bpy.app.timers.is_registered(_tick):
            bpy.app.timers.unregister(_tick)
        if self._previews is not None:
            bpy.utils.previews.remove(self._previews)
            self._previews = None

    def close_engines(self) -> None:
        """End every process."""
        self.close_job()
        if self.set_up is not None:
            self.set_up.cancel()
            self.set_up = None
        self.pictures.close()

    def close_job(self) -> None:
        """Stop what runs now; a job leaves a checkpoint and no process. What waits is dropped."""
        self.queue.clear()
        if self.check is not None:
            self.check.close()
            self.check = None
        if self.job is not None:
            self.job.close()
            self._end_job()

    def _begin(self, task: Task) -> Job:
        if self.job is not None:
            raise ConvertFieldError("A job is running; wait for its end or cancel it first.")
        settings = engine_settings()
        self._asked_message = ""
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
        if isinstance(job.error, JobCancelledError):
            self.message = f"{task.label} was cancelled"
            return
        if job.error is not None:
            self.error = job.error
            return
        try:
            outcome = finish(job.request, job.folder, job.result or {})
            self._show(task, outcome)
        except (ConvertFieldError, SceneError) as error:
            self.error = ConvertFieldError(str(error), job.log)
        except Exception as error:
            # A timer has no caller: without this the failure would only be on a terminal.
            traceback.print_exc()
            self.error = ConvertFieldError(f"{task.label} ended, but: {error}.", job.log)

    def _show(self, task: Task, outcome: Outcome) -> None:
        # What was asked for is worth more to the user than what followed from it.
        self.message, self._asked_message = self._asked_message or outcome.message, ""
        bpy.ops.ed.undo_push(message=task.label)
        if outcome.next_task is not None:
            asked, self.message = self.message, ""
            self._begin(outcome.next_task)
            self._asked_message = asked


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
            print(f"{self._label}: {text}", file=sys.stdout, flush=True)


_sessions: list[Session] = []


def session() -> Session:
    """Return the session; exists while the add-on is registered."""
    return _sessions[0]


def redraw_panels() -> None:
    """Have every window draw its 3D views' panels and its preferences anew."""
    for window in bpy.context.window_manager.windows:
        for area in window.screen.areas:
            if area.type in ("VIEW_3D", "PREFERENCES"):
                area.tag_redraw()


def _start_timer() -> None:
    if not bpy.app.timers.is_registered(_tick):
        bpy.app.timers.register(_tick, first_interval=TICK_SECONDS, persistent=True)


def _tick() -> float | None:
    return TICK_SECONDS if _sessions and session().pump() else None


def register() -> None:
    """Begin the session."""
    _sessions.append(Session())
    session().open()


def unregister() -> None:
    """End it."""
    session().close()
    _sessions.clear()
