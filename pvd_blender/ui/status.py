"""The top of the panel: the engine, the running job, failures, unfinished jobs."""

from collections.abc import Iterator

import blf
import bpy
from bpy.app.translations import pgettext_iface as iface_
from bpy.types import Context, UILayout

from ..api.engine import OFFLINE
from ..engine.job import State, describe_progress
from ..export.scene_export import ExportStep
from ..jobs.session import Session, session
from ..preferences import ADD_ON, engine_problem
from .icons import icons
from .operators.export import CONVERT_FIELD_OT_export_scene

FONT, FONT_POINTS = 0, 11.0
"""The interface's font, and its size in Blender's themes, points."""

MARGIN = 88.0
"""Width of a panel's borders, its tabs and the icon of a label, pixels at a scale of 1."""

BOX_MARGIN = 20.0
"""Width of the borders of a box, pixels at a scale of 1."""

BUTTON_WIDTH = 44.0
"""Width of a button next to a text, pixels at a scale of 1."""

LONGEST_TEXT = 600
"""Longest text that is drawn whole, characters."""

PREVIEW_SCALE = 7.0
"""Size of the pictures of a running job, in heights of a button."""


def draw_wrapped(
    layout: UILayout, context: Context, text: str, icon: str = "NONE", reserved: float = 0.0
) -> None:
    """Draw a sentence in as many lines as the panel's width needs.

    Parameters
    ----------
    layout : UILayout
    context : Context
    text : str
    icon : str
    reserved : float
        Width that is kept free next to the text, pixels at a scale of 1.
    """
    scale = context.preferences.system.ui_scale
    width = context.region.width if context.region else 300 * scale
    room = width - (MARGIN + reserved) * scale
    column = layout.column(align=True)
    shown = iface_(text)
    if len(shown) > LONGEST_TEXT:
        shown = f"{shown[:LONGEST_TEXT]}…"
    for number, line in enumerate(_lines(shown, room, scale)):
        column.label(text=line, icon=icon if number == 0 else "BLANK1", translate=False)


def _lines(text: str, room: float, scale: float) -> Iterator[str]:
    """Break a text, and words that are longer than a line, at the width of a line."""
    blf.size(FONT, FONT_POINTS * scale)

    def fits(line: str) -> bool:
        return blf.dimensions(FONT, line)[0] <= room

    line = ""
    for word in text.split():
        longer = f"{line} {word}".lstrip()
        if line and not fits(longer):
            yield line
            longer = word
        while not fits(longer) and len(longer) > 1:
            part = next(n for n in range(len(longer) - 1, 0, -1) if n == 1 or fits(longer[:n]))
            yield longer[:part]
            longer = longer[part:]
        line = longer
    yield line


def draw_status(layout: UILayout, context: Context) -> None:
    """Draw the state of engine and jobs; nothing while there is nothing to report."""
    running = session()
    problem = engine_problem()
    if problem:
        _draw_problem(layout, context, problem)
    if running.error is not None:
        _draw_error(layout.box(), context, running)
    if CONVERT_FIELD_OT_export_scene.step is not None:
        _draw_export(layout.box(), CONVERT_FIELD_OT_export_scene.step)
    if running.busy:
        _draw_job(layout.box(), running)
        return
    if running.error is None and running.message:
        _draw_message(layout.row(), context, running)
    for job in running.unfinished:
        row = layout.row(align=True)
        row.label(text=job.label, icon="PAUSE")
        row.operator("convert_field.resume", icon="PLAY").folder = str(job.folder)
        row.operator("convert_field.discard", text="", icon="TRASH").folder = str(job.folder)


def _draw_problem(layout: UILayout, context: Context, problem: str) -> None:
    box = layout.box()
    box.alert = True
    draw_wrapped(box, context, problem, icon="ERROR", reserved=BOX_MARGIN)
    set_up = session().engine.set_up
    if set_up is not None:
        draw_wrapped(box, context, set_up.text, icon="SORTTIME", reserved=BOX_MARGIN)
        box.operator("convert_field.cancel_set_up", icon="CANCEL")
        return
    box.operator("convert_field.set_up_engine", icon="IMPORT")
    if not bpy.app.online_access:
        draw_wrapped(box, context, OFFLINE, icon="INFO", reserved=BOX_MARGIN)
    box.operator(
        "preferences.addon_show", text="Open Preferences", icon="PREFERENCES"
    ).module = ADD_ON


def _draw_job(box: UILayout, running: Session) -> None:
    job = running.job
    box.label(text=running.task.label, icon="SORTTIME")
    row = box.row()
    for icon in filter(None, (icons().picture(job.preview), icons().curve(job.curve))):
        row.template_icon(icon, scale=PREVIEW_SCALE)
    box.progress(factor=job.progress.fraction, type="BAR", text=describe_progress(job))
    row = box.row()
    row.enabled = job.state is not State.CANCELLING
    row.operator("convert_field.cancel", icon="CANCEL")
    for index, task in enumerate(running.queue):
        row = box.row()
        row.label(text=task.label, icon="TIME")
        row.operator("convert_field.unqueue", text="", icon="X", emboss=False).index = index


def _draw_export(box: UILayout, step: ExportStep) -> None:
    box.label(text="Export Scene", icon="RENDER_STILL")
    box.progress(factor=step.fraction, type="BAR", text=step.text)
    box.label(text="Press Esc to cancel", icon="CANCEL")


def _draw_message(row: UILayout, context: Context, running: Session) -> None:
    draw_wrapped(row, context, running.message, icon="CHECKMARK", reserved=BUTTON_WIDTH)
    row.operator("convert_field.dismiss", text="", icon="X", emboss=False)


def _draw_error(box: UILayout, context: Context, running: Session) -> None:
    column = box.column()
    column.alert = True
    draw_wrapped(column, context, running.error.sentence, icon="ERROR", reserved=BOX_MARGIN)
    row = box.row()
    if running.error.log is not None:
        row.operator("convert_field.open_log", icon="TEXT")
    row.operator("convert_field.dismiss", icon="X")
