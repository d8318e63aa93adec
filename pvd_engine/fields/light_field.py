"""A neural light field: the colour of a ray by one pass of a deep residual network.

Wang et al., "R2L: distilling neural radiance field to neural light field for efficient novel view
synthesis", 2022, section 3. The network also gives alpha, so that a light field can be composited
on any background, as a radiance field can.
"""

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from ..data.geometry.poses import PoseDistribution
from ..kernels.marching import through_box
from ..space.extinction import extinctions
from ..space.occupancy import OccupancyGrid
from ..space.rays import Rays
from .base import Learner, RayColors
from .encoders.base import ParameterGroup, muon_groups
from .point_encodings import make_point_encoding
from .precision import ROWS, matmul_precision, pad_rows
from .registry import Architecture
from .state import (
    FieldKind,
    map_header,
    occupancy_bits,
    occupancy_from_state,
    restore,
    without_memory,
)

OCCUPANCY_RESOLUTION = 128
"""Cells along each axis of a light field's occupancy grid, which shows what rays meet."""

PROBES = 256
"""Positions along a ray at which that grid is probed: closer together than cells are wide."""

VISIBLE = "visible"
"""Points lie where the teacher's density says that the light of a ray comes from."""

INTERVALS = ("fixed", "box", "occupied", VISIBLE)
"""Parts of a ray in which its points may lie."""

CODES = "extinction.codes"
"""Name of the cells' extinctions in a field's file."""

CHANNELS = 4
"""Numbers that the network gives for a ray: premultiplied colour and alpha."""


@dataclass(frozen=True)
class Reach:
    """The region that a light field was taught in.

    Attributes
    ----------
    near, far : float
        Distances from the cameras between which the scene lies, dataset units.
    inner_box : (2, 3) lists of float
        Corners of the box around all that is occupied, from the origin of the map of space.
    region : dict
        Positions and directions of the cameras: a `PoseDistribution` as JSON, dataset frame.
    """

    near: float
    far: float
    inner_box: list[list[float]]
    region: dict[str, Any]

    def to_json(self) -> dict[str, Any]:
        """Return the region as JSON, for a field's header."""
        return asdict(self)


class ResidualBlock(nn.Module):
    """Two layers whose output is added to their input, without an activation after the sum."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.first = nn.Linear(width, width)
        self.second = nn.Linear(width, width)

    def forward(self, x: Tensor) -> Tensor:
        """Return the block's output (N, W) for an input (N, W)."""
        return x + self.second(torch.relu(self.first(x)))


