"""Camera rays: pixels of a batch of cameras -> origins and directions in the dataset frame.

The lens models are in `lenses.py`. Conventions: camera-to-world with OpenGL
axes (looking down -z), pixel origin at the image's corner.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch

from ..data.capture import Camera
from ..kernels.marching import PackedSamples
from ..kernels.transfer import upload
from ..kernels.widest import widest, widest_dtype
from .lenses import ITERATED, MODELS, NONE, coefficient_rows, lens_directions, newton_steps

LENS_GRID = 9
"""Positions along each side of an image at which the steps of Newton's method are counted."""


class Rays(NamedTuple):
    """Rays in the dataset frame.

    Attributes
    ----------
    origins : (N, 3) float32 tensor
    directions : (N, 3) float32 tensor
        Unit length.
    """

    origins: torch.Tensor
    directions: torch.Tensor

    def chosen(self, index: torch.Tensor) -> "Rays":
        """Return the rays with these numbers (M,) int64."""
        return Rays(self.origins.index_select(0, index), self.directions.index_select(0, index))


@dataclass(frozen=True)
class CameraBatch:
    """Cameras as tensors on one device.

    Attributes
    ----------
    rotations : (C, 3, 3) tensor
        Camera to world, OpenGL axes; float64, as what follows, where the device has it.
    positions : (C, 3) float32 tensor
    intrinsics : (C, 4) tensor
        fx, fy, cx, cy in pixels.
    sizes : (C, 2) int64 tensor
        Width and height.
    models : (C,) int64 tensor
        Numbers of `lenses.MODELS`.
    distortion : (C, K) tensor
        Coefficients, in the order of `COEFFICIENTS` of `data/geometry/lens_models.py`, padded with
        zeros.
    present : frozenset of int
        The models that occur, known without reading from the device.
    newton_steps : int
        Steps of Newton's method that find the directions of all positions in the images.
    """

    rotations: torch.Tensor
    positions: torch.Tensor
    intrinsics: torch.Tensor
    sizes: torch.Tensor
    models: torch.Tensor
    distortion: torch.Tensor
    present: frozenset[int]
    newton_steps: int

    @classmethod
    def from_cameras(
        cls,
        cameras: Sequence[Camera],
        device: torch.device | str = "cpu",
        origin: np.ndarray | None = None,
    ) -> "CameraBatch":
        """Return cameras as tensors.

        Parameters
        ----------
        cameras : sequence of Camera
            At least one.
        device : torch.device or str
        origin : (3,) float64 array, optional
            Position in the dataset frame from which the batch's positions are counted, that of the
            field's map of space; zero if not given.

        Raises
        ------
        ValueError
            There is no camera, or a distortion model is unknown.
        """
        if not cameras:
            raise ValueError("a batch needs at least one camera")
        unknown = {camera.distortion_model for camera in cameras} - set(MODELS)
        if unknown:
            raise ValueError(f"unknown distortion model {sorted(unknown)[0]!r}")
        poses = torch.stack([torch.as_tensor(camera.camera_to_world) for camera in cameras])
        poses = poses.to(torch.float64)
        positions = poses[:, :3, 3] if origin is None else poses[:, :3, 3] - torch.tensor(origin)
        names = [camera.distortion_model for camera in cameras]
        models = [MODELS[name] for name in names]
        distortion = coefficient_rows(names, [camera.distortion for camera in cameras])
        device = torch.device(device)
        dtype = widest_dtype(device)
        focal_centers = [(c.fx, c.fy, c.cx, c.cy) for c in cameras]
        return cls(
            rotations=upload(poses[:, :3, :3].contiguous().to(dtype), device),
            positions=upload(positions.float().contiguous(), device),
            intrinsics=upload(torch.tensor(focal_centers, dtype=dtype), device),
            sizes=upload(torch.tensor([(c.width, c.height) for c in cameras]), device),
            models=upload(torch.tensor(models), device),
            distortion=upload(torch.tensor(distortion, dtype=dtype), device),
            present=frozenset(models),
            newton_steps=_newton_steps(cameras),
        )

    def __len__(self) -> int:
        """Return the number of cameras."""
        return len(self.positions)


def random_rays(
    cameras: CameraBatch, count: int, generator: torch.Generator
) -> tuple[Rays, torch.Tensor]:
    """Return rays through random image positions of random cameras.

    The generator is of the cameras' device.

    Returns
    -------
    rays : Rays
        `count` rays.
    camera_index : (count,) int64 tensor
        Camera of each ray.
    """
    device = cameras.positions.device
    index = torch.randint(len(cameras), (count,), generator=generator, device=device)
    position = torch.rand((count, 2), generator=generator, device=device)
    pixels = position * cameras.sizes.index_select(0, index)
    return generate_rays(cameras, index, pixels), index


