"""The N-panel "Convert Field": what runs, the capture's fields, and the four steps.

What became of them is in `results_panel`.
"""

from bpy.types import Context, Object, Panel, UILayout, UIList

from ..scene.edit_properties import PLACING, shape_of
from ..scene.edit_shapes import edit_shapes
from ..state.presets import CONVERT_FIELD_PT_student_presets, CONVERT_FIELD_PT_teacher_presets
from ..state.properties import AUTO_SCENE, NO_MEASURE, ConvertFieldScene, active_field, active_frame
from ..state.settings import GOOD_FOR, StudentSettings, TeacherSettings
from ..volume.field_nodes import nodes_can_edit
from .operators.base import why_no_capture, why_no_density
from .operators.capture import dataset_cameras
from .operators.edit import why_no_merge
from .status import draw_status, draw_wrapped

ROLE_ICONS = {
    "TEACHER": "LIGHTPROBE_VOLUME",
    "EDITED": "MOD_BOOLEAN",
    "STUDENT": "FILE_REFRESH",
    "MERGED": "SELECT_EXTEND",
    "LIGHT": "LIGHT_SUN",
}
OPERATION_ICONS = {
    "erase": "SELECT_SUBTRACT",
    "keep": "SELECT_INTERSECT",
    "move": "CON_LOCLIKE",
    "duplicate": "DUPLICATE",
    "scale_density": "VOLUME_DATA",
    "tint": "COLOR",
}
BIG = 1.4


class CONVERT_FIELD_UL_fields(UIList):
    """The fields of a capture, each with how it came to be and its quality."""

    bl_idname = "CONVERT_FIELD_UL_fields"

    def draw_item(  # noqa: D102
        self, context, layout, data, item, icon, active_data, active_property, index=0, flag=0
    ) -> None:  # fmt: skip
        row = layout.row(align=True)
        row.prop(item, "name", text="", emboss=False, icon=ROLE_ICONS[item.role])
        quality = row.row()
        quality.alignment = "RIGHT"
        quality.label(text="" if item.psnr == NO_MEASURE else f"{item.psnr:.1f} dB")
        if item.volume is not None:
            row.prop(item.volume, "hide_viewport", text="", emboss=False)


class _ConvertFieldPanel:
    bl_space_type = "VIEW_3D"
    bl_region_type = "UI"
    bl_category = "Convert Field"


class CONVERT_FIELD_PT_main(_ConvertFieldPanel, Panel):
    """The capture that is worked on, what runs, and the fields that there are."""

    bl_idname = "CONVERT_FIELD_PT_main"
    bl_label = "Convert Field"

    def draw(self, context: Context) -> None:
        """Draw it."""
        layout = self.layout
        layout.use_property_split = True
        layout.use_property_decorate = False
        draw_status(layout, context)
        layout.prop(context.scene.convert_field, "frame", text="", icon="EMPTY_AXIS")
        frame = active_frame(context)
        if frame is not None:
            state = frame.convert_field
            row = layout.row()
            row.template_list(
                "CONVERT_FIELD_UL_fields", "", state, "fields", state, "active_field", rows=3
            )
            buttons = row.column(align=True)
            buttons.operator("convert_field.add_field", text="", icon="ADD")
            buttons.operator("convert_field.remove_field", text="", icon="REMOVE")


class StepPanel(_ConvertFieldPanel):
    """One of the sub-panels."""

    bl_parent_id = "CONVERT_FIELD_PT_main"

    def draw(self, context: Context) -> None:
        """Draw the step in Blender's layout of labels left, values right."""
        self.layout.use_property_split = True
        self.layout.use_property_decorate = False
        self.draw_step(self.layout, context, context.scene.convert_field)


