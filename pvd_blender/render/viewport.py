"""The field in a 3D View: coarse at once, then finer while the view stands still."""

import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import bpy
import gpu
import numpy as np
from bpy.types import Object, Region, RegionView3D
from gpu_extras.presets import draw_texture_2d

from ..engine.environment import EngineSettings
from ..engine.picture_server import PictureServer
from ..errors import ConvertFieldError, JobCancelledError, SceneError
from ..scene.frame import dataset_pose
from ..scene.matrices import to_numpy
from .field_picture import linear_rgba

COARSER = (8, 4, 2, 1)
"""Sizes of the pixels of one picture after another, in pixels of the view."""

TICK_SECONDS = 0.04
"""Seconds between two checks for a new picture."""


@dataclass(frozen=True)
class View:
    """A view of a field.

    Attributes
    ----------
    settings : EngineSettings
    field : Path
    stamp : tuple of int
        Time and size of its file, so that a new one is another view.
    camera : dict
        An entry of ``cameras.json``, of the size of the view.
    edits : list of dict
    world : tuple of float or None
        Linear colour behind the field; None leaves the background transparent.
    """

    settings: EngineSettings
    field: Path
    stamp: tuple[int, int]
    camera: dict
    edits: list[dict]
    world: tuple[float, ...] | None


class ViewPictures:
    """Renders a view in a thread of its own, each time finer.

    Parameters
    ----------
    server : PictureServer
    redraw : callable
        Called in the main thread when there is a new picture to draw.
    """

    def __init__(self, server: PictureServer, redraw: Callable[[], None]) -> None:
        self._server = server
        self._redraw = redraw
        self._changed = threading.Condition()
        self._wanted: View | None = None
        self._done = 0
        self._closed = False
        self._picture: np.ndarray | None = None
        self._message = ""
        self._fresh = False
        self._texture: gpu.types.GPUTexture | None = None
        self._thread = threading.Thread(target=self._work, name="convert-field-view", daemon=True)
        self._thread.start()

    def want(self, view: View) -> None:
        """Render a view from now on, if it differs from the last one."""
        with self._changed:
            if view == self._wanted:
                return
            self._wanted, self._done = view, 0
            self._changed.notify()
        if not bpy.app.timers.is_registered(self._tick):
            bpy.app.timers.register(self._tick, first_interval=TICK_SECONDS)

    def draw(self, region: Region) -> str:
        """Draw the newest picture over a region; return a message about it, or an empty text."""
        fresh, self._fresh = self._fresh, False
        if fresh and self._picture is not None:
            self._texture = _texture(self._picture)
        if self._texture is not None:
            gpu.state.blend_set("ALPHA_PREMULT")
            draw_texture_2d(self._texture, (0, 0), region.width, region.height)
            gpu.state.blend_set("NONE")
        return self._message

    def close(self) -> None:
        """Stop, and give up the picture that is being rendered."""
        with self._changed:
            self._closed = True
            self._changed.notify()

    def _tick(self) -> float | None:
        """Redraw the view if there is a new picture; runs in the main thread."""
        if self._closed:
            return None
        if self._fresh:
            self._redraw()
        return TICK_SECONDS if self._fresh or self._pending() else None

    def _pending(self) -> bool:
        return self._wanted is not None and self._done < len(COARSER)

    def _work(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._closed or self._pending())
                if self._closed:
                    return
                view, coarser = self._wanted, COARSER[self._done]
            message, picture = self._rendered(view, coarser)
            with self._changed:
                if view is not self._wanted:
                    continue
                self._message = message
                self._done = len(COARSER) if picture is None else self._done + 1
                if picture is not None:
                    self._picture = picture
                self._fresh = True

    def _rendered(self, view: View, coarser: int) -> tuple[str, np.ndarray | None]:
        """Return a message about a view, and its picture unless it cannot be rendered."""

        def given_up() -> bool:
            return self._closed or view is not self._wanted

        camera = reduced(view.camera, coarser)
        try:
            picture = self._server.render(view.settings, view.field, camera, view.edits, given_up)
        except JobCancelledError:
            return "", None
        except ConvertFieldError as error:
            return error.sentence, None
        return picture.warning, _upwards(linear_rgba(picture.pixels, view.world))


def _upwards(rgba: np.ndarray) -> np.ndarray:
    """Return a picture (H, W, 4) with its rows in the order of the graphics card."""
    return np.ascontiguousarray(rgba[::-1], np.float32)


def _texture(rgba: np.ndarray) -> gpu.types.GPUTexture:
    """Return a texture of a picture (H, W, 4), float32 in C order, with rows upwards."""
    height, width = rgba.shape[:2]
    buffer = gpu.types.Buffer("FLOAT", (height, width, 4), rgba)
    return gpu.types.GPUTexture((width, height), format="RGBA16F", data=buffer)


def reduced(camera: dict, factor: int) -> dict:
    """Return a camera whose pixels each cover ``factor`` x ``factor`` of the given one's."""
    width, height = (max(1, camera[side] // factor) for side in ("width", "height"))
    x, y = width / camera["width"], height / camera["height"]
    scaled = {
        key: camera[key] * (x if key.endswith("x") else y) for key in ("fx", "fy", "cx", "cy")
    }
    return camera | scaled | {"width": width, "height": height}


def view_camera(region: Region, view: RegionView3D, frame: Object) -> dict:
    """Return a 3D View as one entry of ``cameras.json``.

    Raises
    ------
    SceneError
        When the view has no perspective, or the frame is stretched.
    """
    projection = to_numpy(view.window_matrix)
    if projection[3, 3] != 0:
        raise SceneError("PVD Field shows only perspective views; press Numpad 5 to switch.")
    width, height = region.width, region.height
    world = np.linalg.inv(to_numpy(view.view_matrix))
    return {
        "name": "view",
        "width": width,
        "height": height,
        "fx": projection[0, 0] * width / 2,
        "fy": projection[1, 1] * height / 2,
        "cx": (1 - projection[0, 2]) * width / 2,
        "cy": (1 + projection[1, 2]) * height / 2,
        "camera_to_world": dataset_pose(world, frame, "view").tolist(),
    }
