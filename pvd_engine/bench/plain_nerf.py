"""The plain recipe of NeRF, as a baseline: no occupancy grid, a coarse and a fine network.

Mildenhall et al., "NeRF: Representing Scenes as Neural Radiance Fields for View Synthesis", 2020,
with what its released code adds: Glorot initialisation, samples up to a far plane, and the last
sample reaching to infinity. What differs from it: near and far come from the scene's box, points
are scaled to that box, matrices are multiplied in bf16 where the processor does so in hardware, as
in the rest of this engine, and on a CPU a step casts 256 rays instead of 1,024, because a step of
those takes seconds. The crop that the released code begins with is left out.
"""

import time
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

from ..data.capture import Camera, Capture
from ..fields.encoders.mlp import positional_encoding
from ..fields.precision import matmul_precision
from ..jobs.device import processor
from ..jobs.fraction import count_reporter
from ..jobs.job import Job
from ..space.rays import CameraBatch, Rays, generate_rays, image_pixels
from ..train.pixels import PixelTable

POINT_FREQUENCIES, DIRECTION_FREQUENCIES = 10, 4
LAYERS, WIDTH, VIEW_WIDTH = 8, 256, 128
SKIP = 5
"""Layer whose input the encoded point joins, counted from 0."""

COARSE, FINE = 64, 128
"""Samples of a ray for the coarse network, and further ones for the fine network."""

RAYS = {"cpu": 256, "gpu": 1024}
RATE, FINAL_RATE = 5e-4, 0.1
"""Adam's learning rate, and the fraction to which it falls exponentially over the budget."""

RAYS_AT_ONCE = 512
"""Rays of a picture that are evaluated at a time; bounds the memory."""


class NerfNetwork(nn.Module):
    """Eight layers of 256 with a skip connection, and a branch for the view direction."""

    def __init__(self) -> None:
        super().__init__()
        point, direction = 3 + 6 * POINT_FREQUENCIES, 3 + 6 * DIRECTION_FREQUENCIES
        inputs = [point] + [WIDTH + (point if i == SKIP else 0) for i in range(1, LAYERS)]
        self.trunk = nn.ModuleList(nn.Linear(size, WIDTH) for size in inputs)
        self.density = nn.Linear(WIDTH, 1)
        self.feature = nn.Linear(WIDTH, WIDTH)
        self.view = nn.Linear(WIDTH + direction, VIEW_WIDTH)
        self.color = nn.Linear(VIEW_WIDTH, 3)
        for module in self.modules():
            if isinstance(module, nn.Linear):
                nn.init.xavier_uniform_(module.weight)
                nn.init.zeros_(module.bias)

    def forward(self, points: Tensor, directions: Tensor) -> tuple[Tensor, Tensor]:
        """Return density (N,) and colour (N, 3) at points (N, 3) about [-1, 1], unit directions."""
        encoded = positional_encoding(points, POINT_FREQUENCIES)
        seen_from = positional_encoding(directions, DIRECTION_FREQUENCIES)
        with matmul_precision(points.device):
            x = encoded
            for index, layer in enumerate(self.trunk):
                if index == SKIP:
                    x = torch.cat((encoded.to(x.dtype), x), dim=-1)
                x = torch.relu(layer(x))
            density = torch.relu(self.density(x)).float()[:, 0]
            feature = self.feature(x)
            x = torch.relu(self.view(torch.cat((feature, seen_from.to(feature.dtype)), dim=-1)))
            return density, torch.sigmoid(self.color(x).float())


