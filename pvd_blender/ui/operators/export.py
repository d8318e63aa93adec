"""The operator that exports the scene as a dataset, in a window one picture after another."""

from pathlib import Path

import bpy
from bpy.props import BoolProperty, EnumProperty, IntProperty, StringProperty
from bpy.types import Context, Event

from ... import api
from ...errors import JobCancelledError
from ...export.scene_export import ExportStep, SceneExport, Steps, export_steps
from ...jobs.session import session
from ...jobs.windows import redraw_panels
from .base import JobOperator, collected, why_no_job

SECONDS_A_TICK = 0.1
"""Seconds between two calls by the timer while an export runs."""

FORMATS = (
    ("nerfstudio", "nerfstudio", "transforms.json, for any camera; instant-ngp reads it as well"),
    (
        "nerf-synthetic",
        "NeRF-Synthetic",
        "transforms_train.json and transforms_test.json; all views of a file have one lens, with "
        "square pixels and without shift",
    ),
    ("colmap", "COLMAP", "A sparse model as text, without points and splits"),
)
CAMERAS = (
    ("SELECTED", "Selected", "The selected cameras"),
    ("ALL", "All", "All cameras of the scene"),
    ("ANIMATION", "Animation", "The active camera at each frame of the scene's range"),
)


class CONVERT_FIELD_OT_export_scene(JobOperator):
    """Export the scene as a dataset that can be imported and trained on."""

    bl_idname = "convert_field.export_scene"
    bl_label = "Export Scene"
    bl_description = (
        "Write cameras of this scene as a NeRF dataset, with a picture from each that is rendered "
        "with the scene's settings; Esc cancels and leaves nothing"
    )
    bl_options = {"REGISTER"}

    step: ExportStep | None = None
    """Progress of the export that runs in a window; a value of the class, for the panel."""

    filepath: StringProperty(
        name="Folder",
        description="New folder, or an empty one",
        subtype="FILE_PATH",
        options={"SKIP_SAVE"},
    )
    filter_folder: BoolProperty(default=True, options={"HIDDEN"})
    format: EnumProperty(name="Format", description="File format of the dataset", items=FORMATS)
    cameras: EnumProperty(
        name="Cameras",
        description="Cameras that see the scene",
        items=CAMERAS,
        default="ALL",
        options={"SKIP_SAVE"},
    )
    pictures: BoolProperty(
        name="Render Pictures",
        description="Render each view; otherwise only the cameras are written, for pictures that "
        "are made elsewhere",
        default=True,
    )
    test_every: IntProperty(
        name="Test Every",
        description="Hold out every Nth view for testing, from the first, or none for 0; cameras "
        "of a capture keep its splits",
        default=8,
        min=0,
    )

    view_transform: BoolProperty(
        name="View Transform",
        description="Lay the scene's view transform, such as AgX, over the pictures; otherwise "
        "they are sRGB, and Blender lays it over the fields that are trained on them",
        default=False,
    )

    @classmethod
    def why_not(cls, context: Context) -> str | None:
        """Return why nothing can be exported now."""
        if cls.step is not None:
            return "The scene is being exported"
        if not any(item.type == "CAMERA" for item in context.scene.objects):
            return "The scene has no camera; add one"
        return why_no_job()

    def invoke(self, context: Context, _event: Event) -> set[str]:
        """Open the file browser; the default is selected cameras, if there are some."""
        chosen = any(item.type == "CAMERA" for item in context.selected_objects)
        if chosen and not self.properties.is_property_set("cameras"):
            self.cameras = "SELECTED"
        if not self.filepath:
            name = Path(bpy.data.filepath).stem or "scene"
            self.filepath = str(Path(bpy.path.abspath("//")) / f"{name} dataset")
        context.window_manager.fileselect_add(self)
        return {"RUNNING_MODAL"}

    def execute(self, context: Context) -> set[str]:
        """Export; in a window step by step, so that it is not blocked."""
        if self.wait:
            return super().execute(context)
        manager = context.window_manager
        self._steps: Steps = export_steps(context.scene, self._export())
        self._cancelled = False
        # Otherwise every picture would open a window of its own.
        self._display = context.preferences.view.render_display_type
        context.preferences.view.render_display_type = "NONE"
        self._timer = manager.event_timer_add(SECONDS_A_TICK, window=context.window)
        session().message, session().error = "", None
        begun = self._go_on(context)
        if begun == {"RUNNING_MODAL"}:
            manager.modal_handler_add(self)
        return begun

    def act(self, _context: Context) -> None:
        """Export and wait."""
        export = self._export()
        api.export_scene(
            export.folder,
            export.cameras,
            format=export.format,
            pictures=export.pictures,
            test_every=export.test_every,
            view_transform=export.view_transform,
        )

    def modal(self, context: Context, event: Event) -> set[str]:
        """Go on when a picture is rendered; other events are held back so that the scene stays."""
        if event.type == "ESC":
            self._cancelled = True
        if event.type != "TIMER" or bpy.app.is_job_running("RENDER"):
            return {"RUNNING_MODAL"}
        return self._go_on(context)

    def cancel(self, context: Context) -> None:
        """Leave nothing when the window is closed."""
        self._end(context)

    def _export(self) -> SceneExport:
        folder = Path(bpy.path.abspath(self.filepath)).absolute()
        return SceneExport(
            folder,
            self.format,
            self.cameras,
            self.pictures,
            self.test_every,
            self.view_transform,
        )

    def _go_on(self, context: Context) -> set[str]:
        """Take the next step, and start its render."""
        failures: list[str] = []
        with collected(failures):
            try:
                if self._cancelled:
                    raise JobCancelledError("The export was cancelled; nothing was written.")
                step = next(self._steps)
            except StopIteration as end:
                self._end(context)
                session().message = end.value
                self.report({"INFO"}, end.value)
                return {"FINISHED"}
            except JobCancelledError as stopped:
                self._end(context)
                session().message = str(stopped)
                self.report({"WARNING"}, str(stopped))
                return {"CANCELLED"}
            CONVERT_FIELD_OT_export_scene.step = step
            redraw_panels()
            if step.render:
                bpy.ops.render.render("INVOKE_DEFAULT", write_still=True, scene=context.scene.name)
        if failures:
            self._end(context)
            session().error = api.ConvertFieldError(failures[0])
            self.report({"ERROR"}, failures[0])
            return {"CANCELLED"}
        return {"RUNNING_MODAL"}

    def _end(self, context: Context) -> None:
        self._steps.close()
        CONVERT_FIELD_OT_export_scene.step = None
        context.window_manager.event_timer_remove(self._timer)
        context.preferences.view.render_display_type = self._display
        redraw_panels()


CLASSES = (CONVERT_FIELD_OT_export_scene,)
