"""What scripts call: everything that the panels' buttons do.

Every function that needs the engine blocks and prints its progress, and returns what it made.
With ``wait=False``, which only a Blender with a window can, it starts a job and returns None; the
result comes into the scene when it is there, and the panels show how far it is. One job runs at
a time; what is started meanwhile waits for its turn.

A capture is named by its *frame*: the Empty that `import_capture` returns. A field is named by its
file, a ``.safetensors``; without one, the field that is selected in the capture's list is taken,
which is the one made last.

Every failure is a `ConvertFieldError` (or a `SceneError`, when something in the scene is not as it
must be): one sentence that says what is wrong and what to do.

Examples
--------
>>> frame = api.import_capture("lego")
>>> api.train(frame, "hash", budget=120)
>>> api.extract_volume(frame)
>>> api.add_shape(frame, "erase", "box", location=(0.3, 0.0, 0.5))
>>> api.apply_edits(frame)
>>> student = api.convert(frame, "mlp", budget=120)
>>> api.render(frame).save_render("lego.png")
"""

from collections.abc import Mapping, Sequence
from pathlib import Path

import bpy
from bpy.types import Object

from ..errors import ConvertFieldError, JobCancelledError
from ..export.scene_export import SceneExport, run_export
from ..jobs import tasks, unfinished
from ..jobs.session import session
from ..jobs.steps import chosen_device, do, owner, source
from ..jobs.tasks import DistillSettings, FieldSettings
from ..scene.errors import SceneError
from ..state.field_file import field_facts
from ..state.properties import NO_MEASURE, active_field, find_field, list_field
from .edit import (
    add_field_erase,
    add_shape,
    apply_edits,
    collect_edits,
    find_floaters,
    mark_meshes,
    merge,
)
from .engine import check_engine, configure, set_up_engine
from .render import combine_by_depth, compare, look_through, render

__all__ = [
    "ConvertFieldError",
    "JobCancelledError",
    "SceneError",
    "add_field",
    "add_field_erase",
    "add_shape",
    "apply_edits",
    "cancel",
    "check_engine",
    "collect_edits",
    "combine_by_depth",
    "compare",
    "configure",
    "convert",
    "discard",
    "export_scene",
    "extract_volume",
    "find_floaters",
    "import_capture",
    "look_through",
    "mark_meshes",
    "merge",
    "remove_field",
    "render",
    "resume",
    "set_up_engine",
    "train",
]


def import_capture(
    path: str | Path,
    wait: bool = True,
    splits: Sequence[str] = tasks.SPLITS,
    downscale: int | None = None,
    points: bool = True,
) -> Object | None:
    """Import a capture: its cameras, its images behind them, its crop box.

    Parameters
    ----------
    path : path
        The capture's folder, or the file that lists its cameras, such as a ``transforms.json``.
    wait : bool
    splits : sequence of str
        Whose cameras come into the scene: of ``"train"``, ``"val"`` and ``"test"``. Training
        uses the capture's files, whatever is in the scene.
    downscale : int or None
        1, 2, 4 or 8: fields learn from images of this fraction of their width and height; None
        leaves it to the engine.
    points : bool
        Show the sparse points, where the capture has some.

    Returns
    -------
    Object or None
        The frame: the Empty that all the capture's objects are parented to.
    """
    if downscale not in (None, 1, 2, 4, 8):
        raise ConvertFieldError(f"Images can be read at 1/1, 1/2, 1/4 or 1/8, not 1/{downscale}.")
    folder = Path(bpy.path.abspath(str(path))).absolute()
    return do(tasks.importing(folder, splits, downscale, points), wait)


