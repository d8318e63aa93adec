"""Pictures of splats from any camera.

Drawing needs a pinhole. The picture of another lens is put together from pinhole pictures around
the camera: one ahead, and where the lens sees further, the other faces of a cube. Each is made
finer than the lens's, so that with the blur of reading between its pixels a splat becomes as wide
as in a pinhole's picture.
"""

import math
from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import torch
from torch import Tensor

from ..data.capture import Camera
from ..data.images.pinholes import FACES, WIDEST
from ..kernels.harmonics import sh_colors
from ..kernels.splat_rules import BLUR, TILE, SplatCamera, SplatRules
from ..kernels.splats import draw_splats
from ..kernels.workload import PICTURE_RAYS, SPLAT_PIXELS, concatenated, in_portions
from ..space.rays import CameraBatch, generate_rays, image_pixels
from .base import RayColors
from .splats import Splats

FINER = math.sqrt((BLUR + 1 / 6) / BLUR)
"""Pixels of a face for one of the lens: reading between pixels blurs by 1/6 px² on average."""

LARGEST_FACE = 4096
"""Most pixels along a side of a face."""

CHANNELS = 5
"""Colour, alpha and distance of a pixel."""


def splat_picture(
    splats: Splats, camera: Camera, rules: SplatRules, origin: np.ndarray
) -> Iterator[RayColors]:
    """Yield the picture of a cloud in parts: pixels row by row; without gradient.

    Parameters
    ----------
    splats : Splats
        Centres counted from `origin`.
    camera : Camera
        Dataset frame.
    rules : SplatRules
    origin : (3,) float64 array
    """
    if camera.distortion_model == "none":
        parts = _drawn(splats, pinhole(camera, origin), rules)
    else:
        parts = _through_lens(splats, camera, rules, origin)
    for part in parts:
        yield RayColors(part[:, :3], part[:, 3], part[:, 4])


def pinhole(camera: Camera, origin: np.ndarray) -> SplatCamera:
    """Return a camera as `draw_splats` takes it, whatever its lens bends.

    Parameters
    ----------
    camera : Camera
        Dataset frame.
    origin : (3,) float64 array
        Position from which the splats' centres are counted.
    """
    turn = camera.camera_to_world[:3, :3].astype(np.float64) * (1, -1, -1)
    position = camera.camera_to_world[:3, 3] - origin
    pose = torch.from_numpy(np.column_stack((turn.T, -turn.T @ position))).float()
    lens = (camera.fx, camera.fy, camera.cx, camera.cy)
    return SplatCamera(pose, *lens, camera.width, camera.height)


def _drawn(splats: Splats, camera: SplatCamera, rules: SplatRules) -> Iterator[Tensor]:
    """Yield the pixels (N, 5) of bands of a pinhole picture, from top to bottom."""
    device = splats.centers.device
    colors = sh_colors(splats.sh, splats.centers, camera.eye.to(device))
    cloud = (splats.centers, splats.scales, splats.rotations, splats.opacities, colors)
    across = (torch.arange(camera.width, device=device) + 0.5 - camera.cx) / camera.fx

    def band(part: slice) -> Tensor:
        stop = min(part.stop * TILE, camera.height)
        rows = replace(camera, first_row=part.start * TILE, last_row=stop)
        seen = draw_splats(*cloud, rows, rules)
        down = torch.arange(rows.first_row, stop, device=device) + 0.5
        down = (down - camera.cy) / camera.fy
        # A ray is longer than its way along the viewing direction.
        lengths = (1 + across.square() + down.square()[:, None]).sqrt()
        parts = (seen.color, seen.alpha[..., None], (seen.depth * lengths)[..., None])
        return torch.cat(parts, dim=-1).view(-1, CHANNELS)

    bands = -(-camera.height // TILE)
    yield from in_portions(device, SPLAT_PIXELS, bands, band, weight=TILE * camera.width)


def _through_lens(
    splats: Splats, camera: Camera, rules: SplatRules, origin: np.ndarray
) -> Iterator[Tensor]:
    """Yield all pixels (N, 5) of the picture that a lens makes."""
    device = splats.centers.device
    pose = pinhole(camera, origin).world_to_camera
    ways = _ways(camera, device, origin) @ pose[:, :3].to(device).T
    pixels = ways.new_zeros((len(ways), CHANNELS))
    shown_by = _faces(ways)
    for number, axes in enumerate(FACES):
        chosen = (shown_by == number).nonzero().view(-1)
        if len(chosen) == 0:
            continue
        face = torch.tensor(axes, dtype=torch.float32)
        local = ways[chosen] @ face.to(device).T
        slopes = local[:, :2] / local[:, 2:]
        seen = _face(face @ pose, slopes, FINER * max(camera.fx, camera.fy))
        picture = torch.cat(list(_drawn(splats, seen, rules)))
        size = slopes.new_tensor((seen.width, seen.height))
        at = slopes * seen.fx + slopes.new_tensor((seen.cx, seen.cy))
        picture = picture.view(seen.height, seen.width, CHANNELS)
        pixels[chosen] = _read(picture, 2 * at / size - 1)
    yield pixels


def _face(pose: Tensor, slopes: Tensor, focal: float) -> SplatCamera:
    """Return the camera of a face that shows ways of given slopes (N, 2), x and y by ahead.

    Its focal length in pixels is less than what is wanted where it would be larger than
    `LARGEST_FACE`.
    """
    low, high = torch.stack((slopes.amin(dim=0), slopes.amax(dim=0))).tolist()
    spans = [b - a for a, b in zip(low, high, strict=True)]
    if max(spans) * focal > LARGEST_FACE:
        focal = LARGEST_FACE / max(spans)
    # A pixel more on each side, so that every way lies between pixels.
    middle = [1 - focal * a for a in low]
    size = [math.ceil(focal * span) + 2 for span in spans]
    return SplatCamera(pose, focal, focal, *middle, *size)


def _ways(camera: Camera, device: torch.device, origin: np.ndarray) -> Tensor:
    """Return the direction (N, 3) of the ray of each pixel, dataset frame."""
    cameras = CameraBatch.from_cameras([camera], device, origin)
    pixels = image_pixels(camera.width, camera.height, device)

    def directions(part: slice) -> Tensor:
        index = torch.zeros(len(pixels[part]), dtype=torch.int64, device=device)
        return generate_rays(cameras, index, pixels[part]).directions

    return concatenated(device, PICTURE_RAYS, len(pixels), directions)


def _faces(ways: Tensor) -> Tensor:
    """Return the number of the face (N,) that shows each way (N, 3), in the camera's axes.

    A way that is no number is on none.
    """
    x, y, z = ways.unbind(dim=1)
    aside = torch.where(x > 0, 1, 2)
    upright = torch.where(y > 0, 3, 4)
    largest = ways.abs().argmax(dim=1)
    faces = torch.where(largest == 0, aside, torch.where(largest == 1, upright, 5))
    ahead = (z > 0) & (torch.maximum(x.abs(), y.abs()) <= WIDEST * z)
    faces = torch.where(ahead, 0, faces)
    return torch.where(ways.isfinite().all(dim=1), faces, -1)


def _read(picture: Tensor, at: Tensor) -> Tensor:
    """Return the values (N, C) of a picture (H, W, C) at positions (N, 2) in [-1, 1]."""
    sampled = torch.nn.functional.grid_sample(
        picture.permute(2, 0, 1)[None], at[None, None], align_corners=False, padding_mode="border"
    )
    return sampled[0, :, 0].T