def generate_rays(cameras: CameraBatch, camera_index: torch.Tensor, pixels: torch.Tensor) -> Rays:
    """Return one ray through each pixel position.

    Parameters
    ----------
    cameras : CameraBatch
    camera_index : (N,) int64 tensor
        Camera of each ray.
    pixels : (N, 2) float tensor
        Image coordinates x, y from the image's top-left corner; the centre of the first pixel is
        (0.5, 0.5).

    Returns
    -------
    Rays
        float32; computed in float64 where the device has it, because a float32 pixel coordinate
        minus a principal point keeps too few digits for images of thousands of pixels.
    """
    # `index_select` copies rows at once; an index in brackets copies their elements one by one.
    focal_center = cameras.intrinsics.index_select(0, camera_index)
    plane = (widest(pixels) - focal_center[:, 2:]) / focal_center[:, :2]
    plane[:, 1].neg_()
    in_camera = _in_camera(cameras, camera_index, plane)
    rotations = cameras.rotations.index_select(0, camera_index)
    directions = (rotations @ in_camera[:, :, None])[:, :, 0]
    directions /= torch.linalg.vector_norm(directions, dim=1, keepdim=True)
    origins = cameras.positions.index_select(0, camera_index)
    return Rays(origins, directions.to(torch.float32))


def sample_positions(rays: Rays, samples: PackedSamples) -> tuple[torch.Tensor, torch.Tensor]:
    """Return points (S, 3) and directions (S, 3) of packed samples."""
    directions = rays.directions.index_select(0, samples.ray_index)
    origins = rays.origins.index_select(0, samples.ray_index)
    return torch.addcmul(origins, directions, samples.t[:, None]), directions


def image_pixels(width: int, height: int, device: torch.device | str = "cpu") -> torch.Tensor:
    """Return the centres of all pixels of an image, row by row.

    Returns
    -------
    (height * width, 2) float32 tensor
        x, y; ``reshape(height, width, ...)`` of anything computed per pixel is the image.
    """
    x = torch.arange(width, dtype=torch.float32, device=device) + 0.5
    y = torch.arange(height, dtype=torch.float32, device=device) + 0.5
    grid_y, grid_x = torch.meshgrid(y, x, indexing="ij")
    return torch.stack([grid_x, grid_y], dim=-1).reshape(-1, 2)


def _in_camera(
    cameras: CameraBatch, camera_index: torch.Tensor, plane: torch.Tensor
) -> torch.Tensor:
    """Return directions in camera axes (OpenGL, any length) for points of the image plane."""
    if cameras.present == {NONE}:
        return lens_directions(NONE, plane, cameras.distortion)
    coefficients = cameras.distortion.index_select(0, camera_index)
    if len(cameras.present) == 1:
        (model,) = cameras.present
        return lens_directions(model, plane, coefficients, cameras.newton_steps)
    models = cameras.models[camera_index]
    directions = plane.new_zeros((len(plane), 3))
    # Each model is evaluated for all rays: to pick its own, a device would be waited for.
    for model in sorted(cameras.present):
        found = lens_directions(model, plane, coefficients, cameras.newton_steps)
        directions = torch.where((models == model)[:, None], found, directions)
    return directions


def _newton_steps(cameras: Sequence[Camera]) -> int:
    """Return the most steps of Newton's method that a grid of positions in the images needs."""
    lenses: dict[str, set[tuple[float, ...]]] = {}
    for camera in cameras:
        if camera.distortion_model not in ITERATED:
            continue
        (coefficients,) = coefficient_rows([camera.distortion_model], [camera.distortion])
        view = (camera.fx, camera.fy, camera.cx, camera.cy, camera.width, camera.height)
        lenses.setdefault(camera.distortion_model, set()).add((*view, *coefficients))
    if not lenses:
        return 0
    across = torch.linspace(0, 1, LENS_GRID, dtype=torch.float64)
    grid = torch.cartesian_prod(across, across)
    steps = []
    for name, rows in lenses.items():
        lens = torch.tensor(sorted(rows), dtype=torch.float64).repeat_interleave(len(grid), dim=0)
        plane = (grid.repeat(len(rows), 1) * lens[:, 4:6] - lens[:, 2:4]) / lens[:, :2]
        plane[:, 1].neg_()
        steps.append(newton_steps(MODELS[name], plane, lens[:, 6:]))
    return max(steps)
