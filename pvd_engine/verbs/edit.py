"""Edit a field: erase, keep, move, duplicate, thin out or tint regions of it."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tyro.conf import Positional

from ..jobs.job import Job
from ..jobs.verb import Verb
from .option_kinds import ComputingArguments, FieldPath, check_suffix


@dataclass(frozen=True, kw_only=True)
class EditArguments(ComputingArguments):
    """Erase, keep, move, duplicate, thin out or tint regions of a field, without loss.

    Writes an edited field: the field as it was, with the list of edits. It renders, becomes a
    volume and converts like any other field. edits.json is a list of {"op": "erase" or "keep",
    "region": {"box": ...} or {"sphere": ...} or {"mesh": ...} or {"grid": "file.npz"}} in the
    dataset's frame; "move" and "duplicate" also have a 4x4 matrix "to", "scale_density" has a
    "factor" and "tint" a "color"; "soft" is the width of a soft edge of any of them.

    Example: pvd edit lego.safetensors --edits edits.json --out lego-edited.safetensors
    """

    field: Positional[FieldPath]
    """The field file to edit; may be an edited one."""

    edits: Path
    """The edits.json file."""

    out: Path
    """The field file to write; ends in .safetensors."""

    def __post_init__(self) -> None:
        super().__post_init__()
        check_suffix(self.out, ".safetensors")


def run(arguments: EditArguments, job: Job) -> dict[str, Any]:
    """Read a field and edits, and write the edited field's file.

    Returns
    -------
    dict
        ``out``, ``edits`` (their number), ``removed_fraction`` of the occupied volume, ``warnings``
        and ``size`` (bytes).
    """
    from ..edit.edited_field import EditedField
    from ..edit.edits_json import read_edits
    from ..edit.outcome import outcome
    from ..edit.provenance import edited_provenance
    from ..fields.storage import load_field, save_field
    from ..jobs.device import choose_device
    from ..jobs.fraction import fraction_reporter

    device = choose_device(arguments.device)
    parent = load_field(arguments.field, device)
    edits = read_edits(arguments.edits, parent.space.origin)
    edited = EditedField(parent, edits).to(device)
    edited.header["provenance"] = edited_provenance(arguments.field, parent, edited)
    report = fraction_reporter(job)
    came = outcome(parent, edits, report)
    report(1.0)
    job.warn(came.warnings)
    save_field(arguments.out, edited)
    return {
        "out": str(arguments.out),
        "edits": len(edits),
        "removed_fraction": came.removed,
        "warnings": came.warnings,
        "size": arguments.out.stat().st_size,
    }


VERB = Verb("edit", EditArguments, run)
