"""The render engine *PVD Field*: the selected field in renders and in the 3D View."""

import traceback
from dataclasses import dataclass
from pathlib import Path

import bpy
import numpy as np
from bpy.types import Context, Depsgraph, Object, Panel, RenderEngine, Scene

from ..errors import ConvertFieldError, JobCancelledError, SceneError
from ..jobs.session import session
from ..jobs.windows import redraw_panels
from ..preferences import engine_settings
from ..scene.cameras import render_camera
from ..scene.view_transform import change_of_colors
from ..state.pending_edits import edited_volume, pending_shapes
from ..state.properties import active_field, rendered_frame, source_field
from ..texts import say
from .compositing import ENGINE
from .field_picture import background, blender_depth, inside_border, linear_rgba
from .node_preview import NodePreview
from .photographs import keep_hidden
from .viewport import View, ViewPictures, view_camera

SHARED_PANELS = "BLENDER_RENDER"
"""Name of a former engine; panels that name it are meant for every engine."""

CHANGED_COLORS = (
    "The scene's {} changes the field's colors; Use Standard View Transform in the render "
    "properties shows them as they are"
)

NOT_SHARED = ("VIEWLAYER_PT_filter", "VIEWLAYER_PT_layer_passes", "RENDER_PT_simplify")


@dataclass(frozen=True)
class ShownField:
    """The field that a scene shows.

    Attributes
    ----------
    frame : Object
        The capture's frame.
    name : str
    path : Path
        The field file.
    edits : list of dict
        The edits that the field does not have in it yet, if they are shown before they are applied.
    stamp : tuple of int
        Time and size of the file, which changes when it is written again.
    note : str
        What is not shown, in one sentence; empty if all is.
    """

    frame: Object
    name: str
    path: Path
    edits: list[dict]
    stamp: tuple[int, int]
    note: str


def shown_field(depsgraph: Depsgraph, nodes: NodePreview) -> ShownField:
    """Return the field that a scene shows, with its edits, as a depsgraph has evaluated them.

    Parameters
    ----------
    depsgraph : Depsgraph
    nodes : NodePreview
        Edits by nodes from the calls before.

    Raises
    ------
    ConvertFieldError
        When there is no field, or its file does not exist.
    SceneError
        When there is no capture, or a shape is not as it must be.
    """
    scene = depsgraph.scene
    frame = rendered_frame(scene)
    path = source_field(frame)
    item = active_field(frame)
    stat = path.stat()
    edits, note = [], ""
    if scene.convert_field.live_edits and item.role != "LIGHT":
        edits = pending_shapes(frame, path, depsgraph)
        volume = edited_volume(frame, path)
        if volume is not None:
            edits, note = edits + nodes.edits(volume, depsgraph), nodes.problem
    return ShownField(frame, item.name, path, edits, (stat.st_mtime_ns, stat.st_size), note)


def failure_sentence(error: Exception) -> str:
    """Return what to tell the user of a failure; the details of an unexpected one are printed."""
    if isinstance(error, ConvertFieldError):
        return str(error)
    say("".join(traceback.format_exception(error)), as_error=True)
    return f"PVD Field failed ({type(error).__name__}: {error}); the terminal has the details."


