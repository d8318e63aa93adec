"""What happens while the camera entries of a capture are read, as notes."""

from dataclasses import dataclass, field

from ...errors import UserError
from ..capture import View
from ..notes import counted, left_out


@dataclass
class EntryReport:
    """Events while the camera entries of a capture are read; they become the capture's notes.

    Attributes
    ----------
    listed : int
        Camera entries in the files.
    missing : list of str
        Listed images that do not exist.
    resized : dict
        Number of images by (stated size, actual size).
    corrected : list of str
        Clauses about matrices that were changed.
    masked, hidden : int
        Number of images with a mask that is black, or white, where pixels do not count.
    missing_masks : list of str
        Listed masks that do not exist.
    transparent : list of View
        Views whose image may have transparency.
    cut_out : int
        Number of images whose transparency is stated outside of their file.
    circled : int
        Number of images of which only a circle counts.
    completed : int
        Number of entries whose width or height is that of the image.
    rays : int
        Number of images with a file of rays.
    moved : list of (str, str)
        Listed path and path of images that were found elsewhere in the folder.
    rounded : dict
        Number of entries by (stated size, size that is used), where a size is no whole number.
    faults : list of str
        Why entries were left out.
    """

    listed: int = 0
    missing: list[str] = field(default_factory=list)
    resized: dict[tuple[tuple[int, int], tuple[int, int]], int] = field(default_factory=dict)
    corrected: list[str] = field(default_factory=list)
    masked: int = 0
    hidden: int = 0
    missing_masks: list[str] = field(default_factory=list)
    transparent: list[View] = field(default_factory=list)
    cut_out: int = 0
    circled: int = 0
    completed: int = 0
    rays: int = 0
    moved: list[tuple[str, str]] = field(default_factory=list)
    rounded: dict[tuple[tuple[float, float], tuple[int, int]], int] = field(default_factory=dict)
    faults: list[str] = field(default_factory=list)

    def without_views(self, source: object) -> UserError:
        """Return the error for a file or folder none of whose entries could be read."""
        if self.faults and not self.missing:
            more = f" (as {len(self.faults) - 1} more)" if len(self.faults) > 1 else ""
            return UserError(f"{self.faults[0].rstrip('.')}{more}.")
        first = f" (the first is {self.missing[0]})" if self.missing else ""
        return UserError(
            f"None of the {self.listed} images that {source} lists exists{first}; put the images "
            "at these paths."
        )

    def notes(self) -> list[str]:
        """Return a sentence for each kind of guess, change or omission."""
        notes = []
        if self.missing:
            gone = counted(
                len(self.missing),
                "listed images does not exist and was",
                "listed images do not exist and were",
                of=self.listed,
            )
            notes.append(f"{gone} left out (the first is {self.missing[0]}).")
        notes += left_out(self.faults, self.listed)
        if self.moved:
            listed, found = self.moved[0]
            here = counted(len(self.moved), "image was", "images were")
            notes.append(
                f"{here} found at another path than listed (the first is {found} for {listed})."
            )
        for (stated, used), count in self.rounded.items():
            notes.append(
                f"{counted(count, 'camera entry states', 'camera entries state')} a size of "
                f"{stated[0]:g} x {stated[1]:g} pixels, which was read as {used[0]} x {used[1]}."
            )
        for (stated, actual), count in self.resized.items():
            notes.append(
                f"{counted(count, 'image has', 'images have')} {actual[0]} x {actual[1]} pixels "
                f"where the file states {stated[0]} x {stated[1]}; the intrinsics were rescaled."
            )
        if self.corrected:
            more = f" (and {len(self.corrected) - 1} more)" if len(self.corrected) > 1 else ""
            notes.append(
                f"The matrix of {self.corrected[0]}{more}; it was changed to an exact rotation."
            )
        for count, kind, pixels in (
            (self.masked, "a mask", "black pixels are"),
            (self.hidden, "a dynamic_mask of instant-ngp", "pixels that are not black are"),
            (self.circled, "a circle (fisheye_crop_radius)", "pixels outside it are"),
        ):
            if count:
                notes.append(
                    f"{counted(count, 'image has', 'images have')} {kind}: its {pixels} used "
                    "neither for training nor for measuring."
                )
        if self.missing_masks:
            gone = counted(
                len(self.missing_masks),
                "listed mask does not exist, so all pixels of its image",
                "listed masks do not exist, so all pixels of their images",
            )
            notes.append(f"{gone} count (the first is {self.missing_masks[0]}).")
        for count, have, told in (
            (self.cut_out, "transparency that the camera file states", "it is used"),
            (self.rays, "a file of rays (rays_*.dat)", "rays come from the lens instead"),
            (self.completed, "a width or height that the file does not state", "it was measured"),
        ):
            if count:
                notes.append(f"{counted(count, 'image has', 'images have')} {have}; {told}.")
        return notes
