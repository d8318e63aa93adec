"""File sizes as people write them."""

import re

from ..errors import UserError

_UNITS = {"": 1, "B": 1, "KB": 10**3, "MB": 10**6, "GB": 10**9}
_UNITS |= {"KIB": 2**10, "MIB": 2**20, "GIB": 2**30}


def parse_size(text: str) -> int:
    """Bytes of a size such as ``5MB``, ``750 kB`` or ``1.5MiB``.

    Raises
    ------
    UserError
        When the text is no size, or less than a byte.
    """
    match = re.fullmatch(r"\s*([0-9]{0,12}\.?[0-9]{0,6})\s*([A-Za-z]{0,3})\s*", text)
    unit = None if match is None else _UNITS.get(match[2].upper())
    if match is None or unit is None or not match[1].strip("."):
        raise UserError(f"'{text}' is no file size; write for instance 5MB or 800kB.")
    size = int(float(match[1]) * unit)
    if size < 1:
        raise UserError(f"A file size must be at least one byte, not '{text}'.")
    return size