class CONVERT_FIELD_PT_capture(StepPanel, Panel):
    """First step: import a capture and look at it."""

    bl_label = "Capture"
    bl_order = 0

    def draw_step(self, layout: UILayout, context: Context, _values: ConvertFieldScene) -> None:
        """Draw it."""
        frame = active_frame(context)
        _big(layout).operator("convert_field.import_capture", icon="IMPORT")
        if frame is not None:
            state = frame.convert_field
            layout.label(text=state.summary, icon="CAMERA_DATA")
            for note in filter(None, state.notes.split("\n")):
                draw_wrapped(layout, context, note, icon="INFO")
            if dataset_cameras(frame):
                row = layout.row(align=True)
                row.operator("convert_field.look_through", text="", icon="TRIA_LEFT").offset = -1
                row.operator("convert_field.look_through", icon="VIEW_CAMERA").offset = 0
                row.operator("convert_field.look_through", text="", icon="TRIA_RIGHT").offset = 1
            layout.prop(state, "scene")
            if state.scene == AUTO_SCENE:
                draw_wrapped(layout, context, state.scene_found, icon="WORLD")
            layout.prop(state, "downscale")
        layout.operator("convert_field.export_scene", icon="EXPORT")


class CONVERT_FIELD_PT_teacher(StepPanel, Panel):
    """Second step: train a teacher and show it."""

    bl_label = "Teacher"
    bl_order = 1

    def draw_header_preset(self, _context: Context) -> None:
        """Draw the button of the presets."""
        CONVERT_FIELD_PT_teacher_presets.draw_panel_header(self.layout)

    def draw_step(self, layout: UILayout, context: Context, values: ConvertFieldScene) -> None:
        """Draw it."""
        _draw_making(layout, context, values.teacher)
        body = _folded(layout, "convert_field_teacher", "Options")
        if body is not None:
            _draw_making_options(body, values.teacher)
        _big(layout).operator("convert_field.train", icon="PLAY")
        draw_reason(layout, context, why_no_capture(context))
        layout.separator()
        layout.prop(values, "volume_resolution")
        layout.prop(values, "show_volume")
        layout.operator("convert_field.extract_volume", icon="VOLUME_DATA")


class CONVERT_FIELD_PT_edit(StepPanel, Panel):
    """Third step: edit shapes, and merging."""

    bl_label = "Edit"
    bl_order = 2

    def draw_step(self, layout: UILayout, context: Context, values: ConvertFieldScene) -> None:
        """Draw it."""
        frame = active_frame(context)
        icon = OPERATION_ICONS[values.edit_operation]
        layout.prop(values, "edit_operation", text="New Shape", icon=icon)
        row = layout.row(align=True)
        for shape, text in (("box", "Box"), ("sphere", "Sphere"), ("meshes", "Meshes")):
            button = row.operator("convert_field.add_shape", text=text)
            button.op, button.shape = values.edit_operation, shape
        if nodes_can_edit():
            layout.operator("convert_field.add_field_erase", icon="GEOMETRY_NODES")
        layout.operator("convert_field.find_floaters", icon="OUTLINER_OB_POINTCLOUD")
        if frame is not None:
            _draw_shapes(layout, context, edit_shapes(frame, with_off=True))
        _big(layout).operator("convert_field.apply_edits", icon="CHECKMARK")
        draw_reason(layout, context, why_no_density(context))
        layout.separator()
        layout.operator("convert_field.merge_fields", icon="SELECT_EXTEND")
        if why_no_density(context) is None:
            draw_reason(layout, context, why_no_merge(context))


class CONVERT_FIELD_PT_convert(StepPanel, Panel):
    """Fourth step: distil into another architecture."""

    bl_label = "Convert"
    bl_order = 3

    def draw_header_preset(self, _context: Context) -> None:
        """Draw the button of the presets."""
        CONVERT_FIELD_PT_student_presets.draw_panel_header(self.layout)

    def draw_step(self, layout: UILayout, context: Context, values: ConvertFieldScene) -> None:
        """Draw it."""
        item = active_field(active_frame(context))
        if item is not None:
            row = layout.split(factor=0.4)
            label = row.row()
            label.alignment = "RIGHT"
            label.label(text="From")
            row.label(text=item.name, icon=ROLE_ICONS[item.role])
        _draw_making(layout, context, values.student)
        body = _folded(layout, "convert_field_student", "Options")
        if body is not None:
            _draw_making_options(body, values.student)
            draw = _draw_light if values.student.is_light else _draw_distillation
            draw(body, values.student)
        _big(layout).operator("convert_field.convert", icon="FILE_REFRESH")
        draw_reason(layout, context, why_no_density(context))


