"""Splats become a picture in plain torch operations, differentiated by autograd.

It is written for float32 and float64, and for clarity: tile by tile, all its splats at once.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from .splat_rules import (
    BLUR,
    CHANNELS,
    DARKEST,
    FAINTEST,
    TILE,
    SplatCamera,
    SplatRules,
    SplatUse,
)

SHORTEST = 1e-12
"""Length below which a quaternion is not normalised further."""


@dataclass(frozen=True)
class _OnScreen:
    """Splats as the camera sees them.

    Attributes
    ----------
    centers : (N, 2)
        In pixels.
    conics : (N, 3)
        Inverse of the covariance: xx, xy and yy, per px².
    opacities, depths : (N,)
    tiles : (N, 4) int64
        The tiles in which a splat may be drawn: first and last along x, then along y. The last
        is below the first for a splat that is not drawn.
    """

    centers: Tensor
    conics: Tensor
    opacities: Tensor
    depths: Tensor
    tiles: Tensor


def splat_reference(
    centers: Tensor,
    scales: Tensor,
    rotations: Tensor,
    opacities: Tensor,
    colors: Tensor,
    camera: SplatCamera,
    rules: SplatRules,
    use: SplatUse | None = None,
) -> Tensor:
    """Compute the channels (H, W, 5) of `splats.draw_splats`, in the dtype of its arguments."""
    seen = _on_screen(centers, scales, rotations, opacities, camera, rules)
    if use is not None:
        use.weight = torch.zeros_like(opacities)
        if seen.centers.requires_grad:
            seen.centers.register_hook(lambda gradient: setattr(use, "screen_gradient", gradient))
    order = torch.argsort(seen.depths.detach(), stable=True)
    first_x, last_x, first_y, last_y = seen.tiles[order].unbind(-1)
    across, down = camera.tiles
    rows = []
    for y in range(down):
        in_row = (first_y <= y) & (y <= last_y)
        tiles = []
        for x in range(across):
            members = order[in_row & (first_x <= x) & (x <= last_x)]
            tiles.append(_tile(seen, colors, members, x, y, camera, rules, use))
        rows.append(torch.cat(tiles, dim=1))
    return torch.cat(rows)[: camera.rows, : camera.width]


def _on_screen(
    centers: Tensor,
    scales: Tensor,
    rotations: Tensor,
    opacities: Tensor,
    camera: SplatCamera,
    rules: SplatRules,
) -> _OnScreen:
    """Project splats (Zwicker et al., "EWA volume splatting", 2001)."""
    matrix = camera.world_to_camera.to(centers)
    x, y, z = (centers @ matrix[:, :3].T + matrix[:, 3]).unbind(-1)
    in_front = z > rules.near
    x, y, z = (torch.where(in_front, value, torch.ones_like(value)) for value in (x, y, z))
    low_x, high_x, low_y, high_y = camera.slopes
    zero = torch.zeros_like(z)
    derivative_x = (camera.fx / z, zero, -camera.fx / z * (x / z).clamp(low_x, high_x))
    derivative_y = (zero, camera.fy / z, -camera.fy / z * (y / z).clamp(low_y, high_y))
    axes = _rotation_matrices(rotations) * scales[:, None]
    derivative = torch.stack((torch.stack(derivative_x, -1), torch.stack(derivative_y, -1)), 1)
    across, down = (derivative @ (matrix[:, :3] @ axes)).unbind(1)

    raw_xx, raw_yy = across.square().sum(-1), down.square().sum(-1)
    xx, yy, xy = raw_xx + BLUR, raw_yy + BLUR, (across * down).sum(-1)
    # The determinant of a sum of squares as such a sum (Lagrange's identity) loses no digits.
    raw_determinant = torch.linalg.cross(across, down).square().sum(-1)
    determinant = raw_determinant + BLUR * (raw_xx + raw_yy) + BLUR**2
    if rules.antialiased:
        ratio = (raw_determinant / determinant).clamp(min=rules.smallest_ratio)
        # No square root has a derivative at zero.
        opacities = opacities * ratio.clamp(min=torch.finfo(ratio.dtype).tiny).sqrt()
    center = torch.stack((camera.fx * x / z + camera.cx, camera.fy * y / z + camera.cy), -1)
    conics = torch.stack((yy, -xy, xx), -1) / determinant[:, None]
    tiles = _tiles(center, xx, yy, xy, opacities, camera, rules)
    finite = torch.isfinite(determinant) & torch.isfinite(opacities)
    drawn = in_front & finite & (opacities >= FAINTEST)
    tiles[~drawn] = torch.tensor((0, -1, 0, -1), device=tiles.device)
    return _OnScreen(center, conics, opacities, z, tiles)


def _rotation_matrices(quaternions: Tensor) -> Tensor:
    """Return the rotations (N, 3, 3) of quaternions (N, 4) of any length, w first."""
    w, x, y, z = torch.nn.functional.normalize(quaternions, dim=-1, eps=SHORTEST).unbind(-1)
    rows = (
        (1 - 2 * (y * y + z * z), 2 * (x * y - w * z), 2 * (x * z + w * y)),
        (2 * (x * y + w * z), 1 - 2 * (x * x + z * z), 2 * (y * z - w * x)),
        (2 * (x * z - w * y), 2 * (y * z + w * x), 1 - 2 * (x * x + y * y)),
    )
    return torch.stack([torch.stack(row, -1) for row in rows], 1)


@torch.no_grad()
def _tiles(
    center: Tensor,
    xx: Tensor,
    yy: Tensor,
    xy: Tensor,
    opacities: Tensor,
    camera: SplatCamera,
    rules: SplatRules,
) -> Tensor:
    """Return the tiles (N, 4) in which a splat may be drawn."""
    if rules.square:
        half = (xx - yy) / 2
        largest = (xx + yy) / 2 + (half.square() + xy.square()).clamp(min=0.1).sqrt()
        reach_x = reach_y = torch.ceil(3 * largest.sqrt())
        # The original program counts from the first pixel's centre, and rounds the last tile down
        # from a pixel less.
        low, high = center - 0.5, center - 1.5
    else:
        limit = 2 * (opacities / FAINTEST).clamp(min=1).log()
        reach_x, reach_y = (limit * xx).sqrt(), (limit * yy).sqrt()
        low = high = center
    across, down = camera.tiles
    origin = camera.first_row // TILE
    bounds = (
        (low[:, 0] - reach_x, 0, across),
        (high[:, 0] + reach_x, 0, across),
        (low[:, 1] - reach_y, origin, down),
        (high[:, 1] + reach_y, origin, down),
    )
    return torch.stack(
        [
            (torch.floor(at / TILE) - start).nan_to_num().clamp(-1, count).long()
            for at, start, count in bounds
        ],
        -1,
    )


def _tile(
    seen: _OnScreen,
    colors: Tensor,
    members: Tensor,
    x: int,
    y: int,
    camera: SplatCamera,
    rules: SplatRules,
    use: SplatUse | None,
) -> Tensor:
    """Return the channels (16, 16, 5) of a tile, given its splats from near to far."""
    step = torch.arange(TILE, device=colors.device, dtype=colors.dtype) + 0.5
    at_x = (TILE * x + step).repeat(TILE)
    at_y = (camera.first_row + TILE * y + step).repeat_interleave(TILE)
    center, (xx, xy, yy) = seen.centers[members], seen.conics[members].unbind(-1)
    dx, dy = at_x - center[:, :1], at_y - center[:, 1:]
    square = xx[:, None] * dx * dx + 2 * xy[:, None] * dx * dy + yy[:, None] * dy * dy
    alpha = seen.opacities[members, None] * torch.exp(-square / 2)
    alpha = alpha.clamp(max=rules.most_opaque)
    alpha = torch.where(alpha >= FAINTEST, alpha, torch.zeros_like(alpha))
    passing = torch.cumprod(1 - alpha, dim=0)
    reaching = torch.cat((torch.ones_like(passing[:1]), passing[:-1]))
    weights = torch.where(passing >= DARKEST, alpha * reaching, torch.zeros_like(alpha))
    if use is not None:
        inside = (at_x < camera.width) & (at_y < camera.stop)
        use.weight[members] = use.weight[members].maximum((weights.detach() * inside).amax(1))
    channels = torch.cat(
        (colors[members], torch.ones_like(center[:, :1]), seen.depths[members, None]), dim=1
    )
    return (weights.T @ channels).view(TILE, TILE, CHANNELS)
