"""What is known of an image before its pixels are decoded."""

from dataclasses import dataclass


class UnreadKindError(Exception):
    """A sound image of a kind that is not read; the message says what it is and what to do."""


@dataclass(frozen=True)
class ImageHeader:
    """The header of an image, read without decoding the pixels.

    Attributes
    ----------
    width, height : int
        Size of the stored pixels.
    has_alpha : bool
        There is an alpha channel, or a transparent palette entry or key colour.
    turned : bool
        The EXIF orientation is a quarter turn, which swaps width and height.
    deep : bool
        The pixels have more than 8 bits a channel.
    linear : bool
        The pixels hold linear light, without an upper bound; otherwise display colour.
    """

    width: int
    height: int
    has_alpha: bool
    turned: bool = False
    deep: bool = False
    linear: bool = False