def _big(layout: UILayout) -> UILayout:
    row = layout.row()
    row.scale_y = BIG
    return row


def draw_reason(layout: UILayout, context: Context, reason: str | None) -> None:
    """Say under a greyed-out button why it is; what the status says already is not repeated."""
    if reason:
        draw_wrapped(layout, context, reason, icon="INFO")


def _draw_making(
    layout: UILayout, context: Context, settings: TeacherSettings | StudentSettings
) -> None:
    column = layout.column()
    column.prop(settings, "architecture")
    draw_wrapped(column, context, GOOD_FOR[settings.architecture], icon="INFO")
    column.prop(settings, "preset")
    row = column.row()
    row.prop(settings, "limit", expand=True)
    if settings.limit == "STEPS":
        column.prop(settings, "steps")
    elif settings.limit == "TIME":
        column.prop(settings, "seconds")
    else:
        column.prop(settings, "quality")
        column.prop(settings, "seconds", text="At Most")


def _draw_making_options(body: UILayout, settings: TeacherSettings | StudentSettings) -> None:
    if not settings.is_light:
        body.prop(settings, "beside")
    body.prop(settings, "seed")


def _folded(layout: UILayout, name: str, label: str) -> UILayout | None:
    """The body of a part that is folded at first; None while it is."""
    header, body = layout.panel(name, default_closed=True)
    header.label(text=label)
    return body


def _draw_distillation(body: UILayout, student: StudentSettings) -> None:
    body.prop(student, "max_size", placeholder="No limit")
    body.prop(student, "stages")
    column = body.column(heading="Learn Again")
    for name in ("hard_poses", "hard_rays", "hard_points"):
        column.prop(student, name)
    column = body.column(heading="Method")
    for name in ("projection", "density_constraint", "inherit", "through_sparse_tensor"):
        column.prop(student, name)
    body.prop(student, "report")


def _draw_light(body: UILayout, student: StudentSettings) -> None:
    for name in ("ray_points", "ray_encoding", "ray_interval"):
        body.prop(student, name)
    column = body.column(heading="Rays")
    for name in ("ray_skip_empty", "ray_hard", "ray_importance"):
        column.prop(student, name)
    body.prop(student, "fine_tune", slider=True)
    body.prop(student, "report")


def _draw_shapes(layout: UILayout, context: Context, shapes: list[Object]) -> None:
    """Draw the list of the shapes, and the settings of the active one."""
    if not shapes:
        return
    box = layout.box()
    column = box.column(align=True)
    for item in shapes:
        row = column.row(align=True)
        icon = OPERATION_ICONS[shape_of(item).op]
        row.prop(item, "hide_viewport", text="", emboss=False)
        row.prop(item, "name", text="", emboss=item == context.active_object, icon=icon)
        row.operator("convert_field.remove_shape", text="", icon="X", emboss=False).name = item.name
    if context.active_object in shapes:
        values = shape_of(context.active_object)
        column = box.column()
        column.prop(values, "op")
        if values.op in PLACING:
            column.prop(values, "target")
        elif values.op == "scale_density":
            column.prop(values, "factor")
        elif values.op == "tint":
            column.prop(values, "color")
        column.prop(values, "soft")


CLASSES = (
    CONVERT_FIELD_UL_fields,
    CONVERT_FIELD_PT_main,
    CONVERT_FIELD_PT_capture,
    CONVERT_FIELD_PT_teacher,
    CONVERT_FIELD_PT_edit,
    CONVERT_FIELD_PT_convert,
)