class LightField(Learner):
    """Rays of the dataset frame -> premultiplied colour and alpha.

    Parameters
    ----------
    spec : dict
        ``{"name", "preset", "network": {"width", "depth"}, "ray": {"points", "encoding",
        "interval", "skip_empty"}}``. ``interval`` names the part of a ray that its points lie in:
        between ``"fixed"`` near and far planes (as published), in the ``"box"`` around everything
        that is occupied, in ``"occupied"`` cells alone, or where what is ``"visible"`` lies. With
        ``skip_empty``, rays that meet no occupied cell are background, and the network is not
        evaluated.
    occupancy : OccupancyGrid
        From `bordered_occupancy`.
    reach : Reach
    codes : (C,) uint8
        From `extinction_codes`, for the occupied cells; needed for what is visible alone.
    """

    inner_box: Tensor
    codes: Tensor
    extinctions: Tensor

    def __init__(
        self,
        spec: dict[str, Any],
        occupancy: OccupancyGrid,
        reach: Reach,
        codes: Tensor | None = None,
    ) -> None:
        super().__init__(occupancy, {"architecture": spec, "color_space": "srgb"})
        network, ray = spec["network"], spec["ray"]
        width, depth = network["width"], network["depth"]
        self.points = ray["points"]
        self.interval, self.skip_empty = ray["interval"], ray["skip_empty"]
        if self.interval not in INTERVALS or not isinstance(self.skip_empty, bool):
            raise ValueError("the points of its rays lie nowhere")
        self.reach = reach
        self.register_buffer(
            "inner_box",
            torch.tensor(reach.inner_box, device=occupancy.box.device),
            persistent=False,
        )
        if (codes is not None) != (self.interval == VISIBLE):
            raise ValueError("only what is visible is found by extinction")
        if codes is not None:
            cells = torch.zeros_like(occupancy.binary)
            cells[occupancy.binary > 0] = codes.to(cells.device)
            self.register_buffer("codes", cells, persistent=False)
            self.register_buffer("extinctions", extinctions(cells.device), persistent=False)
        self.encoding = make_point_encoding(ray["encoding"])
        self.head = nn.Linear(self.points * self.encoding.width, width)
        self.body = nn.Sequential(*(ResidualBlock(width) for _ in range((depth - 2) // 2)))
        self.tail = nn.Linear(width, CHANNELS)

    def forward(self, origins: Tensor, directions: Tensor) -> Tensor:
        """Return premultiplied colour and alpha (N, 4) of rays, given as (N, 3) float32 each."""
        rays = Rays(origins, directions)
        rgba = self._layers(self.ray_points(rays).flatten(1))
        return rgba * self.meets(rays)[:, None] if self.skip_empty else rgba

    @torch.no_grad()
    def render(self, rays: Rays) -> RayColors:
        """Return the colours of `forward`, in bf16 where that is faster, skipping empty rays."""
        if self.skip_empty:
            rgba = torch.zeros((len(rays.origins), CHANNELS), device=self.device)
            met = self.meets(rays).nonzero().view(-1)
            rgba[met] = self.evaluate(self.ray_points(rays.chosen(met)))
        else:
            rgba = self.evaluate(self.ray_points(rays))
        return RayColors(rgba[:, :3], rgba[:, 3], torch.zeros_like(rgba[:, 3]))

    def taught_from(self, positions: np.ndarray) -> np.ndarray:
        """Return whether positions (N, 3) lie in the region of the cameras it was taught from."""
        return PoseDistribution.from_json(self.reach.region).contains(positions)

    def evaluate(self, points: Tensor) -> Tensor:
        """Return colour and alpha (N, 4) of rays from their points (N, P, 3) of `ray_points`."""
        rows = pad_rows(points.flatten(1))
        # On a CPU in portions, so that activations stay in the cache.
        portion = ROWS if rows.device.type == "cpu" else max(len(rows), 1)
        with matmul_precision(rows.device):
            parts = [self._layers(part) for part in rows.split(portion)]
        return torch.cat(parts)[: len(points)]

    def _layers(self, rows: Tensor) -> Tensor:
        encoded = self.encoding(rows.reshape(-1, 3))
        x = torch.relu(self.head(encoded.reshape(-1, self.head.in_features)))
        x = self.body(x) + x
        return torch.sigmoid(self.tail(x).float())

    def ray_points(self, rays: Rays, jitter: Tensor | None = None) -> Tensor:
        """Return points along rays, in the cube.

        Parameters
        ----------
        rays : Rays
            N of them, dataset frame.
        jitter : (N, P) float32, optional
            Random position of each point in its part of the interval, [0, 1); without it the
            points are evenly spaced. They include both ends, but of what is visible lie in the
            middle of their parts.

        Returns
        -------
        (N, P, 3) float32
        """
        low, even, high = self._parts(rays.origins.device)
        if jitter is None:
            fractions = even.expand(rays.origins.shape[0], -1)  # len() would fix it in an export
        else:
            fractions = low + (high - low) * jitter
        distances = self._distances(rays, fractions)
        points = rays.origins[:, None] + rays.directions[:, None] * distances[..., None]
        return self.occupancy.space.to_cube(points)

    def _parts(self, device: torch.device) -> tuple[Tensor, Tensor, Tensor]:
        """Return the start, the usual position and the end (P,) of each point's part."""
        if self.interval == VISIBLE:
            ends = torch.linspace(0, 1, self.points + 1, device=device)
            return ends[:-1], (ends[:-1] + ends[1:]) / 2, ends[1:]
        even = torch.linspace(0, 1, self.points, device=device)
        middle = (even[1:] + even[:-1]) / 2
        return torch.cat((even[:1], middle)), even, torch.cat((middle, even[-1:]))

    def _distances(self, rays: Rays, fractions: Tensor) -> Tensor:
        """Return the distances (N, P) along rays at fractions of their interval."""
        if self.interval == "fixed":
            return self.reach.near + (self.reach.far - self.reach.near) * fractions
        if self.interval == "box":
            enter, leave = through_box(*rays, self.inner_box)
            return enter[:, None] + (leave - enter)[:, None] * fractions
        if self.interval == VISIBLE:
            return self.occupancy.space.visible_positions(
                rays, self.codes, self.extinctions, PROBES, fractions
            )
        return self._positions(rays, fractions)[0]

    def meets(self, rays: Rays) -> Tensor:
        """Return whether each ray meets an occupied cell, (N,) bool."""
        return self._positions(rays, rays.origins[:, :0])[1]

    def _positions(self, rays: Rays, fractions: Tensor) -> tuple[Tensor, Tensor]:
        return self.occupancy.space.positions(rays, self.occupancy.binary, PROBES, fractions)

    def parameter_groups(self) -> list[ParameterGroup]:
        """Return all that training optimises."""
        networks = muon_groups(self.head, self.body, self.tail)
        return [*networks, *self.encoding.parameter_groups()]

    def flops(self) -> int:
        """Count the operations of one ray: two for each weight, as R2L counts them."""
        layers = (module for module in self.modules() if isinstance(module, nn.Linear))
        return 2 * sum(layer.weight.numel() for layer in layers)


@torch.no_grad()
def bordered_occupancy(fine: OccupancyGrid) -> OccupancyGrid:
    """Return a grid whose cells are occupied where they hold or border an occupied cell.

    It has `OCCUPANCY_RESOLUTION` cells along each axis. With the border, no ray passes through an
    occupied cell between two of its probes.
    """
    held = nn.functional.adaptive_max_pool3d(fine.binary[None].float(), OCCUPANCY_RESOLUTION)
    near = nn.functional.max_pool3d(held, 3, stride=1, padding=1)[0]
    bordered = OccupancyGrid(fine.space, OCCUPANCY_RESOLUTION)
    bordered.binary.copy_(near > 0)
    return bordered


def light_field_state(field: LightField) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Return tensors and header of a light field, as its file holds them."""
    tensors = {name: tensor.detach().cpu() for name, tensor in field.named_parameters()}
    tensors["occupancy.bits"] = occupancy_bits(field.occupancy)
    if field.interval == VISIBLE:
        tensors[CODES] = field.codes[field.occupancy.binary > 0].cpu()
    header = {
        "kind": KIND.name,
        **map_header(field.occupancy.space),
        "occupancy": field.occupancy.resolution,
        "reach": field.reach.to_json(),
    }
    return tensors, {**field.header, **header}


def light_field_from_state(tensors: dict[str, Tensor], header: dict[str, Any]) -> LightField:
    """Return a field; the inverse of `light_field_state`.

    Raises
    ------
    ValueError
        The codes of extinction are not one byte above 0 for each occupied cell.
    """
    occupancy = occupancy_from_state(tensors, header)
    codes = tensors.get(CODES)
    if codes is not None and (
        codes.dtype != torch.uint8
        or codes.shape != (int(occupancy.binary.sum(dtype=torch.int64)),)
        or (codes == 0).any()
    ):
        raise ValueError("the cells' extinctions are not those of the occupied cells")
    with without_memory():
        field = LightField(header["architecture"], occupancy, Reach(**header["reach"]), codes)
    restore(field, {name: own for name, own in tensors.items() if name != CODES}, header)
    return field


KIND = FieldKind("light_field", LightField, light_field_state, light_field_from_state)

ARCHITECTURE = Architecture(
    label="Light Field",
    description="R2L: a deep network that renders a whole ray in one pass; it can be rendered, but "
    "has no density",
    good_for="R2L: a ray in one pass; no density",
    presets={
        "small": {"network": {"width": 128, "depth": 8}, "encoding": "hash"},
        "full": {"network": {"width": 256, "depth": 88}, "encoding": "frequencies"},
        "W256D88": {"network": {"width": 256, "depth": 88}, "encoding": "frequencies"},
        "W181D88": {"network": {"width": 181, "depth": 88}, "encoding": "frequencies"},
        "W256D44": {"network": {"width": 256, "depth": 44}, "encoding": "frequencies"},
        "W363D22": {"network": {"width": 363, "depth": 22}, "encoding": "frequencies"},
    },
)
"""R2L's networks by their names; "full" is its largest. A ray's points are encoded as published,
except in "small", which is taught on a CPU with too few rays for the published encoding."""