@dataclass(frozen=True)
class PlainNerf:
    """The two networks and the interval of a ray that they see.

    Attributes
    ----------
    coarse, fine : NerfNetwork
    box : (2, 3) float32
        The scene's, dataset frame.
    near, far : float
        Distances between which rays are sampled, dataset frame.
    """

    coarse: NerfNetwork
    fine: NerfNetwork
    box: Tensor
    near: float
    far: float

    @classmethod
    def start(cls, capture: Capture, seed: int, device: torch.device) -> "PlainNerf":
        """Return new networks for a capture."""
        torch.manual_seed(seed)
        near, far = near_and_far([view.camera for view in capture.split("train")], capture.box)
        box = torch.from_numpy(capture.box).float().to(device)
        return cls(NerfNetwork().to(device), NerfNetwork().to(device), box, near, far)

    def render(self, rays: Rays, generator: torch.Generator | None) -> tuple[Tensor, Tensor]:
        """Return colours (R, 3) on white by the coarse and by the fine network.

        Parameters
        ----------
        rays : Rays
        generator : torch.Generator or None
            Puts the samples at random positions; even ones without.
        """
        device, count = rays.origins.device, len(rays.origins)

        def uniform(samples: int, even: Tensor) -> Tensor:
            if generator is None:
                return even.expand(count, samples).to(device)
            return torch.rand((count, samples), generator=generator, device=device)

        middle = torch.full((1,), 0.5)
        t = stratified(self.near, self.far, uniform(COARSE, middle))
        coarse, weights = self._composite(self.coarse, rays, t)
        edges = (t[:, 1:] + t[:, :-1]) / 2
        inside = weights.detach()[:, 1:-1]
        added = importance_samples(edges, inside, uniform(FINE, torch.linspace(0, 1, FINE)))
        t = torch.cat((t, added), dim=1).sort(dim=1).values
        return coarse, self._composite(self.fine, rays, t)[0]

    def _composite(self, network: NerfNetwork, rays: Rays, t: Tensor) -> tuple[Tensor, Tensor]:
        """Return colour (R, 3) on white and weights (R, S) of samples at distances (R, S)."""
        points = rays.origins[:, None] + rays.directions[:, None] * t[..., None]
        scaled = (points - self.box.mean(dim=0)) / ((self.box[1] - self.box[0]).max() / 2)
        directions = rays.directions[:, None].expand_as(points)
        density, color = network(scaled.reshape(-1, 3), directions.reshape(-1, 3))
        weights = sample_weights(density.view(t.shape), t)
        color = (weights[..., None] * color.view(*t.shape, 3)).sum(dim=1)
        return color + 1 - weights.sum(dim=1, keepdim=True), weights


def near_and_far(cameras: Sequence[Camera], box: np.ndarray) -> tuple[float, float]:
    """Return least and greatest distance of any camera from any point of a box (2, 3)."""
    positions = np.array([camera.camera_to_world[:3, 3] for camera in cameras])
    nearest = np.maximum(np.maximum(box[0] - positions, positions - box[1]), 0)
    farthest = np.maximum(np.abs(positions - box[0]), np.abs(positions - box[1]))
    near, far = np.linalg.norm(nearest, axis=1).min(), np.linalg.norm(farthest, axis=1).max()
    return float(near), float(far)


def stratified(near: float, far: float, uniform: Tensor) -> Tensor:
    """Return one distance in each of S equal parts of [near, far].

    Parameters
    ----------
    near, far : float
    uniform : (R, S) float32
        In [0, 1): the position within each part.

    Returns
    -------
    (R, S) float32
        Ascending.
    """
    samples = uniform.shape[1]
    start = torch.arange(samples, device=uniform.device)
    return near + (far - near) * (start + uniform) / samples


