"""Arguments of the verbs that change fields: edit, floaters, merge."""

from dataclasses import dataclass
from pathlib import Path

from tyro.conf import Positional

from ...errors import UserError
from .kinds import Device, FieldPath, FieldPaths, check_resolution, check_suffix


@dataclass(frozen=True, kw_only=True)
class EditArguments:
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

    device: Device = "auto"
    """Where to compute; auto takes the GPU where there is one."""

    def __post_init__(self) -> None:
        check_suffix(self.out, ".safetensors")


@dataclass(frozen=True, kw_only=True)
class FloatersArguments:
    """Find what hangs in the air beside a field's large parts.

    Writes a grid that an edit can erase, {"op": "erase", "region": {"grid": "floaters.npz"}}, and
    the closed surface around it. Erases nothing by itself.

    Example: pvd floaters lego.safetensors --below 0.01 --out floaters.npz
    """

    field: Positional[FieldPath]
    """The field file; may be an edited or merged one."""

    out: Path
    """The file to write; ends in .npz."""

    below: float = 0.01
    """Parts of fewer cells than this share of the largest part's float."""

    resolution: int = 128
    """Cells along the longest side of the field's box."""

    device: Device = "auto"
    """Where to compute; auto takes the GPU where there is one."""

    def __post_init__(self) -> None:
        check_suffix(self.out, ".npz")
        check_resolution(self.resolution)
        if not 0 < self.below <= 1:
            raise UserError(f"--below is a share above 0, up to 1, not {self.below}.")


@dataclass(frozen=True, kw_only=True)
class MergeArguments:
    """Merge several fields into one, each with its place.

    Writes a merged field: the fields as they were, and where each stands. Densities add, and
    colours weigh by density. It renders, becomes a volume, is edited and converts like any other
    field. placements.json is a list with one 4x4 matrix (4 lists of 4 numbers) for each field, from
    its dataset's frame into that of the merged field; it may turn, scale all axes alike and move.

    Example: pvd merge lego.safetensors tree.safetensors --placements p.json --out both.safetensors
    """

    fields: Positional[FieldPaths]
    """The field files; may be edited or merged ones."""

    out: Path
    """The field file to write; ends in .safetensors."""

    placements: Path | None = None
    """The placements.json; without it every field stays where its own frame has it."""

    device: Device = "auto"
    """Where to compute; auto takes the GPU where there is one."""

    def __post_init__(self) -> None:
        check_suffix(self.out, ".safetensors")
