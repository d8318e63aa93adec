"""Gaussian splats: fields as splat objects, splat objects as fields and files."""

from collections.abc import Iterable
from pathlib import Path

import bpy
import numpy as np
from bpy.types import Object

from ..errors import ConvertFieldError
from ..jobs import tasks
from ..jobs.session import session
from ..scene.matrices import to_blender
from ..splats.axes import AXES, BLENDER, RIGHT_DOWN_FORWARD
from ..splats.cloud import Splats, transformed
from ..splats.display import DISPLAY_ONLY
from ..splats.native import FIRST_VERSION, has_native_splats
from ..splats.objects import show_splats as show_object
from ..splats.objects import shown_splats
from ..splats.ply import read_ply, write_ply
from ..texts import joined, say
from .shared import chosen, chosen_computing, do, owner, source

CAPTURE_FRAME = "CAPTURE"
"""Identifier of the dataset frame among the axes of a file."""

PLAIN = ".ply"
UNDIRECTED = (PLAIN, ".splat")
"""Suffixes of formats that do not say which way their axes point."""

SUFFIXES = (PLAIN, ".spz", ".glb", ".splat")
"""Suffixes of the files that splats are saved as."""


def show_splats(
    frame: Object,
    field: str | Path | None = None,
    count: int | None = None,
    wait: bool = True,
) -> Object | None:
    """Show a field with density as Gaussian splats.

    In Blender 5.3 and later they are one of Blender's own splat objects, which Workbench, EEVEE and
    Cycles draw; in others points with colour and size, for display only.

    Parameters
    ----------
    frame : Object
    field : path, optional
    count : int, optional
        Number of splats, at most; without it the engine chooses.
    wait : bool

    Returns
    -------
    Object or None
        The object; showing again updates an existing one.
    """
    return do(
        tasks.showing_splats(owner(frame), source(frame, field), count, chosen_computing()), wait
    )


def use_as_field(
    source: Iterable[Object] | str | Path,
    frame: Object | None = None,
    *,
    axes: str = "BLENDER",
    rules: str | None = None,
    antialiased: bool = False,
    wait: bool = True,
) -> Path | None:
    """Make a field of splats, a teacher that converts to everything.

    Parameters
    ----------
    source : objects or path
        Splat objects as they are seen: with their modifiers and instances, and with their
        transforms, by which the spherical harmonics turn as well. Or a file of splats.
    frame : Object, optional
        Frame of the capture that the splats belong to: its cameras show where to look, a file is in
        its dataset frame, as ``pvd export`` writes it, and the field comes into its list. Without
        one, the field gets a frame of its own, with objects as they stand in Blender's world.
    axes : str
        Axes of a file that does not say, where it gets a frame of its own: ``"BLENDER"``, z up, as
        Blender imports it, or ``"3DGS"``: x right, y down, z forward.
    rules : str, optional
        Rules that the splats were trained by, ``"inria"`` or ``"gsplat"``; without them INRIA's.
    antialiased : bool
        The splats were trained for antialiased pictures; drawn so, they also look most like in
        Blender.
    wait : bool

    Returns
    -------
    Path or None
        The field's file.

    Raises
    ------
    SceneError
        The objects show no splats.
    """
    capture = None if frame is None else owner(frame)
    if isinstance(source, str | Path):
        path = _existing(source)
        name, cloud = path.name.partition(".")[0], path
        matrix, notes = np.linalg.inv(_axes(axes, path)), []
    else:
        objects = list(source)
        cloud, notes = _splats_in_scene(objects, capture)
        name, matrix = objects[0].name, np.eye(4)
    drawn = {"rules": rules, "antialiased": antialiased or None}
    options = chosen(drawn) | chosen_computing()
    task = tasks.using_splats(name, cloud, capture, matrix, notes, options)
    return do(task, wait)


