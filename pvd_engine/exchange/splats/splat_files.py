"""Splat files of all formats, recognised by their first bytes, or by their suffix."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from ...errors import UserError
from ...fields.splats import Splats
from ...files.file_input import opened
from .compressed_ply import write_compressed_ply
from .contract import ImportedSplats, SplatOptions
from .glb import read_glb_splats, write_glb_splats
from .glb_layout import MAGIC
from .ply import read_ply, write_ply
from .sog import read_sog
from .splat import read_splat, write_splat
from .spz import SIGNATURES, read_spz, write_spz


@dataclass(frozen=True)
class SplatFormat:
    """A format of splat files.

    Attributes
    ----------
    suffix : str
        End of a file's name, lower case.
    signatures : tuple of bytes
        First bytes, any of them; none where the suffix alone tells.
    read : callable
    write : callable or None
        None for a format that is only read.
    """

    suffix: str
    signatures: tuple[bytes, ...]
    read: Callable[[Path, SplatOptions], ImportedSplats]
    write: Callable[[Splats, Path, SplatOptions], list[str]] | None


FORMATS = (
    SplatFormat(".compressed.ply", (b"ply",), read_ply, write_compressed_ply),
    SplatFormat(".ply", (b"ply",), read_ply, write_ply),
    SplatFormat(".spz", SIGNATURES, read_spz, write_spz),
    SplatFormat(".splat", (), read_splat, write_splat),
    SplatFormat(".sog", (b"PK",), read_sog, None),
    SplatFormat(".glb", (MAGIC,), read_glb_splats, write_glb_splats),
)
"""All formats; a suffix that ends like another one stands before it."""


def is_named_as_splats(path: Path) -> bool:
    """Return whether a file's name ends as that of a format of splats."""
    return any(path.name.lower().endswith(kind.suffix) for kind in FORMATS)


def read_splats(path: Path, options: SplatOptions | None = None) -> ImportedSplats:
    """Read a file of splats of any format.

    Parameters
    ----------
    path : Path
    options : SplatOptions, optional

    Returns
    -------
    ImportedSplats

    Raises
    ------
    UserError
        The file cannot be read, is damaged, of no known format, or holds no splats.
    """
    path = Path(path)
    with opened(path) as file:
        start = file.read(4)
    named = [kind for kind in FORMATS if path.name.lower().endswith(kind.suffix)]
    begun = [kind for kind in FORMATS if start.startswith(kind.signatures)]
    # A format without a signature can start with any bytes, also with those of another format.
    for kind in [*(kind for kind in named if not kind.signatures), *begun, *named]:
        return kind.read(path, options or SplatOptions())
    raise UserError(
        f"{path} is not a splat file that can be read; convert it to .ply or .spz, with "
        "splat-transform for example."
    )


def write_splats(splats: Splats, path: Path, options: SplatOptions | None = None) -> list[str]:
    """Write splats in the format of the path's suffix, the whole file or none.

    Parameters
    ----------
    splats : Splats
    path : Path
    options : SplatOptions, optional

    Returns
    -------
    list of str
        Sentences about the frame, and about what the file does not hold.

    Raises
    ------
    UserError
        The suffix is unknown, the splats do not fit the format, or the file cannot be written.
    """
    path = Path(path)
    for kind in FORMATS:
        if kind.write is not None and path.name.lower().endswith(kind.suffix):
            return kind.write(splats, path, options or SplatOptions())
    known = ", ".join(kind.suffix for kind in FORMATS if kind.write is not None)
    raise UserError(f"Splats cannot be written as '{path.name}'; end its name with one of {known}.")
