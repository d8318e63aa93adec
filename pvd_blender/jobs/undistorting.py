"""The undistorted images behind cameras, which the engine makes when they are looked through."""

import shutil
from collections.abc import Callable
from pathlib import Path

import bpy
from bpy.types import Object

from ..engine.environment import problem_with_python
from ..engine.job import Job
from ..errors import ConvertFieldError
from ..preferences import engine_settings
from ..scene.cameras import attach_copy, copy_to_make
from ..scene.frame import is_frame
from .tasks import capture_work_folder, undistorting


class Undistorting:
    """Makes undistorted copies of images, one at a time, in parallel with the session's job.

    A copy takes about a second. If the user looks through several cameras meanwhile, only the last
    one waits for its turn.

    Parameters
    ----------
    watch : callable
        Has `pump` called repeatedly from now on, until nothing runs.

    Attributes
    ----------
    camera_name : str
        The camera whose image is being undistorted; empty when there is none.
    """

    def __init__(self, watch: Callable[[], None]) -> None:
        self.camera_name = ""
        self._watch = watch
        self._job: Job | None = None
        self._waiting = ""

    @property
    def busy(self) -> bool:
        """True while a copy is made."""
        return self._job is not None

    def run(self, camera: Object) -> None:
        """Block until a camera has its undistorted image behind it, if it lacks one.

        Raises
        ------
        ConvertFieldError
            The copy cannot be made.
        """
        job = _started(camera)
        if job is not None:
            job.wait()
            _take(job, camera)

    def start(self, camera: Object) -> None:
        """Start to make the copy that a camera lacks, if any; `pump` puts it behind the camera.

        Raises
        ------
        ConvertFieldError
            The engine cannot be started.
        """
        if self.busy:
            self._waiting = camera.name
            return
        self._job = _started(camera)
        if self.busy:
            self.camera_name = camera.name
            self._watch()

    def pump(self) -> None:
        """Take in what the engine said, and show the copy once it is made.

        Raises
        ------
        ConvertFieldError
            A copy could not be made; the next call goes on.
        """
        if self._job is None or not self._job.pump():
            return
        job, camera = self._job, bpy.data.objects.get(self.camera_name)
        waiting = bpy.data.objects.get(self._waiting)
        self._job, self.camera_name, self._waiting = None, "", ""
        if job.error is None:
            _take(job, camera)
            # Without this, undoing the user's next step would remove the picture, too.
            bpy.ops.ed.undo_push(message="Undistort Image")
        if waiting is not None:
            self.start(waiting)
        if job.error is not None:
            raise job.error

    def close(self) -> None:
        """End the engine now."""
        if self._job is not None:
            self._job.close()
            shutil.rmtree(self._job.folder, ignore_errors=True)
            self._job, self.camera_name, self._waiting = None, "", ""


def _started(camera: Object) -> Job | None:
    """Start the job that makes the copy that a camera lacks; None where it lacks none."""
    if not is_frame(camera.parent):
        return None
    copy = copy_to_make(camera, capture_work_folder(camera.parent))
    if copy is None:
        return None
    settings = engine_settings()
    problem = problem_with_python(settings.python)
    if problem is not None:
        why = f"{problem[0].lower()}{problem[1:]}"
        raise ConvertFieldError(f"The image behind '{camera.name}' cannot be undistorted: {why}")
    folder, request = undistorting(camera, copy).prepare(settings.work_folder)
    return Job(request, folder, settings)


def _take(job: Job, camera: Object | None) -> None:
    """Show a copy that is made behind its camera, unless the user has removed that."""
    shutil.rmtree(job.folder, ignore_errors=True)
    if camera is not None:
        attach_copy(camera, Path(job.request.arguments["out"]))
