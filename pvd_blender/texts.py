"""Texts that people read: the names of figures, and what files and the engine say, made safe."""

import re
import sys
from collections.abc import Iterable

FIGURES = {"psnr_to_images": "PSNR to images", "psnr_to_source": "PSNR to source"}
"""Meanings of a PSNR, by the engine's key: to the capture's images, or to the source field."""

_OBEYED = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ud800-\udfff]")
"""Control characters but tab and newline, overrides of the writing direction, surrogates."""


def printable(text: object) -> str:
    """Return a text without characters that a terminal obeys; each becomes an escape of JSON.

    Names and texts of files from strangers must not move the cursor, colour the screen or turn the
    direction of writing. The engine does the same with its own output.
    """
    return _OBEYED.sub(lambda found: f"\\u{ord(found.group()):04x}", str(text))


def joined(sentences: Iterable[str]) -> str:
    """Return sentences as one text; of empty ones nothing."""
    return ". ".join(sentence.rstrip(".") for sentence in sentences if sentence)


def decibel(value: float) -> str:
    """Return a PSNR for people, such as ``"24.1 dB"``."""
    return f"{round(value, 1) + 0.0:.1f} dB"  # adding 0 makes -0.0 to 0.0


def say(text: object, as_error: bool = False) -> None:
    """Print a line to Blender's console; everything that the add-on prints goes this way."""
    stream = sys.stderr if as_error else sys.stdout
    print(printable(text), file=stream, flush=True)