def import_splats(path: str | Path, axes: str = "BLENDER") -> Object:
    """Import a ``.ply`` of splats as an object; the engine is not needed.

    Parameters
    ----------
    path : path
    axes : str
        Axes of the file: ``"BLENDER"``, z up, as Blender itself imports it, or ``"3DGS"``: x right,
        y down, z forward, which the object's transform brings upright.

    Returns
    -------
    Object
        Blender's own splat object; before Blender 5.3 points with colour and size, for display
        only.
    """
    path = _existing(path)
    matrix = np.linalg.inv(_axes(axes, path))
    splats, notes = read_ply(path)
    shown = show_object(splats, path.name.partition(".")[0])
    shown.matrix_world = to_blender(matrix)
    if not has_native_splats():
        notes.append(DISPLAY_ONLY)
    _report(f"Imported {len(splats):,} splats", notes)
    return shown


def save_splats(
    path: str | Path,
    objects: Iterable[Object],
    *,
    axes: str = "BLENDER",
    frame: Object | None = None,
    wait: bool = True,
) -> Path | None:
    """Save splat objects to one file, as they are seen.

    Their modifiers, instances and transforms are in the file; the spherical harmonics turn with
    them. A ``.ply`` needs neither a capture nor the engine; the engine writes the other formats.

    Parameters
    ----------
    path : path
        Ends in ``.ply``, ``.spz``, ``.glb`` or ``.splat``.
    objects : iterable of Object
    axes : str
        Axes of a ``.ply`` or ``.splat``, which do not say which way theirs point: ``"BLENDER"``,
        so that Blender imports it where the objects are; ``"3DGS"``: x right, y down, z forward, as
        programs that train splats have it; ``"CAPTURE"``: the dataset frame of `frame`. The others
        define their axes and are written so.
    frame : Object, optional
        Frame of the capture, for ``"CAPTURE"``.
    wait : bool

    Returns
    -------
    Path or None
        Absolute path of the file.

    Raises
    ------
    SceneError
        The objects show no splats.
    """
    path = _absolute(path)
    suffix = path.suffix.lower()
    if suffix not in SUFFIXES:
        raise ConvertFieldError(
            f"Splats cannot be saved as '{path.name}'; end its name with one of "
            f"{', '.join(SUFFIXES)}."
        )
    in_capture = axes == CAPTURE_FRAME and suffix in UNDIRECTED
    turn = BLENDER if in_capture else _axes(axes, path)
    splats, notes = _splats_in_scene(objects, owner(frame) if in_capture else None)
    splats, _ = transformed(splats, turn)
    if suffix != PLAIN:
        return do(tasks.saving_splats(splats, path, notes), wait)
    write_ply(splats, path)
    _report(f"Saved {len(splats):,} splats to {path.name}", notes)
    return path


def _splats_in_scene(objects: Iterable[Object], frame: Object | None) -> tuple[Splats, list[str]]:
    if not has_native_splats():
        needed = ".".join(map(str, FIRST_VERSION[:2]))
        raise ConvertFieldError(
            f"Blender {needed} and later have splat objects; this is {bpy.app.version_string}."
        )
    bpy.context.view_layer.update()
    return shown_splats(list(objects), bpy.context.evaluated_depsgraph_get(), frame)


def _axes(name: str, path: Path) -> np.ndarray:
    """Return the matrix from Blender's axes to those of a file; many formats define their own."""
    if path.suffix.lower() not in UNDIRECTED:
        return RIGHT_DOWN_FORWARD
    if name not in AXES:
        raise ConvertFieldError(f"There are no axes '{name}'; choose one of {', '.join(AXES)}.")
    return AXES[name]


def _existing(path: str | Path) -> Path:
    """Return the absolute path of a file that is there."""
    absolute = _absolute(path)
    if not absolute.is_file():
        raise ConvertFieldError(f"'{path}' is no file; choose a file of splats.")
    return absolute


def _absolute(path: str | Path) -> Path:
    return Path(bpy.path.abspath(str(path))).absolute()


def _report(done: str, notes: Iterable[str]) -> None:
    session().message = joined([done, *notes])
    say(session().message)
