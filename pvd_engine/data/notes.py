"""Wording of notes: counts, percentages, and what was left out."""

from collections.abc import Sequence


def counted(count: int, one: str, many: str, of: int | None = None) -> str:
    """Return a count and what is counted: ``"1 image has"``, ``"3 of 9 images have"``.

    Parameters
    ----------
    count : int
    one, many : str
        What follows for a count of one, and for any other.
    of : int, optional
        Number of all.
    """
    number = f"{count}" if of is None else f"{count} of {of}"
    return f"{number} {one if count == 1 else many}"


def left_out(faults: Sequence[object], total: int) -> list[str]:
    """Return the note about camera entries that are wrong, if there are any.

    Parameters
    ----------
    faults : sequence
        A sentence, or the error with it, for each entry that was left out.
    total : int
        Number of all entries.
    """
    if not faults:
        return []
    gone = counted(len(faults), "camera entries was", "camera entries were", of=total)
    return [f"{gone} left out. The first: {faults[0]}"]


def percentage(fraction: float, decimals: int = 0) -> str:
    """Return a fraction as ``"12.5 %"``; what is not nothing is not ``"0.0 %"``, nor all but all.

    Parameters
    ----------
    fraction : float
        From 0 to 1, or above.
    decimals : int
    """
    percent, least = 100 * fraction, 10**-decimals
    if 0 < percent < least:
        return f"less than {least:g} %"
    if 100 - least < percent < 100:
        return f"more than {100 - least:g} %"
    return f"{percent:.{decimals}f} %"
