"""Reading of a ``placements.json``: where the parts of a merged field stand."""

from pathlib import Path

from ..errors import UserError
from ..files.checked_json import InvalidJsonError, checked_numbers
from ..files.json_input import read_json
from .placement import InvalidPlacementError, Placement


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
