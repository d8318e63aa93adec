"""Camera rays: pixels of a batch of cameras -> origins and directions in the dataset frame.

Distorted lenses are inverted with Newton's method, so a ray starts exactly where
`pvd_engine.data.projection` would project its points. Conventions: camera-to-world with OpenGL
axes (looking down -z), pixel origin at the image's corner.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import torch

from ..data.capture import Camera

OPENCV_ORDER = ("k1", "k2", "p1", "p2", "k3", "k4")
FISHEYE_ORDER = ("k1", "k2", "k3", "k4")

NONE, OPENCV, FISHEYE = 0, 1, 2
_MODELS = {"none": NONE, "opencv": OPENCV, "opencv_fisheye": FISHEYE}

NEWTON_STEPS = 12
"""Real lenses need 4 to 6 (convergence is quadratic); the rest serves corners of strong ones."""

TOLERANCE = 1e-10
"""In focal lengths: a millionth of a pixel for the longest lens."""

MAX_FISHEYE_ANGLE = torch.pi
"""Beyond this angle from the axis a fisheye polynomial has no meaning."""


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


@dataclass(frozen=True)
class CameraBatch:
    """Cameras as tensors on one device.

    Attributes
    ----------
    rotations : (C, 3, 3) float64 tensor
        Camera to world, OpenGL axes.
    positions : (C, 3) float32 tensor
    intrinsics : (C, 4) float64 tensor
        fx, fy, cx, cy in pixels.
    sizes : (C, 2) int64 tensor
        Width and height.
    models : (C,) int64 tensor
        `NONE`, `OPENCV` or `FISHEYE`.
    distortion : (C, 6) float64 tensor
        In the order of `OPENCV_ORDER` or `FISHEYE_ORDER`, padded with zeros.
    present : frozenset of int
        The models that occur, known without asking the device.
    """

    rotations: torch.Tensor
    positions: torch.Tensor
    intrinsics: torch.Tensor
    sizes: torch.Tensor
    models: torch.Tensor
    distortion: torch.Tensor
    present: frozenset[int]

    @classmethod
    def from_cameras(
        cls, cameras: Sequence[Camera], device: torch.device | str = "cpu"
    ) -> "CameraBatch":
        """Put cameras into tensors.

        Parameters
        ----------
        cameras : sequence of Camera
            At least one.
        device : torch.device or str

        Raises
        ------
        ValueError
            No camera, or an unknown distortion model.
        """
        if not cameras:
            raise ValueError("a batch needs at least one camera")
        unknown = {camera.distortion_model for camera in cameras} - set(_MODELS)
        if unknown:
            raise ValueError(f"unknown distortion model {sorted(unknown)[0]!r}")
        poses = torch.stack([torch.as_tensor(camera.camera_to_world) for camera in cameras])
        poses = poses.to(torch.float64)
        models = [_MODELS[camera.distortion_model] for camera in cameras]
        return cls(
            rotations=poses[:, :3, :3].contiguous().to(device),
            positions=poses[:, :3, 3].to(device, torch.float32).contiguous(),
            intrinsics=torch.tensor(
                [(c.fx, c.fy, c.cx, c.cy) for c in cameras], dtype=torch.float64, device=device
            ),
            sizes=torch.tensor([(c.width, c.height) for c in cameras], device=device),
            models=torch.tensor(models, device=device),
            distortion=torch.tensor(
                [_coefficients(camera) for camera in cameras], dtype=torch.float64, device=device
            ),
            present=frozenset(models),
        )

    def __len__(self) -> int:
        """Count the cameras."""
        return len(self.positions)


def random_rays(
    cameras: CameraBatch, count: int, generator: torch.Generator
) -> tuple[Rays, torch.Tensor]:
    """Rays through random places of random cameras.

    Returns
    -------
    rays : Rays
        `count` of them.
    camera_index : (count,) int64 tensor
        Which camera each belongs to.
    """
    device = cameras.positions.device
    index = torch.randint(len(cameras), (count,), generator=generator).to(device)
    place = torch.rand((count, 2), generator=generator).to(device)
    return generate_rays(cameras, index, place * cameras.sizes[index]), index


def generate_rays(cameras: CameraBatch, camera_index: torch.Tensor, pixels: torch.Tensor) -> Rays:
    """Cast one ray through each pixel position.

    Parameters
    ----------
    cameras : CameraBatch
    camera_index : (N,) int64 tensor
        Which camera each ray belongs to.
    pixels : (N, 2) float tensor
        Image coordinates x, y from the image's top-left corner; the centre of the first pixel is
        (0.5, 0.5).

    Returns
    -------
    Rays
        float32; computed in float64, because a float32 pixel coordinate minus a principal point
        keeps too few digits for images of thousands of pixels.
    """
    focal_center = cameras.intrinsics[camera_index]
    plane = (pixels.to(torch.float64) - focal_center[:, 2:]) / focal_center[:, :2]
    plane[:, 1].neg_()
    in_camera = _in_camera(cameras, camera_index, plane)
    directions = (cameras.rotations[camera_index] @ in_camera[:, :, None])[:, :, 0]
    directions /= torch.linalg.vector_norm(directions, dim=1, keepdim=True)
    return Rays(cameras.positions[camera_index], directions.to(torch.float32))


def image_pixels(width: int, height: int, device: torch.device | str = "cpu") -> torch.Tensor:
    """Centres of all pixels of an image, row by row.

    Returns
    -------
    (height * width, 2) float32 tensor
        x, y; ``reshape(height, width, ...)`` of anything computed per pixel is the image.
    """
    x = torch.arange(width, dtype=torch.float32, device=device) + 0.5
    y = torch.arange(height, dtype=torch.float32, device=device) + 0.5
    grid_y, grid_x = torch.meshgrid(y, x, indexing="ij")
    return torch.stack([grid_x, grid_y], dim=-1).reshape(-1, 2)


def undistort_opencv(distorted: torch.Tensor, coefficients: torch.Tensor) -> torch.Tensor:
    """Invert the OpenCV lens model (with nerfstudio's k4 r⁸ term) by damped Newton steps.

    A point moves only where that brings it nearer to its goal, so points beyond what the lens
    can show stay finite.

    Parameters
    ----------
    distorted : (N, 2) float64 tensor
        Image plane coordinates, OpenCV axes (y down).
    coefficients : (N, 6) float64 tensor
        In the order of `OPENCV_ORDER`.

    Returns
    -------
    (N, 2) float64 tensor
    """
    points = distorted.clone()
    residual, jacobian = _opencv_residual(points, distorted, coefficients)
    damping = torch.ones_like(points[:, :1])
    for _ in range(NEWTON_STEPS):
        if points.numel() == 0 or float(residual.abs().max()) < TOLERANCE:
            break
        moved = points - damping * _solve_2x2(jacobian, residual)
        new_residual, new_jacobian = _opencv_residual(moved, distorted, coefficients)
        better = (new_residual.square().sum(1) < residual.square().sum(1))[:, None]
        points = torch.where(better, moved, points)
        residual = torch.where(better, new_residual, residual)
        jacobian = torch.where(better, new_jacobian, jacobian)
        damping = torch.where(better, 1.0, 0.25 * damping)
    return points


def undistort_fisheye(radius: torch.Tensor, coefficients: torch.Tensor) -> torch.Tensor:
    """Angle from the optical axis at a distance from the image's centre (OpenCV's fisheye model).

    Parameters
    ----------
    radius : (N,) float64 tensor
        Distance on the image plane in focal lengths.
    coefficients : (N, 4) float64 tensor
        k1 to k4.

    Returns
    -------
    (N,) float64 tensor
        Radians, at most `MAX_FISHEYE_ANGLE`.
    """
    k1, k2, k3, k4 = coefficients.unbind(dim=1)
    angle = radius.clamp(max=MAX_FISHEYE_ANGLE)
    for _ in range(NEWTON_STEPS):
        square = angle * angle
        value = angle * (1 + square * (k1 + square * (k2 + square * (k3 + square * k4))))
        slope = 1 + square * (3 * k1 + square * (5 * k2 + square * (7 * k3 + square * 9 * k4)))
        step = (value - radius) / torch.where(slope.abs() < 1e-6, 1e-6, slope)
        angle = (angle - step.clamp(-0.5, 0.5)).clamp(0, MAX_FISHEYE_ANGLE)
    return angle


def _in_camera(
    cameras: CameraBatch, camera_index: torch.Tensor, plane: torch.Tensor
) -> torch.Tensor:
    """Directions in camera axes (OpenGL, any length) for points of the image plane (y up)."""
    direction = torch.cat([plane, -torch.ones_like(plane[:, :1])], dim=1)
    if cameras.present == {NONE}:
        return direction
    coefficients = cameras.distortion[camera_index]
    flip = plane.new_tensor([1.0, -1.0])
    if cameras.present == {OPENCV}:
        direction[:, :2] = undistort_opencv(plane * flip, coefficients) * flip
        return direction
    models = cameras.models[camera_index]
    if OPENCV in cameras.present:
        chosen = models == OPENCV
        straight = undistort_opencv(plane[chosen] * flip, coefficients[chosen])
        direction[chosen, :2] = straight * flip
    if FISHEYE in cameras.present:
        chosen = models == FISHEYE
        direction[chosen] = _fisheye_direction(plane[chosen], coefficients[chosen, :4])
    return direction


def _fisheye_direction(plane: torch.Tensor, coefficients: torch.Tensor) -> torch.Tensor:
    radius = torch.linalg.vector_norm(plane, dim=1)
    angle = undistort_fisheye(radius, coefficients)
    # sin(angle) / radius tends to 1 at the centre.
    sine = torch.where(radius > 1e-12, torch.sin(angle) / radius.clamp(min=1e-12), 1.0)
    return torch.cat([plane * sine[:, None], -torch.cos(angle)[:, None]], dim=1)


def _opencv_residual(
    points: torch.Tensor, distorted: torch.Tensor, coefficients: torch.Tensor
) -> tuple[torch.Tensor, torch.Tensor]:
    """Distortion of `points` minus `distorted`, and its Jacobian as columns xx, xy, yx, yy."""
    k1, k2, p1, p2, k3, k4 = coefficients.unbind(dim=1)
    x, y = points.unbind(dim=1)
    square = x * x + y * y
    radial = 1 + square * (k1 + square * (k2 + square * (k3 + square * k4)))
    slope = k1 + square * (2 * k2 + square * (3 * k3 + square * 4 * k4))
    residual_x = x * radial + 2 * p1 * x * y + p2 * (square + 2 * x * x) - distorted[:, 0]
    residual_y = y * radial + 2 * p2 * x * y + p1 * (square + 2 * y * y) - distorted[:, 1]
    xx = radial + 2 * x * x * slope + 2 * p1 * y + 6 * p2 * x
    xy = 2 * x * y * slope + 2 * p1 * x + 2 * p2 * y
    yy = radial + 2 * y * y * slope + 2 * p2 * x + 6 * p1 * y
    return torch.stack([residual_x, residual_y], dim=1), torch.stack([xx, xy, xy, yy], dim=1)


def _solve_2x2(matrix: torch.Tensor, right: torch.Tensor) -> torch.Tensor:
    a, b, c, d = matrix.unbind(dim=1)
    determinant = a * d - b * c
    determinant = torch.where(determinant.abs() < 1e-9, 1e-9, determinant)
    x = (d * right[:, 0] - b * right[:, 1]) / determinant
    y = (a * right[:, 1] - c * right[:, 0]) / determinant
    return torch.stack([x, y], dim=1)


def _coefficients(camera: Camera) -> list[float]:
    order = FISHEYE_ORDER if camera.distortion_model == "opencv_fisheye" else OPENCV_ORDER
    values = [float(camera.distortion.get(name, 0.0)) for name in order]
    return values + [0.0] * (len(OPENCV_ORDER) - len(values))
