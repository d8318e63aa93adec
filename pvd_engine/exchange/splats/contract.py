"""What every reader and writer of splats takes and returns."""

from dataclasses import dataclass

from ...fields.splats import Splats


@dataclass(frozen=True)
class SplatOptions:
    """Choices that a splat file leaves open.

    Attributes
    ----------
    turn_axes : bool
        Turn between the axes that a format defines (.spz: right, up, back; .glb: left, up, forward)
        and those of a .ply of the same scene (right, down, forward), so that files of one scene
        agree. Some programs write the axes of the .ply into an .spz: then turn nothing.
    spz_version : int
        Version of an .spz that is written: 3, which most programs read, or 4.
    antialiased : bool
        The splats were trained for antialiased rasterising, which an .spz states when written.
    """

    turn_axes: bool = True
    spz_version: int = 3
    antialiased: bool = False


@dataclass(frozen=True)
class ImportedSplats:
    """The content of a splat file.

    Attributes
    ----------
    splats : Splats
        In the file's frame, or turned as the notes say.
    notes : list of str
        Sentences about the frame, and about what was guessed, dropped or clamped.
    antialiased : bool
        The file states that its splats were trained for antialiased rasterising.
    """

    splats: Splats
    notes: list[str]
    antialiased: bool = False
