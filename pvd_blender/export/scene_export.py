"""A scene as a dataset: the engine writes its cameras, Blender renders its pictures.

The engine writes the files into a hidden folder next to the new one, so that each format has one
writer, and refuses at once what the format cannot store. Then Blender renders the pictures to the
paths in those files; after the last one the folder gets its name.
"""

import shutil
import time
from collections.abc import Generator, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import bpy
from bpy.types import Object, Scene

from ..engine.checked import Checked, is_inside
from ..engine.job import Job
from ..errors import ConvertFieldError, JobCancelledError, SceneError
from ..jobs.tasks import Task
from ..preferences import engine_settings
from ..scene.frame import file_frame
from ..scene.view_transform import change_of_colors
from ..state.properties import rendered_frame
from ..texts import printable, say
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
"""The engine's names of the formats that it writes."""

UNDISTORTED = "{} cameras were written without lens distortion, which Blender does not render"
STANDARD = "The pictures were written without the scene's {}, which Blender lays over fields again"
WITH_TRANSFORM = "The pictures hold the scene's {}, so show fields of them by Standard"
PART = "picture.png"
"""Name under which a picture is rendered."""

MOST_NOTES = 1000

SECONDS_A_STEP = 0.05
"""Seconds for which a step of an export blocks a window, apart from rendering."""


@dataclass(frozen=True)
class SceneExport:
    """The settings of an export.

    Attributes
    ----------
    folder : Path
        Folder of the dataset; it does not exist yet, or is empty.
    format : str
        One of `FORMATS`.
    cameras : str or dict of str to sequence of Object
        The cameras, in the form that `scene_views` takes.
    pictures : bool
        Render each view; otherwise only the cameras are written.
    test_every : int
        Hold out every Nth view for testing; 0 holds out none.
    view_transform : bool
        Lay the scene's view transform over the pictures; otherwise they are sRGB, by *Standard*.
    """

    folder: Path
    format: str = FORMATS[0]
    cameras: str | Mapping[str, Sequence[Object]] = "ALL"
    pictures: bool = True
    test_every: int = 8
    view_transform: bool = False


@dataclass(frozen=True)
class ExportStep:
    """The progress of an export.

    Attributes
    ----------
    text : str
        The current work, for people.
    fraction : float
        Fraction of the work that is done, 0 to 1.
    render : bool
        True if the scene is set up for a picture: the caller renders it, with ``write_still``,
        before the next step.
    """

    text: str
    fraction: float = 0.0
    render: bool = False


Steps = Generator[ExportStep, None, str]


def export_steps(scene: Scene, export: SceneExport) -> Steps:
    """Export a scene step by step; closing the generator leaves no files, and the scene unchanged.

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
        One sentence for the user.

    Raises
    ------
    SceneError
        When there are no cameras, one is not perspective or is sheared, or the folder is not empty.
    ConvertFieldError
        When the format cannot store the cameras, or something cannot be written.
    JobCancelledError
        When there is no picture after a render, which was therefore stopped.
    """
    if export.format not in FORMATS:
        raise ConvertFieldError(f"There is no format '{export.format}'; use {', '.join(FORMATS)}.")
    _require_new(export.folder)
    views = scene_views(scene, export.cameras, export.test_every)
    entries, notes = yield from _described(scene, views, export.pictures)
    hidden = export.folder.with_name(f".{export.folder.name}.part")
    try:
        shutil.rmtree(hidden, ignore_errors=True)  # left by an export that was killed
        outputs = yield from _written(export, entries, common_frame(views), hidden)
        if export.pictures:
            paths = _picture_paths(outputs, len(views), hidden)
            changed = change_of_colors(scene)
            if changed is not None:
                note = WITH_TRANSFORM if export.view_transform else STANDARD
                notes.append(note.format(changed))
            yield from _rendered(scene, views, paths, hidden, export.view_transform)
        _finish(hidden, export.folder)
    finally:
        shutil.rmtree(hidden, ignore_errors=True)
    return _summary(export, len(views), [*notes, *outputs.texts("notes", MOST_NOTES)])


