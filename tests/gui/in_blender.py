"""Runs a scenario inside a Blender that has a window, as a user's hands would.

``blender --factory-startup --enable-event-simulate --python in_blender.py -- JOB.json``

A scenario is a module next to this file with a generator ``steps(window)``. It yields the seconds
that it wants to wait; Blender's own loop runs meanwhile. Its results are in ``result.json``.
"""

import contextlib
import importlib
import json
import os
import shutil
import subprocess
import sys
import time
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path

import bpy

sys.path.insert(0, str(Path(__file__).resolve().parent))
ADD_ON = "bl_ext.user_default.convert_field"
TAB = "Convert Field"
SCAN_PIXELS = 9
COLUMNS = (0.5, 0.25, 0.75, 0.93, 0.08)
"""Fractions of the panel's width at which buttons are looked for."""

MOMENT = 0.02
"""Seconds until Blender has taken in an event."""

Steps = Iterator[float]


class Window:
    """The one window: its mouse, its keyboard and its pictures.

    Attributes
    ----------
    job : dict
        Values that the test gives the scenario.
    values : dict
        Measures of the scenario, for ``result.json``.
    """

    def __init__(self, job: dict) -> None:
        self.job = job
        self.folder = Path(job["folder"])
        self.values: dict = {"blender": bpy.app.version_string}

    @property
    def area(self) -> bpy.types.Area:
        """The 3D View."""
        return next(a for a in self._window.screen.areas if a.type == "VIEW_3D")

    @property
    def view(self) -> bpy.types.SpaceView3D:
        """The 3D View's settings."""
        return self.area.spaces.active

    @property
    def sidebar(self) -> bpy.types.Region:
        """The panel's region."""
        return next(r for r in self.area.regions if r.type == "UI")

    @property
    def _window(self) -> bpy.types.Window:
        return bpy.context.window_manager.windows[0]

    def install(self) -> Steps:
        """Install the add-on's zip and show its tab in a 3D View that fills the window."""
        bpy.ops.extensions.package_install_files(
            filepath=self.job["zip"], repo="user_default", enable_on_install=True
        )
        yield 0.5
        yield from self.show_tab()

    def use_engine(self) -> None:
        """Name the engine that the test was given, and a work folder of its own."""
        preferences = bpy.context.preferences.addons[ADD_ON].preferences
        preferences.work_folder = str(self.folder / "work")
        preferences.engine_python = self.job["engine_python"]
        preferences.device = "cpu"

    def show_tab(self) -> Steps:
        """Open the sidebar by its key and choose the tab."""
        if not self.view.show_region_ui:
            middle = self.area.x + self.area.width // 3, self.area.y + self.area.height // 2
            yield from self.key("N", at=middle)
            yield from self.until(lambda: self.view.show_region_ui, 5)
        self.sidebar.active_panel_category = TAB
        self.area.tag_redraw()
        yield 0.5

    def simulate(self, kind: str, value: str, x: int, y: int, **held: bool) -> None:
        """Give Blender one event of the mouse or the keyboard."""
        self._window.event_simulate(type=kind, value=value, x=int(x), y=int(y), **held)

    def move(self, x: int, y: int) -> Steps:
        """Move the mouse."""
        self.simulate("MOUSEMOVE", "NOTHING", x, y)
        yield MOMENT

    def key(self, kind: str, at: tuple[int, int] | None = None, **held: bool) -> Steps:
        """Press and release a key with the mouse over a position, by default the middle."""
        area = self.area
        x, y = at or (area.x + area.width // 3, area.y + area.height // 2)
        yield from self.move(x, y)
        self.simulate(kind, "PRESS", x, y, **held)
        yield MOMENT
        self.simulate(kind, "RELEASE", x, y)
        yield 0.2

    def click(self, command: str) -> Steps:
        """Click the button of the panel that runs an operator, given by the start of its call."""
        x, y = yield from self.find(command)
        yield from self.press(x, y)

    def press(self, x: int, y: int) -> Steps:
        """Click at a position."""
        self.simulate("LEFTMOUSE", "PRESS", x, y)
        yield MOMENT
        self.simulate("LEFTMOUSE", "RELEASE", x, y)
        yield 0.3

    def find(self, command: str) -> Iterator[float]:
        """Move the mouse over the panel until a button is under it; return its position."""
        region = self.sidebar
        seen = set()
        for fraction in COLUMNS:
            x = region.x + int(fraction * (region.width - 24))
            for y in range(region.y + region.height - 8, region.y, -SCAN_PIXELS):
                yield from self.move(x, y)
                under = self._command_under_mouse()
                seen.add(under)
                if under.startswith(f"bpy.ops.convert_field.{command}"):
                    return x, y
        self.picture("not_found")
        raise AssertionError(f"no button for {command!r} among {sorted(seen)}")

    def _command_under_mouse(self) -> str:
        manager = bpy.context.window_manager
        manager.clipboard = ""
        place = {"window": self._window, "area": self.area, "region": self.sidebar}
        with bpy.context.temp_override(**place), contextlib.suppress(RuntimeError):
            bpy.ops.ui.copy_python_command_button()
        return manager.clipboard

    def until(self, condition: Callable[[], object], seconds: float = 60.0) -> Steps:
        """Wait until something holds."""
        end = time.monotonic() + seconds
        while not condition():
            if time.monotonic() > end:
                self.picture("not_in_time")
                raise AssertionError(f"not within {seconds} s, line {_line_of(condition)}")
            yield 0.1

    def picture(self, name: str) -> Path:
        """Save a picture of the whole screen; Blender's own come out black with software GL."""
        path = self.folder / f"{name}.png"
        place = {"window": self._window, "area": self.area}
        with bpy.context.temp_override(**place):
            bpy.ops.wm.redraw_timer(type="DRAW_WIN_SWAP", iterations=1)
            if shutil.which("import"):
                subprocess.run(["import", "-window", "root", str(path)], check=True)
            else:
                bpy.ops.screen.screenshot(filepath=str(path))
        return path

    def module(self, name: str) -> object:
        """A module of the installed add-on."""
        return importlib.import_module(f"{ADD_ON}.{name}")


def _line_of(condition: Callable) -> int:
    return condition.__code__.co_firstlineno


def _run(job: dict) -> None:
    bpy.context.preferences.view.show_splash = False
    window = Window(job)
    steps = importlib.import_module(job["scenario"]).steps(window)
    started = time.monotonic()

    def finish(error: str | None) -> None:
        values = window.values | {"error": error, "seconds": time.monotonic() - started}
        result = window.folder / "result.json"
        result.write_text(json.dumps(values, indent=1), encoding="utf-8")
        # The way out of a window; os._exit only where a question about unsaved work would stay.
        bpy.app.timers.register(lambda: os._exit(0), first_interval=20, persistent=True)
        bpy.ops.wm.quit_blender()

    def tick() -> float | None:
        try:
            return next(steps)
        except StopIteration:
            finish(None)
        except BaseException:
            traceback.print_exc()
            with contextlib.suppress(Exception):
                window.picture("failed")
            finish(traceback.format_exc())
        return None

    bpy.app.timers.register(tick, first_interval=1.0, persistent=True)


if __name__ == "__main__":
    _run(json.loads(Path(sys.argv[sys.argv.index("--") + 1]).read_text(encoding="utf-8")))
