"""Finding a picture from the path that a camera file lists for it.

Captures travel: to another machine, through a program that shrinks the images, changes their type
or their names. So the file of a listed path is looked for in turn as

1. the path itself, with any known ending where the path has none;
2. the longest tail of the path that exists in the folder: ``/home/ada/room/images/a.png`` is
   ``images/a.png``, and ``images/images/a.png`` too;
3. the same in a folder of smaller images, ``images_4/a.png``;
4. an image of another type, ``images/a.jpg``;
5. a name that only looks different: capitals, Unicode forms, ``%20``, spaces and underscores.

Nothing outside the folder is opened. Where two names look alike, none is taken.
"""

import contextlib
import os
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath, PureWindowsPath
from urllib.parse import unquote

from ...files.images import SUFFIXES, UNREAD_SUFFIXES

SMALLER = ("_2", "_4", "_8")
"""What nerfstudio and LLFF add to the name of a folder for images of a half, a quarter, an
eighth of the size."""

MOST_TAILS = 6
"""Tails of a path that are looked for; captures have no deeper folders."""

Parts = tuple[str, ...]


@dataclass
class _Listing:
    """The names in a folder, and those of its images by how they look without their ending."""

    files: set[str] = field(default_factory=set)
    folders: dict[str, list[str]] = field(default_factory=dict)
    images: dict[str, list[str]] = field(default_factory=dict)


@dataclass(frozen=True)
class Found:
    """A picture that was found.

    Attributes
    ----------
    relative : PurePosixPath
        Its path in the folder.
    moved : bool
        It is at another path than the file lists.
    """

    relative: PurePosixPath
    moved: bool


class PictureFinder:
    """Finds pictures in a folder.

    Parameters
    ----------
    folder : Path
        The folder that listed paths are relative to.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._listings: dict[Parts, _Listing] = {}

    def find(self, listed: str) -> Found | None:
        """Return the picture of a listed path, or None where there is none in the folder.

        Parameters
        ----------
        listed : str
            Backslashes count as slashes, as in files from Windows.
        """
        parts, stated = path_parts(listed, self.folder)
        for way in (self._exact, self._of_another_type, self._spelled_otherwise):
            for tail in _candidates(parts):
                found = way(tail)
                if found is not None:
                    moved = not stated or way != self._exact or tail != parts
                    return Found(PurePosixPath(*found), moved)
        return None

    def _exact(self, parts: Parts) -> Parts | None:
        """Find the name; its known ending may be in upper or lower case, or left out."""
        name = parts[-1]
        stem, ending = _split(name)
        endings = (ending.lower(),) if ending else (*SUFFIXES, *UNREAD_SUFFIXES)
        return self._first(parts[:-1], [name, *_spellings(stem, endings)])

    def _of_another_type(self, parts: Parts) -> Parts | None:
        stem, ending = _split(parts[-1])
        return self._first(parts[:-1], _spellings(stem, SUFFIXES)) if ending else None

    def _first(self, folder: Parts, names: list[str]) -> Parts | None:
        files = self._listing(folder).files
        return next(((*folder, name) for name in names if name in files), None)

    def _spelled_otherwise(self, parts: Parts) -> Parts | None:
        """Find the one file whose name looks the same, whatever its type."""
        here: Parts = ()
        for part in parts[:-1]:
            names = self._listing(here).folders.get(_look(part), [])
            if len(names) != 1:
                return None
            here = (*here, names[0])
        names = self._listing(here).images.get(_look(_split(parts[-1])[0]), [])
        return (*here, names[0]) if len(names) == 1 else None

    def _listing(self, folder: Parts) -> _Listing:
        """Return a folder's names; none for one that cannot be read."""
        if folder not in self._listings:
            listing = self._listings[folder] = _Listing()
            # The folder does not exist, or may not be read, or its name is no name.
            with (
                contextlib.suppress(OSError, ValueError),
                os.scandir(self.folder.joinpath(*folder)) as entries,
            ):
                for entry in entries:
                    with contextlib.suppress(OSError):  # a circle of links
                        _add(listing, entry)
        return self._listings[folder]


def _add(listing: _Listing, entry: os.DirEntry[str]) -> None:
    stem, ending = _split(entry.name)
    if entry.is_dir():
        listing.folders.setdefault(_look(entry.name), []).append(entry.name)
    elif entry.is_file():
        listing.files.add(entry.name)
        if ending:
            listing.images.setdefault(_look(stem), []).append(entry.name)


def path_parts(listed: str, folder: Path) -> tuple[Parts, bool]:
    """Return the parts of a listed path, and whether they are its whole path in the folder.

    Without ``.`` and ``..``, and without what leads out of the folder.
    """
    text = listed.replace("\\", "/")
    base = folder.absolute().as_posix().rstrip("/") + "/"
    stated = True
    if text.startswith(base):
        text = text[len(base) :]
    elif text.startswith("/") or PureWindowsPath(text).drive:
        text, stated = text[len(PureWindowsPath(text).drive) :], False
    parts: list[str] = []
    for part in text.split("/"):
        if part == "..":
            stated = stated and bool(parts)  # else it leads out of the folder
            del parts[-1:]
        elif part not in ("", "."):
            parts.append(part)
    return tuple(parts), stated


def _candidates(parts: Parts) -> Iterator[Parts]:
    """Yield a path, its tails, and then all of these in folders of smaller images."""
    starts = {0, *range(max(len(parts) - MOST_TAILS, 0), len(parts))} if parts else set()
    tails = [parts[start:] for start in sorted(starts)]
    yield from tails
    for tail in tails:
        yield from _smaller(tail)


def _smaller(parts: Parts) -> Iterator[Parts]:
    """Yield the paths in folders of smaller images, of which one of the last two has the name."""
    for more in SMALLER:
        for index in range(max(len(parts) - 3, 0), len(parts) - 1):
            yield (*parts[:index], parts[index] + more, *parts[index + 1 :])


def _split(name: str) -> tuple[str, str]:
    """Return stem and ending of a name; the ending is empty where it is not one of images."""
    stem, dot, ending = name.rpartition(".")
    known = stem and f".{ending.lower()}" in (*SUFFIXES, *UNREAD_SUFFIXES)
    return (stem, dot + ending) if known else (name, "")


def _spellings(stem: str, endings: tuple[str, ...]) -> list[str]:
    return [stem + ending for lower in endings for ending in (lower, lower.upper())]


def _look(name: str) -> str:
    """Return what names have in common that look alike."""
    plain = unicodedata.normalize("NFKC", unquote(name)).casefold()
    return "_".join(plain.replace("_", " ").split())
