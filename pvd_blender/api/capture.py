"""Captures: importing one, and exporting the active scene as one."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import bpy
from bpy.types import Object

from ..errors import ConvertFieldError
from ..export.scene_export import SceneExport, run_export
from ..jobs import tasks
from ..jobs.session import session
from ..scene.cameras import SPLITS
from ..texts import say
from .shared import do


def import_capture(
    path: str | Path,
    wait: bool = True,
    splits: Sequence[str] = SPLITS,
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
        Splits whose cameras come into the scene, of ``"train"``, ``"val"`` and ``"test"``.
        Training uses the capture's files, whatever is in the scene.
    downscale : int or None
        1, 2, 4 or 8: fields learn from images reduced by this factor in width and height; None
        leaves it to the engine.
    points : bool
        Show the sparse points, if the capture has some.

    Returns
    -------
    Object or None
        The frame: the Empty that all the capture's objects are parented to.
    """
    if downscale not in (None, 1, 2, 4, 8):
        raise ConvertFieldError(
            f"Images cannot be reduced by a factor of {downscale}; give 1, 2, 4 or 8."
        )
    folder = Path(bpy.path.abspath(str(path))).absolute()
    return do(tasks.importing(folder, splits, downscale, points), wait)


def export_scene(
    folder: str | Path,
    cameras: str | Mapping[str, Sequence[Object]] = "ALL",
    *,
    format: str = "nerfstudio",
    pictures: bool = True,
    test_every: int = 8,
    view_transform: bool = False,
) -> Path:
    """Export the active scene as a dataset: its cameras, and a picture from each.

    Parameters
    ----------
    folder : path
        Folder of the dataset; it does not exist yet, or is empty. It is written as a whole or not
        at all.
    cameras : str or dict of str to list of Object
        ``"SELECTED"``, ``"ALL"`` (cameras of the scene) or ``"ANIMATION"`` (the active camera, at
        each frame of the scene's range); or cameras by split: ``"train"``, ``"val"``, ``"test"``.
    format : str
        ``"nerfstudio"``, ``"nerf-synthetic"`` or ``"colmap"`` (text). Cameras that it cannot store
        exactly are refused before anything is rendered.
    pictures : bool
        Render each view with the scene's settings (engine, size, samples, transparency), without
        motion blur, sequencer and border; otherwise only the cameras are written.
    test_every : int
        Hold out every Nth view for testing, from the first; 0 holds out none. Cameras of a capture
        keep its splits.
    view_transform : bool
        Lay the scene's view transform (*AgX* in new files) over the pictures. By default they are
        sRGB, as *Standard* shows them, so that a field of them can be shown in the same scene
        without the transform being laid over it twice.

    Returns
    -------
    Path
        The folder.
    """
    where = Path(bpy.path.abspath(str(folder))).absolute()
    export = SceneExport(where, format, cameras, pictures, test_every, view_transform)
    session().message = run_export(bpy.context.scene, export)
    say(session().message)
    return where