def run_export(scene: Scene, export: SceneExport) -> str:
    """Export a scene, block until it is done, and return one sentence for the user."""
    steps = export_steps(scene, export)
    try:
        while True:
            step = next(steps)
            if step.render:
                say(f"{step.text} ({step.fraction:.0%})")
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
    """Return the views as entries of ``cameras.json``, and sentences about changed values."""
    reference = common_frame(views)
    entries = []
    with kept_scene(scene):
        fields = rendered_frame(scene) if pictures and renders_fields(scene) else None
        last_step = time.monotonic()
        for number, view in enumerate(views):
            if time.monotonic() - last_step > SECONDS_A_STEP:
                yield ExportStep("Following the cameras", number / len(views))
                last_step = time.monotonic()
            set_up_view(scene, view)
            entries.append(describe_view(scene, view, reference, fields))
    if not pictures or fields is not None:
        return entries, []
    plain = [without_distortion(entry) for entry in entries]
    changed = sum(one != other for one, other in zip(plain, entries, strict=True))
    return plain, [UNDISTORTED.format(changed)] if changed else []


def _written(
    export: SceneExport, entries: list[dict], reference: Object | None, hidden: Path
) -> Generator[ExportStep, None, Checked]:
    """Let the engine write everything but the pictures; return its outputs."""
    content: dict = {"cameras": entries}
    if reference is not None:
        content["frame"] = file_frame(reference)
    task = Task(
        "Export Scene",
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
    return Checked(job.result).part("outputs")


def _picture_paths(outputs: Checked, count: int, hidden: Path) -> list[str]:
    """Return where the pictures of the views belong, relative to the dataset's folder."""
    paths = outputs.texts("pictures", count)
    if len(paths) != count or not all(is_inside(hidden, path) for path in paths):
        raise outputs.wrong("pictures", "must be a path in the new folder for each view")
    return paths


def _rendered(
    scene: Scene,
    views: Sequence[SceneView],
    paths: Sequence[str],
    folder: Path,
    with_view_transform: bool,
) -> Generator[ExportStep, None, None]:
    # Under a plain name first: Blender would replace a # in the path by the frame number.
    part = folder / PART
    with kept_scene(scene):
        set_up_pictures(scene, with_view_transform)
        for number, (view, path) in enumerate(zip(views, paths, strict=True)):
            set_up_view(scene, view)
            set_up_picture(scene, part, number)
            yield ExportStep(f"Rendering {view.name}", number / len(views), render=True)
            if not part.is_file():
                raise JobCancelledError(
                    f"Rendering {view.name} was stopped, so nothing was exported."
                )
            with _in_one_sentence(folder):
                (folder / path).parent.mkdir(parents=True, exist_ok=True)
                part.replace(folder / path)


def _require_new(folder: Path) -> None:
    with _in_one_sentence(folder):
        if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
            raise SceneError(f"{folder} exists and is not an empty folder; choose a new one.")


def _finish(hidden: Path, folder: Path) -> None:
    """Give the finished folder its name."""
    with _in_one_sentence(folder):
        if folder.exists():
            folder.rmdir()  # Windows renames onto no folder, not even an empty one
        hidden.rename(folder)


@contextmanager
def _in_one_sentence(folder: Path) -> Iterator[None]:
    """Turn a failure of the file system into one sentence."""
    try:
        yield
    except OSError as error:
        raise ConvertFieldError(
            f"{folder} cannot be written ({error.strerror or error}); choose another folder."
        ) from error


def _summary(export: SceneExport, count: int, notes: Sequence[str]) -> str:
    what = f"Exported {count} {'views' if export.pictures else 'cameras'} to {export.folder}"
    if not export.pictures:
        what += "; put their pictures at the paths in its files"
    return printable(". ".join([what, *(note.rstrip(".") for note in notes)]))
