"""Wording of what a reader guessed, changed or left out."""


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
