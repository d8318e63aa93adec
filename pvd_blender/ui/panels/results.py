"""The last sub-panel, *Results*: the selected field's figures, picture and comparison."""

from collections.abc import Iterator
from pathlib import Path

from bpy.types import Context, Panel, UILayout

from ...engine.checked import is_file
from ...engine.job import describe_seconds
from ...state.engine_options import architecture_label
from ...state.figures import known_figures
from ...state.properties import (
    NO_MEASURE,
    ConvertFieldObject,
    ConvertFieldScene,
    FieldItem,
    active_field,
    active_frame,
)
from ..icons import icons
from ..operators.base import why_no_field
from ..operators.convert import why_no_camera
from .base import StepPanel, draw_reason

PICTURE_SCALE = 6.0
"""Size of the field's picture, in heights of a button."""

NAME_FRACTION = 0.4
"""Width of the names as a fraction of the panel's, as in Blender's property split."""


class CONVERT_FIELD_PT_results(StepPanel, Panel):
    """Last step: view the selected field, measure it, render it."""

    bl_label = "Results"
    bl_order = 4

    def draw_step(self, layout: UILayout, context: Context, _values: ConvertFieldScene) -> None:
        """Draw the step."""
        frame = active_frame(context)
        item = active_field(frame)
        if item is not None:
            _draw_field(layout, item)
            _draw_comparison(layout, frame.convert_field, item)
        layout.operator("convert_field.show_splats", icon="OUTLINER_OB_POINTCLOUD")
        layout.operator("convert_field.render", icon="RENDER_STILL")
        layout.operator("convert_field.combine_by_depth", icon="NODE_COMPOSITING")
        draw_reason(layout, context, why_no_field(context) or why_no_camera(context))


def _draw_field(layout: UILayout, item: FieldItem) -> None:
    icon = icons().picture(item.picture)
    if icon:
        layout.template_icon(icon, scale=PICTURE_SCALE)
    column = layout.column(align=True)
    for name, value in facts(item):
        if not name:  # more on the line above, as wide as the panel
            whole = column.row()
            whole.alignment = "RIGHT"
            whole.label(text=value, translate=False)
            continue
        row = column.split(factor=NAME_FRACTION)
        label = row.row()
        label.alignment = "RIGHT"
        label.label(text=name)
        row.label(text=value, translate=False)


def facts(item: FieldItem) -> Iterator[tuple[str, str]]:
    """Yield the known facts about a field: their names, empty for more on one, and values."""
    yield "Field", item.name
    if item.architecture:
        yield "Architecture", architecture_label(item.architecture)
    for label, psnr, views in known_figures(item):
        yield label, psnr
        if views:
            yield "", views
    if is_file(item.path):
        yield "Size", describe_size(Path(item.path).stat().st_size)
    if item.seconds != NO_MEASURE:
        yield "Time", describe_seconds(item.seconds)


def describe_size(size: int) -> str:
    """Return a file's size as ``"820 kB"`` or ``"3.1 MB"``."""
    return f"{size / 1e6:.1f} MB" if size >= 1e6 else f"{max(round(size / 1e3), 1)} kB"


def _draw_comparison(layout: UILayout, state: ConvertFieldObject, item: FieldItem) -> None:
    if len(state.fields) > 1:
        layout.prop_search(state, "reference", state, "fields", icon="IMAGE_REFERENCE")
    row = layout.row(align=True)
    row.operator("convert_field.compare", icon="IMAGE_REFERENCE")
    if item.report:
        row.operator("convert_field.open_report", icon="URL")


CLASSES = (CONVERT_FIELD_PT_results,)
