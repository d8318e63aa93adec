"""The render engine *PVD Field*: F12 renders the selected field, with alpha and depth."""

import bpy
import numpy as np
from bpy.types import Context, Depsgraph, Object, Panel, RenderEngine, Scene

from .errors import ConvertFieldError, JobCancelledError
from .preferences import engine_settings
from .properties import active_field, scene_frame
from .scene.cameras import render_camera
from .scene.edit_shapes import collect_edits
from .scene.errors import SceneError
from .scene.field_picture import background, blender_depth, inside_border, linear_rgba
from .scene.frame import is_frame
from .session import session
from .tasks import source_field

ENGINE = "CONVERT_FIELD"

SHARED_PANELS = "BLENDER_RENDER"
"""Panels that say they go with this engine, which is no more, go with every engine."""

NOT_OURS = ("VIEWLAYER_PT_filter", "VIEWLAYER_PT_layer_passes", "RENDER_PT_simplify")


class FieldRenderEngine(RenderEngine):
    """Renders the field that is selected in the scene's capture."""

    bl_idname = ENGINE
    bl_label = "PVD Field"
    bl_use_preview = False
    bl_use_postprocess = True

    def update_render_passes(self, scene: Scene = None, renderlayer=None) -> None:
        """Tell the compositor which passes there are."""
        self.register_pass(scene, renderlayer, "Combined", 4, "RGBA", "COLOR")
        self.register_pass(scene, renderlayer, "Depth", 1, "Z", "VALUE")

    def render(self, depsgraph: Depsgraph) -> None:
        """Render one frame."""
        try:
            self._render(depsgraph)
        except JobCancelledError:
            pass
        except (ConvertFieldError, SceneError) as error:
            self.report({"ERROR"}, str(error))
            self.error_set(str(error))

    def _render(self, depsgraph: Depsgraph) -> None:
        scene = depsgraph.scene
        frame = rendered_frame(scene)
        field = source_field(frame)
        if scene.camera is None:
            raise SceneError(
                "The scene has no camera; add one, or look through one of the capture."
            )
        camera = inside_border(render_camera(scene.camera, scene, frame, depsgraph), scene.render)
        item = active_field(frame)
        live = scene.convert_field.live_edits and item.role not in ("EDITED", "LIGHT")
        edits = collect_edits(frame, depsgraph) if live else []
        self.update_stats("", f"Rendering {item.name}")
        pixels = session().pictures.render(
            engine_settings(), field, camera, edits, lambda: bool(self.test_break())
        )
        scale = float(np.cbrt(abs(frame.evaluated_get(depsgraph).matrix_world.determinant())))
        world = None if scene.render.film_transparent else background(scene.world)
        self._write(linear_rgba(pixels, world), blender_depth(pixels, camera, scale))

    def _write(self, rgba: np.ndarray, depth: np.ndarray) -> None:
        """Hand the picture to Blender, whose rows go upwards."""
        height, width = depth.shape
        result = self.begin_result(0, 0, width, height)
        passes = result.layers[0].passes
        passes["Combined"].rect.foreach_set(rgba[::-1].ravel())
        passes["Depth"].rect.foreach_set(depth[::-1].ravel())
        self.end_result(result)


def rendered_frame(scene: Scene) -> Object:
    """Return the frame whose field a scene shows: the one it names, or the only one it has.

    Raises
    ------
    SceneError
        There is none, or several and none is named.
    """
    named = scene_frame(scene)
    if named is not None:
        return named
    frames = [item for item in scene.objects if is_frame(item)]
    if len(frames) == 1:
        return frames[0]
    raise SceneError(
        "The scene has no capture; import one first."
        if not frames
        else "The scene has several captures; choose one in the tab Convert Field."
    )


class CONVERT_FIELD_PT_render(Panel):
    """What the engine renders, among the render properties."""

    bl_idname = "CONVERT_FIELD_PT_render"
    bl_label = "Field"
    bl_space_type = "PROPERTIES"
    bl_region_type = "WINDOW"
    bl_context = "render"
    COMPAT_ENGINES = {ENGINE}

    @classmethod
    def poll(cls, context: Context) -> bool:
        """Show it with this engine alone."""
        return context.scene.render.engine == ENGINE

    def draw(self, context: Context) -> None:
        """Draw it."""
        layout = self.layout
        layout.use_property_split = True
        layout.use_property_decorate = False
        scene = context.scene
        layout.prop(scene.convert_field, "frame", text="Capture", icon="EMPTY_AXIS")
        item = active_field(scene_frame(scene))
        if item is not None:
            layout.prop(item, "name", text="Field")
        layout.prop(scene.convert_field, "live_edits")
        layout.prop(scene.render, "film_transparent", text="Transparent Background")


def _shared_panels() -> list[type[Panel]]:
    """Return Blender's own panels that go with every engine."""
    return [
        panel
        for panel in bpy.types.Panel.__subclasses__()
        if SHARED_PANELS in getattr(panel, "COMPAT_ENGINES", ()) and panel.__name__ not in NOT_OURS
    ]


CLASSES = (FieldRenderEngine, CONVERT_FIELD_PT_render)


def register() -> None:
    """Have Blender's own panels show with this engine."""
    for panel in _shared_panels():
        panel.COMPAT_ENGINES.add(ENGINE)


def unregister() -> None:
    """Take that back."""
    for panel in _shared_panels():
        panel.COMPAT_ENGINES.discard(ENGINE)
