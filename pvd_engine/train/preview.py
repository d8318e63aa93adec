"""A small picture of one view, shown while a field is being made."""

import numpy as np
from PIL import Image

from ..data.capture import Camera, View
from ..data.downscale import scaled_camera, view_on_white
from ..fields.light_field import AnyField
from ..jobs.job import Job
from ..metrics.image_metrics import psnr
from ..render.render import render_image

LONGEST_SIDE = 128


def _small(camera: Camera) -> Camera:
    factor = min(1.0, LONGEST_SIDE / max(camera.width, camera.height))
    return scaled_camera(camera, round(camera.width * factor), round(camera.height * factor))


class Preview:
    """Renders one validation view into the job folder and measures it against its image.

    Parameters
    ----------
    view : View
        With or without an image.
    field : AnyField
    job : Job
    """

    def __init__(self, view: View, field: AnyField, job: Job) -> None:
        self.view = view
        self.field = field
        self.job = job
        self.camera = _small(view.camera)
        self.truth = self._truth()

    def _truth(self) -> np.ndarray | None:
        if self.view.image_path is None:
            return None
        white = (view_on_white(self.view) * 255 + 0.5).astype(np.uint8)
        size = (self.camera.width, self.camera.height)
        small = Image.fromarray(white).resize(size, Image.Resampling.BOX)
        return np.asarray(small, dtype=np.float32) / 255

    def __call__(self) -> float | None:
        """Show the field as it is now; PSNR against the image where there is one."""
        image = render_image(self.field, self.camera)
        self.job.preview(self.view.name, image.to_uint8())
        if self.truth is None:
            return None
        value = psnr(image.over(1.0), self.truth)
        self.job.emit("metrics", view=self.view.name, psnr=value)
        return value
