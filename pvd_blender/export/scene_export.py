"""A scene as a dataset: its cameras through the engine, its pictures by Blender.

The engine writes the files, so that each format has one writer, into a hidden folder beside the one
that is asked for, and refuses at once what the format cannot say. Then Blender renders the pictures
to where those files say; when the last is there, the folder gets its name.
"""

import shutil
import time
from collections.abc import Generator, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import bpy
from bpy.types import Object, Scene

from ..engine.job import Job
from ..errors import ConvertFieldError, JobCancelledError, SceneError
from ..jobs.tasks import Task
from ..preferences import engine_settings
from ..scene.frame import file_frame
from ..state.properties import rendered_frame
from .export_views import (
    SceneView,
    common_frame,
    describe_view,
    kept_scene,
    renders_fields,
    scene_views,
    set_up_picture,
    set_up_pictures,
    set_up_view,
    without_distortion,
)

FORMATS = ("nerfstudio", "nerf-synthetic", "colmap")
"""As the engine names them."""

UNDISTORTED = "{} cameras were written without the lens distortion that Blender does not render"
PART = "picture.png"
SECONDS_A_STEP = 0.05
"""For which an export holds a window up, beside rendering."""


@dataclass(frozen=True)
class SceneExport:
    """What is exported.

    Attributes
    ----------
    folder : Path
        The dataset's; it does not exist yet, or is empty.
    format : str
        One of `FORMATS`.
    cameras : str or dict of str to sequence of Object
        As `scene_views` takes them.
    pictures : bool
        Render each view; else the cameras alone are written.
    test_every : int
        Every how manieth view is for testing; 0 for none.
    """

    folder: Path
    format: str = FORMATS[0]
    cameras: str | Mapping[str, Sequence[Object]] = "ALL"
    pictures: bool = True
    test_every: int = 8


@dataclass(frozen=True)
class ExportStep:
    """How far an export is.

    Attributes
    ----------
    text : str
        What is done now.
    fraction : float
        Share that is done, 0 to 1.
    render : bool
        Whether the scene is set up for a picture: whoever runs the export renders it, with
        ``write_still``, before the next step.
    """

    text: str
    fraction: float = 0.0
    render: bool = False


Steps = Generator[ExportStep, None, str]


def export_steps(scene: Scene, export: SceneExport) -> Steps:
    """Export a scene, step by step; closing the generator leaves nothing, and the scene as it was.

    Parameters
    ----------
    scene : Scene
        The active one.
    export : SceneExport

    Yields
    ------
    ExportStep

    Returns
    -------
    str
        What was done, for the user.

    Raises
    ------
    SceneError
        There are no cameras, one is not perspective or sheared, or the folder is taken.
    ConvertFieldError
        The engine refuses, or something cannot be written.
    JobCancelledError
        There is no picture after a render: it was stopped.
    """
    if export.format not in FORMATS:
        raise ConvertFieldError(f"There is no format '{export.format}'; use {', '.join(FORMATS)}.")
    _require_new(export.folder)
    views = scene_views(scene, export.cameras, export.test_every)
    entries, notes = yield from _described(scene, views, export.pictures)
    hidden = export.folder.with_name(f".{export.folder.name}.part")
    try:
        shutil.rmtree(hidden, ignore_errors=True)  # what an export left that was killed
        answer = yield from _written(export, entries, common_frame(views), hidden)
        if export.pictures:
            yield from _rendered(scene, views, answer["pictures"], hidden)
        _finish(hidden, export.folder)
    finally:
        shutil.rmtree(hidden, ignore_errors=True)
    return _summary(export, len(views), [*notes, *answer["notes"]])


def run_export(scene: Scene, export: SceneExport) -> str:
    """Export a scene, block until it is done, and return what was done."""
    steps = export_steps(scene, export)
    try:
        while True:
            step = next(steps)
            if step.render:
                print(f"{step.text} ({step.fraction:.0%})", flush=True)
                render_now(scene)
    except StopIteration as end:
        return end.value
    finally:
        steps.close()


