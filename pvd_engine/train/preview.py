"""A small picture of one view, shown while a field is being made."""

from dataclasses import replace
from pathlib import Path

import numpy as np
from PIL import Image

from ..data.capture import Camera, View
from ..data.images import load_image
from ..fields.light_field import AnyField
from ..jobs.job import Job
from ..metrics.image_metrics import psnr
from ..render.render import render_image

LONGEST_SIDE = 128


def scale_camera(camera: Camera, longest_side: int) -> Camera:
    """The same camera with smaller pixels; unchanged when it is small enough already."""
    factor = min(1.0, longest_side / max(camera.width, camera.height))
    width, height = round(camera.width * factor), round(camera.height * factor)
    x, y = width / camera.width, height / camera.height
    return replace(
        camera,
        width=width,
        height=height,
        fx=camera.fx * x,
        fy=camera.fy * y,
        cx=camera.cx * x,
        cy=camera.cy * y,
    )


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
        self.camera = scale_camera(view.camera, LONGEST_SIDE)
        self.truth = None if view.image_path is None else self._on_white(view.image_path)

    def _on_white(self, path: Path) -> np.ndarray:
        size = (self.view.camera.width, self.view.camera.height)
        rgba = load_image(path, expected_size=size).astype(np.float32) / 255
        white = rgba[..., :3] * rgba[..., 3:] + 1 - rgba[..., 3:]
        picture = Image.fromarray((white * 255 + 0.5).astype(np.uint8))
        picture = picture.resize((self.camera.width, self.camera.height), Image.Resampling.BOX)
        return np.asarray(picture, dtype=np.float32) / 255

    def __call__(self) -> float | None:
        """Show the field as it is now; PSNR against the image where there is one."""
        image = render_image(self.field, self.camera)
        self.job.preview(self.view.name, image.to_uint8())
        if self.truth is None:
            return None
        value = psnr(image.over(1.0), self.truth)
        self.job.emit("metrics", view=self.view.name, psnr=value)
        return value
