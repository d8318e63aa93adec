"""Merge fields into one: the verb ``merge``."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from .. import __version__
from ..edit.merged_field import MergedField
from ..edit.merged_viewpoints import known_viewpoints, merged_viewpoints
from ..edit.placement import InvalidPlacementError, Placement
from ..errors import UserError
from ..fields.base import Field
from ..fields.storage import content_hash, load_field, save_field
from ..files.checked_json import InvalidJsonError, checked_numbers, read_json
from ..jobs.device import choose_device
from ..jobs.fraction import fraction_reporter
from ..jobs.job import Job
from .arguments import MergeArguments

MAX_FIELDS = 64


def run(arguments: MergeArguments, job: Job) -> dict[str, Any]:
    """The verb ``merge``: field files and placements in, merged field file out."""
    device = choose_device(arguments.device)
    paths, out = [Path(path) for path in arguments.fields], Path(arguments.out)
    if not 1 <= len(paths) <= MAX_FIELDS:
        raise UserError(f"Give 1 to {MAX_FIELDS} fields to merge, not {len(paths)}.")
    placements = [Placement.identity() for _ in paths]
    if arguments.placements is not None:
        placements = read_placements(Path(arguments.placements), len(paths))
    report = fraction_reporter(job)
    parts = []
    for number, path in enumerate(paths):
        report(number / (len(paths) + 1))
        parts.append(load_field(path, device))
    merged = MergedField(parts, placements)
    merged.header["provenance"] = merged_provenance(paths, parts, placements)
    report(1.0)
    save_field(out, merged)
    return {
        "out": str(out),
        "parts": len(parts),
        "box": merged.box.double().tolist(),
        "size": out.stat().st_size,
    }


def read_placements(path: Path, count: int) -> list[Placement]:
    """Read and check a placements.json: a list with one 4x4 matrix, row by row, for each field.

    Raises
    ------
    UserError
        Naming the placement, counted from 1.
    """
    entries = read_json(path)
    if not isinstance(entries, list) or len(entries) != count:
        raise UserError(f"'{path}' must hold a list of one 4x4 matrix for each field, {count}.")
    placements = []
    for number, entry in enumerate(entries, start=1):
        try:
            placements.append(Placement(checked_numbers(entry, "matrix", (4, 4))))
        except InvalidJsonError as error:
            raise UserError(f"Placement {number} of '{path}': {error}.") from error
        except InvalidPlacementError as error:
            raise UserError(f"Placement {number} of '{path}' {error}.") from error
    return placements


def merged_provenance(
    paths: Sequence[Path], parts: Sequence[Field], placements: Sequence[Placement]
) -> dict[str, Any]:
    """What a merged field's file says of its origin; viewpoints where all parts have theirs."""
    origins = [part.header.get("provenance") or {} for part in parts]
    provenance: dict[str, Any] = {
        "made_by": f"pvd merge {__version__}",
        "parents": [{"file": path.name, "hash": content_hash(path)} for path in paths],
        "parent_provenances": origins,
        "placements": [placement.matrix.tolist() for placement in placements],
    }
    poses = [known_viewpoints(origin) for origin in origins]
    found = [part for part in poses if part is not None]
    if len(found) == len(parts):
        provenance["viewpoints"] = merged_viewpoints(found, placements).to_json()
    return provenance