class FieldRenderEngine(RenderEngine):
    """The render engine that shows the field which is selected in the scene's capture."""

    bl_idname = ENGINE
    bl_label = "PVD Field"
    bl_use_preview = False
    bl_use_postprocess = True

    def __init__(self, *arguments: object, **options: object) -> None:
        """Begin one render, or one 3D View."""
        super().__init__(*arguments, **options)
        self._shown: ShownField | None = None
        self._problem: str | None = None
        self._pictures: ViewPictures | None = None
        self._nodes = NodePreview()

    def __del__(self) -> None:
        """End the rendering of a 3D View that is closed."""
        if getattr(self, "_pictures", None) is not None:
            self._pictures.close()
        if getattr(self, "_nodes", None) is not None:
            self._nodes.close()
        ended = getattr(super(), "__del__", None)
        if ended is not None:
            ended()

    def update_render_passes(self, scene: Scene = None, renderlayer=None) -> None:
        """Register the passes for the compositor."""
        self.register_pass(scene, renderlayer, "Combined", 4, "RGBA", "COLOR")
        self.register_pass(scene, renderlayer, "Depth", 1, "Z", "VALUE")

    def render(self, depsgraph: Depsgraph) -> None:
        """Render one frame."""
        try:
            self._render(depsgraph)
        except JobCancelledError:
            pass
        except Exception as error:
            sentence = failure_sentence(error)
            self.report({"ERROR"}, sentence)
            self.error_set(sentence)

    def view_update(self, _context: Context, depsgraph: Depsgraph) -> None:
        """Take in changes of the scene; the view itself moves without that."""
        self._shown = self._problem = None
        try:
            self._shown = shown_field(depsgraph, self._nodes)
        except Exception as error:
            self._problem = failure_sentence(error)

    def view_draw(self, context: Context, depsgraph: Depsgraph) -> None:
        """Draw the field as far as it is rendered."""
        keep_hidden(context)
        problem = self._problem
        if self._shown is not None:
            try:
                problem = self._draw_view(context, depsgraph, self._shown)
            except ConvertFieldError as error:
                problem = str(error)
            except Exception as error:
                self._shown = None  # rather than to fail at each redraw
                problem = self._problem = failure_sentence(error)
        self.update_stats("", problem or "")

    def _draw_view(self, context: Context, depsgraph: Depsgraph, shown: ShownField) -> str:
        frame = shown.frame.evaluated_get(depsgraph)
        camera = view_camera(context.region, context.region_data, frame)
        if self._pictures is None:
            self._pictures = ViewPictures(session().pictures, redraw_panels)
        world = _world(depsgraph.scene)
        view = View(engine_settings(), shown.path, shown.stamp, camera, shown.edits, world)
        self._pictures.want(view)
        return self._pictures.draw(context.region) or shown.note

    def _render(self, depsgraph: Depsgraph) -> None:
        scene = depsgraph.scene
        shown = shown_field(depsgraph, self._nodes)
        if scene.camera is None:
            raise SceneError(
                "The scene has no camera; add one, or look through a camera of the capture."
            )
        whole = render_camera(scene.camera, scene, shown.frame, depsgraph)
        camera = inside_border(whole, scene.render)
        self.update_stats("", f"Rendering {shown.name}")
        picture = session().pictures.render(
            engine_settings(), shown.path, camera, shown.edits, lambda: bool(self.test_break())
        )
        changed = change_of_colors(scene)
        colors = CHANGED_COLORS.format(changed) if changed else None
        for warning in filter(None, (picture.warning, shown.note, colors)):
            self.report({"WARNING"}, warning)
        pixels = picture.pixels
        placed = shown.frame.evaluated_get(depsgraph).matrix_world
        scale = float(np.cbrt(abs(placed.determinant())))
        self._write(linear_rgba(pixels, _world(scene)), blender_depth(pixels, camera, scale))

    def _write(self, rgba: np.ndarray, depth: np.ndarray) -> None:
        """Hand the picture to Blender, whose rows go upwards."""
        height, width = depth.shape
        result = self.begin_result(0, 0, width, height)
        passes = result.layers[0].passes
        passes["Combined"].rect.foreach_set(rgba[::-1].ravel())
        passes["Depth"].rect.foreach_set(depth[::-1].ravel())
        self.end_result(result)


def _world(scene: Scene) -> tuple[float, ...] | None:
    """Return the linear colour behind a scene's field, or None for a transparent background."""
    return None if scene.render.film_transparent else background(scene.world)


def _shared_panels() -> list[type[Panel]]:
    """Return Blender's own panels that go with every engine."""
    return [
        panel
        for panel in bpy.types.Panel.__subclasses__()
        if SHARED_PANELS in getattr(panel, "COMPAT_ENGINES", ())
        and panel.__name__ not in NOT_SHARED
    ]


CLASSES = (FieldRenderEngine,)


def register() -> None:
    """Show Blender's own panels with this engine."""
    for panel in _shared_panels():
        panel.COMPAT_ENGINES.add(ENGINE)


def unregister() -> None:
    """Hide them again."""
    for panel in _shared_panels():
        panel.COMPAT_ENGINES.discard(ENGINE)