def render_now(scene: Scene) -> None:
    """Render the picture that an export has set the scene up for."""
    try:
        bpy.ops.render.render(write_still=True, scene=scene.name)
    except RuntimeError as error:
        raise ConvertFieldError(str(error).removeprefix("Error: ").strip()) from error


def _described(
    scene: Scene, views: Sequence[SceneView], pictures: bool
) -> Generator[ExportStep, None, tuple[list[dict], list[str]]]:
    """The views as entries of ``cameras.json``, and sentences about what is not as it was."""
    reference = common_frame(views)
    entries = []
    with kept_scene(scene):
        fields = rendered_frame(scene) if pictures and renders_fields(scene) else None
        told = time.monotonic()
        for number, view in enumerate(views):
            if time.monotonic() - told > SECONDS_A_STEP:
                yield ExportStep("Following the cameras", number / len(views))
                told = time.monotonic()
            set_up_view(scene, view)
            entries.append(describe_view(scene, view, reference, fields))
    if not pictures or fields is not None:
        return entries, []
    plain = [without_distortion(entry) for entry in entries]
    changed = sum(one != other for one, other in zip(plain, entries, strict=True))
    return plain, [UNDISTORTED.format(changed)] if changed else []


def _written(
    export: SceneExport, entries: list[dict], reference: Object | None, hidden: Path
) -> Generator[ExportStep, None, dict]:
    """Have the engine write all but the pictures; returns its answer."""
    content: dict = {"cameras": entries}
    if reference is not None:
        content["frame"] = file_frame(reference)
    task = Task(
        "Export scene",
        export.folder.name,
        "rewrite",
        {"to": export.format, "out": str(hidden)},
        inputs={"cameras": content},
    )
    settings = engine_settings()
    folder, request = task.prepare(settings.work_folder)
    job = Job(request, folder, settings)
    try:
        while not job.pump():
            yield ExportStep("Writing the cameras")
    finally:
        job.close()
    if job.error is not None:
        raise job.error
    assert job.result is not None
    return job.result["outputs"]


def _rendered(
    scene: Scene, views: Sequence[SceneView], paths: Sequence[str], folder: Path
) -> Generator[ExportStep, None, None]:
    # Under a plain name first: Blender would read frame numbers into a # of the path.
    part = folder / PART
    with kept_scene(scene):
        set_up_pictures(scene)
        for number, (view, path) in enumerate(zip(views, paths, strict=True)):
            set_up_view(scene, view)
            set_up_picture(scene, part, number)
            yield ExportStep(f"Rendering {view.name}", number / len(views), render=True)
            if not part.is_file():
                raise JobCancelledError(
                    f"Rendering {view.name} was stopped, so nothing was exported."
                )
            with _told(folder):
                (folder / path).parent.mkdir(parents=True, exist_ok=True)
                part.replace(folder / path)


def _require_new(folder: Path) -> None:
    with _told(folder):
        if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
            raise SceneError(f"{folder} exists already and is not an empty folder; give a new one.")


def _finish(hidden: Path, folder: Path) -> None:
    """Give the whole folder its name."""
    with _told(folder):
        if folder.exists():
            folder.rmdir()  # Windows renames onto no folder, not even an empty one
        hidden.rename(folder)


@contextmanager
def _told(folder: Path) -> Iterator[None]:
    """Turn a failure of the file system into a sentence."""
    try:
        yield
    except OSError as error:
        raise ConvertFieldError(
            f"{folder} cannot be written ({error.strerror or error}); choose another."
        ) from error


def _summary(export: SceneExport, count: int, notes: Sequence[str]) -> str:
    what = f"Exported {count} {'views' if export.pictures else 'cameras'} to {export.folder}"
    if not export.pictures:
        what += "; put their pictures where its files say"
    return ". ".join([what, *(note.rstrip(".") for note in notes)])