def train(
    frame: Object,
    arch: str = "hash",
    *,
    preset: str | None = None,
    budget: float | None = None,
    steps: int | None = None,
    seed: int = 0,
    until_psnr: float | None = None,
    volume_resolution: int | None = None,
    wait: bool = True,
) -> Path | None:
    """Train a teacher from the capture's images.

    Parameters
    ----------
    frame : Object
    arch : str
        ``"hash"``, ``"mlp"``, ``"sparse_tensor"``, ``"vm"`` or ``"cp"``; or several of them side
        by side: ``"hash+vm"``.
    preset : str, optional
        ``"small"`` or ``"full"``; without it, small on a CPU and full on a GPU.
    budget : float, optional
        Seconds to train for.
    steps : int, optional
        Steps to train for, instead of the budget.
    seed : int
    until_psnr : float, optional
        Decibel of a validation view that are enough, even before the budget is spent.
    volume_resolution : int, optional
        Extract the volume, too, when the field is there.
    wait : bool

    Returns
    -------
    Path or None
        The field's file.
    """
    settings = FieldSettings(arch, preset, budget, steps, seed, until_psnr)
    return do(tasks.training(owner(frame), settings, chosen_device(), volume_resolution), wait)


def add_field(frame: Object, path: str | Path) -> Path:
    """Take a field file that is there already into a capture's list, and select it.

    Parameters
    ----------
    frame : Object
        Of the capture that the field was made from.
    path : path
        A ``.safetensors`` that this add-on or ``pvd`` has written.

    Returns
    -------
    Path
        The file, as the list names it.
    """
    file = Path(bpy.path.abspath(str(path))).absolute()
    facts = field_facts(file)
    known = find_field(owner(frame), str(file))
    state = owner(frame).convert_field
    if known is None:
        item = list_field(owner(frame), str(file), facts.role)
        item.architecture = facts.architecture
        item.seconds = NO_MEASURE if facts.seconds is None else facts.seconds
    else:
        state.active_field = list(state.fields).index(known)
    return file


def remove_field(frame: Object, field: str | Path | None = None) -> None:
    """Take a field out of a capture's list; its file and its volume stay.

    Parameters
    ----------
    frame : Object
    field : path, optional
        Without it, the selected field.
    """
    state = owner(frame).convert_field
    item = find_field(owner(frame), str(field)) if field else active_field(owner(frame))
    if item is None:
        raise ConvertFieldError("There is no such field in the list.")
    state.fields.remove(list(state.fields).index(item))
    state.active_field = max(min(state.active_field, len(state.fields) - 1), 0)


def extract_volume(
    frame: Object, field: str | Path | None = None, resolution: int = 128, wait: bool = True
) -> Object | None:
    """Show a field as a Volume object with a Principled Volume material.

    Parameters
    ----------
    frame : Object
    field : path, optional
    resolution : int
        Voxels along the longest side of the capture's box.
    wait : bool

    Returns
    -------
    Object or None
        The Volume object; extracting again updates the one that is there.
    """
    task = tasks.extracting(owner(frame), source(frame, field), resolution, chosen_device())
    return do(task, wait)


