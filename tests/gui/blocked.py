"""How long the add-on holds up Blender's interface at a time."""

import inspect
import time
from dataclasses import dataclass, field

import bpy
from in_blender import Window


@dataclass
class Watch:
    """The longest time that each of the add-on's own functions took, seconds."""

    seconds: dict[str, float] = field(default_factory=dict)

    def wrap(self, owner: object, name: str, label: str) -> None:
        """Measure a function from now on."""
        function = getattr(owner, name)

        def measured(*arguments: object) -> object:
            started = time.perf_counter()
            try:
                return function(*arguments)
            finally:
                took = time.perf_counter() - started
                self.seconds[label] = max(self.seconds.get(label, 0.0), took)

        # Blender passes as many arguments as the function names, and none to *arguments.
        by_count = {
            1: lambda a: measured(a),
            2: lambda a, b: measured(a, b),
            3: lambda a, b, c: measured(a, b, c),
        }
        setattr(owner, name, by_count[len(inspect.signature(function).parameters)])


def watch(window: Window) -> Watch:
    """Measure all that Blender calls while a job runs: the timer, every panel, the 3D View."""
    found = Watch()
    session = window.module("jobs.session").Session
    found.wrap(session, "pump", "timer")
    found.wrap(session, "_take_result", "result into the scene")
    for panel in window.module("ui.panels").CLASSES:
        if issubclass(panel, bpy.types.Panel):
            found.wrap(panel, "draw", f"panel {panel.bl_label}")
    engine = window.module("render.render_engine").FieldRenderEngine
    for name in ("view_update", "view_draw"):
        found.wrap(engine, name, f"3D View {name}")
    return found
