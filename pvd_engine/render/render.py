"""Rays and pictures of any field: march through occupied cells, drop hidden samples, composite."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

from ..data.capture import Camera
from ..fields.base import Field
from ..fields.light_field import AnyField, LightField
from ..kernels.compositing import Composited, composite, transmittance
from ..kernels.marching import PackedSamples, select
from ..space.rays import CameraBatch, Rays, generate_rays, image_pixels

HIDDEN = 1e-4
"""Samples with less transmittance before them than this are hidden: they are not evaluated."""

TRAINING_HIDDEN = 1e-2
"""The same in training, where samples that hardly count cost as much as others."""

RAYS_AT_ONCE = 1 << 14
"""Rays an image is rendered in; bounds the memory."""

POINTS_AT_ONCE = 1 << 17
"""Points a field is asked about at a time where no gradient is wanted; bounds the memory, too."""


@dataclass(frozen=True)
class RenderedImage:
    """A picture of a field.

    Attributes
    ----------
    color : (H, W, 3) float32 array
        In the field's colour space, premultiplied by alpha.
    alpha : (H, W) float32 array
    depth : (H, W) float32 array
        Expected distance along the ray, dataset units; 0 where alpha is 0, and everywhere in the
        picture of a light field, which knows none.
    """

    color: np.ndarray
    alpha: np.ndarray
    depth: np.ndarray

    def over(self, background: float) -> np.ndarray:
        """Colour (H, W, 3) composited on a grey background."""
        return self.color + background * (1 - self.alpha[..., None])

    def to_uint8(self) -> np.ndarray:
        """Straight-alpha RGBA (H, W, 4) uint8, as a PNG file holds it."""
        straight = self.color / np.maximum(self.alpha[..., None], 1e-6)
        rgba = np.concatenate((straight, self.alpha[..., None]), axis=-1)
        return (rgba.clip(0, 1) * 255 + 0.5).astype(np.uint8)


def sample_positions(rays: Rays, samples: PackedSamples) -> tuple[Tensor, Tensor]:
    """Points (S, 3) and directions (S, 3) of packed samples."""
    directions = rays.directions.index_select(0, samples.ray_index)
    origins = rays.origins.index_select(0, samples.ray_index)
    return torch.addcmul(origins, directions, samples.t[:, None]), directions


@torch.no_grad()
def visible_samples(
    field: Field, rays: Rays, jitter: Tensor, hidden: float = HIDDEN
) -> PackedSamples:
    """The samples of rays that lie in occupied cells and are not hidden behind others.

    Parameters
    ----------
    field : Field
    rays : Rays
        Dataset frame, R of them.
    jitter : (R,) float32
        Where in the first step each ray starts, [0, 1).
    hidden : float
        Transmittance under which a sample is dropped.

    Returns
    -------
    PackedSamples
    """
    samples = field.space.march(rays, field.occupancy.binary, field.step, jitter)
    if len(samples.t) == 0:
        return samples
    points, _ = sample_positions(rays, samples)
    density = torch.cat([field.log_density(part) for part in points.split(POINTS_AT_ONCE)])
    return select(samples, transmittance(density, samples, field.step) > hidden)


def render_rays(
    field: Field, rays: Rays, jitter: Tensor, hidden: float = HIDDEN
) -> tuple[Composited, PackedSamples]:
    """Colour, alpha and depth of rays; differentiable in the field's parameters.

    Parameters
    ----------
    field : Field
    rays : Rays
        Dataset frame, R of them.
    jitter : (R,) float32
        Where in the first step each ray starts, [0, 1); 0.5 for a picture.
    hidden : float
        Transmittance under which a sample is dropped.
    """
    samples = visible_samples(field, rays, jitter, hidden)
    density, color = _shaded(field, *sample_positions(rays, samples))
    return composite(density, color, samples, field.step), samples


def _shaded(field: Field, points: Tensor, directions: Tensor) -> tuple[Tensor, Tensor]:
    """A field's answers; a portion at a time where nothing is kept for gradients."""
    if torch.is_grad_enabled() or len(points) <= POINTS_AT_ONCE:
        return field(points, directions)
    portions = zip(points.split(POINTS_AT_ONCE), directions.split(POINTS_AT_ONCE), strict=True)
    density, color = zip(*(field(*portion) for portion in portions), strict=True)
    return torch.cat(density), torch.cat(color)


@torch.no_grad()
def render_image(
    field: AnyField, camera: Camera, progress: Callable[[float], None] | None = None
) -> RenderedImage:
    """A field seen by a camera.

    Parameters
    ----------
    field : AnyField
    camera : Camera
        Dataset frame.
    progress : callable, optional
        Called with the share that is done after each portion of rays; may raise to stop.
    """
    cameras = CameraBatch.from_cameras([camera], field.device)
    pixels = image_pixels(camera.width, camera.height).to(field.device)
    parts = []
    for start in range(0, len(pixels), RAYS_AT_ONCE):
        part = pixels[start : start + RAYS_AT_ONCE]
        index = torch.zeros(len(part), dtype=torch.int64, device=field.device)
        rays = generate_rays(cameras, index, part)
        parts.append(_picture_of(field, rays))
        if progress is not None:
            progress((start + len(part)) / len(pixels))
    image = torch.cat(parts).view(camera.height, camera.width, 5).cpu().numpy()
    alpha = image[..., 3]
    return RenderedImage(image[..., :3], alpha, image[..., 4] / np.maximum(alpha, 1e-6))


def _picture_of(field: AnyField, rays: Rays) -> Tensor:
    """Premultiplied colour, alpha and alpha times depth (N, 5) of rays."""
    if isinstance(field, LightField):
        return nn.functional.pad(field.render(rays), (0, 1))
    jitter = torch.full((len(rays.origins),), 0.5, device=field.device)
    result, _ = render_rays(field, rays, jitter)
    return torch.cat((result.color, result.alpha[:, None], result.depth[:, None]), 1)