def convert(
    frame: Object,
    to: str = "mlp",
    field: str | Path | None = None,
    *,
    preset: str | None = None,
    budget: float | None = None,
    steps: int | None = None,
    seed: int = 0,
    until_psnr: float | None = None,
    inherit: bool = False,
    through: str | None = None,
    max_size: str | None = None,
    projection: bool = True,
    stages: str = "123",
    density_constraint: bool = True,
    hard_poses: bool = True,
    hard_rays: bool = True,
    hard_points: bool = True,
    ray_points: int = 16,
    ray_encoding: str | None = None,
    ray_interval: str = "occupied",
    ray_skip_empty: bool = True,
    ray_hard: bool = True,
    ray_importance: bool = True,
    fine_tune: float = 0.15,
    report: bool = True,
    volume_resolution: int | None = None,
    wait: bool = True,
) -> Path | None:
    """Distil a field into another architecture.

    Parameters
    ----------
    frame : Object
    to : str
        As `arch` in `train`, or ``"light_field"``: a network that answers a whole ray in one pass,
        to be rendered and nothing else.
    field : path, optional
    preset, budget, steps, seed
        As in `train`.
    until_psnr : float, optional
        Decibel of a view to the teacher's that are enough, even before the budget is spent.
    inherit : bool
        Copy the parts of the teacher that fit the student.
    through : str, optional
        ``"sparse_tensor"`` distils into that first and then on: the published way to edit.
    max_size : str, optional
        Largest field file, such as ``"5MB"``; the student's sizes are chosen to fit.
    projection : bool
        Start grids and factors from a direct projection of the teacher.
    stages : str
        Those that take part, of 1 features, 2 density and colour of points, 3 rendered rays:
        ``"123"``, ``"23"``, ``"13"`` or ``"3"``.
    density_constraint : bool
        Compare densities only within the range in which they can be seen to differ.
    hard_poses, hard_rays, hard_points : bool
        Look again from where the student did worst; cast the worst rays again; compare only the
        points that count most along each ray.
    ray_points, ray_encoding, ray_interval, ray_skip_empty
        Of light fields: points along each ray; whether they are encoded by ``"frequencies"`` or by
        a ``"hash"`` grid (as the preset says if None); whether they lie in a ray's ``"occupied"``
        cells, within the ``"box"`` around all that is occupied or between ``"fixed"`` planes;
        whether rays that meet nothing are background without the network.
    ray_hard, ray_importance : bool
        Of light fields: draw the hardest rays again; learn from few of those that show nothing.
    fine_tune : float
        Of light fields: share of the work, at its end, that learns from the capture's images.
    report : bool
        Write ``<field>.report.html`` and ``.json`` beside the student's file.
    volume_resolution : int, optional
        Extract the volume, too, when the field is there.
    wait : bool

    Returns
    -------
    Path or None
        The student's file.
    """
    settings = FieldSettings(to, preset, budget, steps, seed, until_psnr)
    distilling = DistillSettings(
        inherit=inherit,
        through=through,
        max_size=max_size,
        projection=projection,
        stages=stages,
        density_constraint=density_constraint,
        hard_poses=hard_poses,
        hard_rays=hard_rays,
        hard_points=hard_points,
        ray_points=ray_points,
        ray_encoding=ray_encoding,
        ray_interval=ray_interval,
        ray_skip_empty=ray_skip_empty,
        ray_hard=ray_hard,
        ray_importance=ray_importance,
        fine_tune=fine_tune,
        report=report,
    )
    teacher = source(frame, field)
    task = tasks.converting(
        owner(frame), teacher, settings, chosen_device(), distilling, volume_resolution
    )
    return do(task, wait)


def export_scene(
    folder: str | Path,
    cameras: str | Mapping[str, Sequence[Object]] = "ALL",
    *,
    format: str = "nerfstudio",
    pictures: bool = True,
    test_every: int = 8,
) -> Path:
    """Export the active scene as a dataset: its cameras, and a picture of each by its own engine.

    Parameters
    ----------
    folder : path
        Becomes the dataset, whole or not at all; it does not exist yet, or is empty.
    cameras : str or dict of str to list of Object
        ``"SELECTED"``, ``"ALL"`` (cameras of the scene) or ``"ANIMATION"`` (the active camera, at
        each frame of the scene's range); or cameras by split: ``"train"``, ``"val"``, ``"test"``.
    format : str
        ``"nerfstudio"``, ``"nerf-synthetic"`` or ``"colmap"`` (text). What it cannot say exactly
        is refused before anything is rendered.
    pictures : bool
        Render each view as the scene says (engine, size, samples, transparency), without motion
        blur, sequencer and border; else only the cameras are written.
    test_every : int
        Every how manieth view is for testing, from the first; 0 for none. Cameras that came with a
        capture keep its splits.

    Returns
    -------
    Path
        The folder.
    """
    where = Path(bpy.path.abspath(str(folder))).absolute()
    export = SceneExport(where, format, cameras, pictures, test_every)
    session().message = run_export(bpy.context.scene, export)
    print(session().message, flush=True)
    return where


def resume(folder: str | Path, wait: bool = True) -> object:
    """Go on with a job that was cancelled or cut short, and return what its step returns."""
    return do(unfinished.resuming(Path(folder)), wait)


def discard(folder: str | Path) -> None:
    """Delete the checkpoints of a job that was stopped, so that it is not offered again."""
    unfinished.discard(Path(folder))
    session().look_for_unfinished(Path(folder).parent.name)


def cancel() -> None:
    """Ask the running job to stop at a checkpoint; `resume` goes on from there."""
    if not session().busy:
        raise ConvertFieldError("No job is running.")
    session().job.cancel()
