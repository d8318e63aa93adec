"""Merge several fields into one."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tyro.conf import Positional

from ..errors import UserError
from ..jobs.job import Job
from ..jobs.verb import Verb
from .option_kinds import ComputingArguments, FieldPaths, check_suffix


@dataclass(frozen=True, kw_only=True)
class MergeArguments(ComputingArguments):
    """Merge several fields into one, each at its place.

    Writes a merged field: the fields as they were, and where each stands. Densities add, and
    colours are weighted by density. It renders, becomes a volume, is edited and converts like any
    other field. placements.json is a list with one 4x4 matrix (4 lists of 4 numbers) for each
    field, from its dataset's frame into that of the merged field; it may turn, scale all axes alike
    and move.

    Example: pvd merge lego.safetensors tree.safetensors --placements p.json --out both.safetensors
    """

    fields: Positional[FieldPaths]
    """The field files; may be edited or merged ones."""

    out: Path
    """The field file to write; ends in .safetensors."""

    placements: Path | None = None
    """The placements.json; without it every field stays where its own frame has it."""

    def __post_init__(self) -> None:
        super().__post_init__()
        check_suffix(self.out, ".safetensors")


def run(arguments: MergeArguments, job: Job) -> dict[str, Any]:
    """Read fields and placements, and write the merged field's file.

    Returns
    -------
    dict
        ``out``, ``parts`` (their number), ``box``, its corners in the dataset frame, and ``size``
        (bytes).
    """
    from ..edit.merged_field import MergedField, merged_origin
    from ..edit.placement import Placement
    from ..edit.placements_json import read_placements
    from ..edit.provenance import merged_provenance
    from ..fields.limits import MAX_PARTS
    from ..fields.storage import load_field, save_field
    from ..jobs.device import choose_device
    from ..jobs.fraction import fraction_reporter

    device, paths = choose_device(arguments.device), arguments.fields
    if not 1 <= len(paths) <= MAX_PARTS:
        raise UserError(f"Give 1 to {MAX_PARTS} fields to merge, not {len(paths)}.")
    placements = [Placement.identity() for _ in paths]
    if arguments.placements is not None:
        placements = read_placements(arguments.placements, len(paths))
    report = fraction_reporter(job)
    parts = []
    for number, path in enumerate(paths):
        report(number / (len(paths) + 1))
        parts.append(load_field(path, device))
    origin = merged_origin(parts, placements)
    local = [
        placement.counted_from(part.space.origin, origin)
        for part, placement in zip(parts, placements, strict=True)
    ]
    merged = MergedField(parts, local, origin=origin)
    merged.header["provenance"] = merged_provenance(paths, parts, placements)
    report(1.0)
    save_field(arguments.out, merged)
    return {
        "out": str(arguments.out),
        "parts": len(parts),
        "box": merged.space.dataset_box().tolist(),
        "size": arguments.out.stat().st_size,
    }


VERB = Verb("merge", MergeArguments, run)
