"""Results of jobs with splats: objects, fields and files."""

from pathlib import Path

import bpy
from bpy.types import Object

from ..errors import ConvertFieldError
from ..scene.frame import NAME, create_bare_frame
from ..splats.display import DISPLAY_ONLY
from ..splats.native import has_native_splats
from ..splats.objects import precision_notes, show_splats
from ..splats.ply import read_ply
from ..state.displays import show_only
from ..state.field_file import FieldFacts, field_facts
from ..state.field_list import list_field_file
from ..state.properties import find_field, frame_state
from ..texts import joined
from .outcome import Ended, Outcome, frame_of_job, with_warnings
from .tasks.splats import CLOUD

OWN_FRAME = "It has no photographs, and stands in a frame of its own, '{}'"


def finish_export(job: Ended) -> Outcome:
    """Show the splats that a field was exported as, or report the file that was written."""
    if job.client.flag("saved", False):
        (job.folder / CLOUD).unlink(missing_ok=True)
        return Outcome(job.out, joined([with_warnings(f"Saved {job.out.name}", job), _note(job)]))
    frame, source = frame_of_job(job), job.field
    item = find_field(frame, source)
    splats, notes = read_ply(job.out)
    notes += precision_notes(frame)
    name = f"{frame[NAME]} {item.name if item else Path(source).stem} splats"
    shown = show_splats(splats, name, frame, item.splats if item else None)
    if item is not None:
        item.splats = shown
        show_only(frame, shown)
    done = f"Made {len(splats):,} splats of '{item.name if item else Path(source).stem}'"
    if not has_native_splats():
        notes.append(DISPLAY_ONLY)
    return Outcome(shown, joined([with_warnings(done, job), *notes]))


def finish_import(job: Ended) -> Outcome:
    """List the field that was made of splats; without a capture, in a new frame."""
    (job.folder / CLOUD).unlink(missing_ok=True)
    name, path = job.client.text("name"), job.out
    facts = field_facts(path)
    own = "matrix" in job.client
    frame = _new_frame(job, name, facts) if own else frame_of_job(job)
    item = list_field_file(frame, path, facts)
    done = with_warnings(f"Made '{item.name}' of {name}", job)
    return Outcome(path, joined([done, _note(job), OWN_FRAME.format(frame.name) if own else ""]))


def _note(job: Ended) -> str:
    """Return what the add-on noticed when it read the splats of the scene."""
    return job.client.text("note", "")


def _new_frame(job: Ended, name: str, facts: FieldFacts) -> Object:
    if facts.box is None or not (facts.box[0] < facts.box[1]).all():
        raise ConvertFieldError(f"{job.out} is no field of splats; start the step again.")
    frame = create_bare_frame(name, facts.box, job.client.numbers("matrix", (4, 4)))
    frame_state(frame).summary = "No photographs: made of splats"
    bpy.context.scene.convert_field.frame = frame
    return frame
