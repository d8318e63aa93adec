"""Settings that training and conversion have in common."""

from bpy.types import Context, UILayout

from ...state.engine_options import ARCHITECTURES
from ...state.settings import StudentSettings, TeacherSettings
from ..status import draw_wrapped


def draw_making(
    layout: UILayout, context: Context, settings: TeacherSettings | StudentSettings
) -> None:
    """Draw the architecture, its size, and the limit of the work."""
    column = layout.column()
    column.prop(settings, "architecture")
    known = ARCHITECTURES.get(settings.architecture)  # a .blend of a newer version can name another
    if known is not None:
        draw_wrapped(column, context, known["good_for"], icon="INFO")
    column.prop(settings, "preset")
    if settings.is_cloud:
        column.prop(settings, "splats")
    row = column.row()
    row.prop(settings, "limit", expand=True)
    if settings.limit == "STEPS":
        column.prop(settings, "steps")
    elif settings.limit == "TIME":
        column.prop(settings, "seconds")
    else:
        column.prop(settings, "until_psnr")
        column.prop(settings, "seconds", text="At Most")


def draw_making_options(body: UILayout, settings: TeacherSettings | StudentSettings) -> None:
    """Draw the settings that few people change."""
    if not settings.is_light and not settings.is_cloud:
        body.prop(settings, "parallel")
    body.prop(settings, "seed")