def importance_samples(edges: Tensor, weights: Tensor, uniform: Tensor) -> Tensor:
    """Draw from a piecewise constant density by inverting its cumulative sum.

    NeRF, section 5.2. Like its code, adds 1e-5 to each weight, so that no part is left out.

    Parameters
    ----------
    edges : (R, B + 1) float32
        Ascending borders of the parts.
    weights : (R, B) float32
        Weights of the parts, not below 0; they need not sum to 1.
    uniform : (R, N) float32
        In [0, 1]: the fractions of the cumulative sum to invert.

    Returns
    -------
    (R, N) float32
        Between the first and the last edge, in the order of `uniform`.
    """
    weights = weights + 1e-5
    total = weights.sum(dim=1, keepdim=True)
    sums = torch.cat((torch.zeros_like(total), (weights / total).cumsum(dim=1)), dim=1)
    above = torch.searchsorted(sums, uniform.contiguous(), right=True).clamp(1, edges.shape[1] - 1)
    low, high = sums.gather(1, above - 1), sums.gather(1, above)
    within = ((uniform - low) / (high - low).clamp(min=1e-12)).clamp(0, 1)
    start, end = edges.gather(1, above - 1), edges.gather(1, above)
    return start + (end - start) * within


def sample_weights(density: Tensor, t: Tensor) -> Tensor:
    """Return weights (R, S) of samples in their rays' colours (Max 1995; NeRF, equation 3).

    Parameters
    ----------
    density : (R, S) float32
        Per unit of `t`.
    t : (R, S) float32
        Ascending; each sample reaches to the next, the last to infinity.
    """
    lengths = torch.cat((t[:, 1:] - t[:, :-1], torch.full_like(t[:, :1], 1e10)), dim=1)
    thickness = density * lengths
    before = torch.cat((torch.zeros_like(t[:, :1]), thickness[:, :-1].cumsum(dim=1)), dim=1)
    return -torch.expm1(-thickness) * torch.exp(-before)


def train(
    capture: Capture, seconds: float, seed: int, device: torch.device, job: Job
) -> tuple[PlainNerf, int]:
    """Train both networks from the images of a capture; images with alpha are laid on white.

    Parameters
    ----------
    capture : Capture
    seconds : float
        The budget.
    seed : int
    device : torch.device
    job : Job

    Returns
    -------
    nerf : PlainNerf
    steps : int

    Raises
    ------
    Cancelled
        The job was cancelled; nothing is kept.
    """
    nerf = PlainNerf.start(capture, seed, device)
    generator = torch.Generator(device).manual_seed(seed)
    parameters = [*nerf.coarse.parameters(), *nerf.fine.parameters()]
    optimizer = torch.optim.Adam(parameters, lr=RATE, eps=1e-7)
    report = count_reporter(job, "Reading images")
    pixels = PixelTable.open(capture.split("train"), device, seed=seed, wait=False, report=report)
    start, steps = time.monotonic(), 0
    with pixels:
        while (elapsed := time.monotonic() - start) < seconds:
            job.raise_if_cancelled()
            optimizer.param_groups[0]["lr"] = RATE * FINAL_RATE ** (elapsed / seconds)
            rays, rgba = pixels.draw(RAYS[processor(device.type)], generator)
            target = rgba[:, :3] * rgba[:, 3:] + 1 - rgba[:, 3:]
            coarse, fine = nerf.render(rays, generator)
            loss = (coarse - target).square().mean() + (fine - target).square().mean()
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            steps += 1
            job.progress(fraction=elapsed / seconds, step=steps, seconds_left=seconds - elapsed)
    return nerf, steps


@torch.no_grad()
def picture(nerf: PlainNerf, camera: Camera, job: Job) -> np.ndarray:
    """Return the fine network's picture (H, W, 3) float32 on white.

    Raises
    ------
    Cancelled
        The job was cancelled.
    """
    device = nerf.box.device
    cameras = CameraBatch.from_cameras([camera], device)
    pixels = image_pixels(camera.width, camera.height).to(device)
    parts = []
    for part in pixels.split(RAYS_AT_ONCE):
        job.raise_if_cancelled()
        index = torch.zeros(len(part), dtype=torch.int64, device=device)
        parts.append(nerf.render(generate_rays(cameras, index, part), None)[1])
        job.progress(fraction=len(parts) * RAYS_AT_ONCE / len(pixels), step=len(parts))
    return torch.cat(parts).view(camera.height, camera.width, 3).cpu().numpy()
