"""Icons of pictures: the field that a job makes, the curve of its quality, finished fields."""

from collections.abc import Sequence
from pathlib import Path

import bpy.utils.previews

from ..engine.job_folder import small_picture
from .curve_picture import SIDE, curve_pixels

LEAST_POINTS = 3
"""Smallest number of points of a curve that is drawn."""

MOST_PICTURES = 16
"""Largest number of icons that are kept."""

CURVE = "curve "
"""First part of the names of curves."""


class Icons:
    """The icons of pictures that the panels show; 0 stands for no icon."""

    def __init__(self) -> None:
        self._previews = bpy.utils.previews.new()

    def picture(self, path: Path | str | None) -> int:
        """Return the icon of a picture file, or 0 if there is none."""
        path = small_picture(Path(path).parent, path) if path else None
        if path is None:
            return 0
        try:
            key = f"{path}:{path.stat().st_mtime_ns}"
        except OSError:  # it has just gone
            return 0
        if key not in self._previews:
            if len(self._previews) >= MOST_PICTURES:
                self._previews.clear()
            self._previews.load(key, str(path), "IMAGE")
        return self._previews[key].icon_id

    def curve(self, points: Sequence[tuple[float, float]]) -> int:
        """Return the icon of a curve as `curve_pixels` draws it, or 0 while it is too short."""
        if len(points) < LEAST_POINTS:
            return 0
        key = f"{CURVE}{len(points)}"
        if key not in self._previews:
            for old in [name for name in self._previews if name.startswith(CURVE)]:
                del self._previews[old]
            icon = self._previews.new(key)
            icon.icon_size = icon.image_size = (SIDE, SIDE)
            icon.image_pixels_float = curve_pixels(points).ravel().tolist()
        return self._previews[key].icon_id

    def close(self) -> None:
        """Free the icons."""
        bpy.utils.previews.remove(self._previews)


_icons: list[Icons] = []


def icons() -> Icons:
    """Return the icons; they exist while the add-on is registered."""
    return _icons[0]


def register() -> None:
    """Create the collection of icons."""
    _icons.append(Icons())


def unregister() -> None:
    """Free them."""
    _icons.pop().close()
