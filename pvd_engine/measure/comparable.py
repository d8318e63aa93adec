"""Views of a capture that a field's renders can be compared with."""

from collections.abc import Sequence

from ..data.capture import Capture, View
from ..data.images.masks import load_mask
from ..errors import UserError
from .image_metrics import SSIM_WINDOW, leaves_something


def measurable(views: Sequence[View]) -> list[View]:
    """Return the views whose masks leave something to compare.

    Raises
    ------
    UserError
        A mask cannot be read.
    """
    return [view for view in views if leaves_something(load_mask(view))]


def require_comparable(capture: Capture, views: Sequence[View]) -> None:
    """Check that a capture's views are large enough to be compared.

    Raises
    ------
    UserError
        An image is smaller than the window of SSIM.
    """
    if any(min(view.camera.width, view.camera.height) < SSIM_WINDOW for view in views):
        raise UserError(
            f"The capture {capture.name} has images of less than {SSIM_WINDOW} pixels to a side, "
            "which are too small to compare."
        )
