"""The contract of fields: all that code outside this folder may use of them.

`Renderable` gives the colours of rays, `Field` density and colour at points as well, and `Learner`
can be optimised.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

from ..data.capture import Camera
from ..kernels.compositing import Composited, composite, transmittance
from ..kernels.marching import PackedSamples, select
from ..kernels.workload import MARCHED, PICTURE_RAYS, POINTS, in_portions, workload
from ..space.occupancy import OccupancyGrid
from ..space.rays import CameraBatch, Rays, generate_rays, image_pixels, sample_positions
from ..space.space_map import SpaceMap
from .encoders.base import ParameterGroup
from .rounds import composite_in_rounds
from .splats import Splats

HIDDEN = 1e-6
"""Transmittance behind which a picture sees nothing more."""

TRAINING_HIDDEN = 1e-2
"""Transmittance below which a sample counts as hidden in training, where weak samples cost time."""


@dataclass(frozen=True)
class RayColors:
    """The colours of N rays.

    Attributes
    ----------
    color : (N, 3) float32
        In the field's colour space, premultiplied by alpha.
    alpha : (N,) float32
    depth : (N,) float32
        Expected distance times alpha, dataset units; 0 from a field that knows no distances.
    """

    color: Tensor
    alpha: Tensor
    depth: Tensor


class Renderable(nn.Module):
    """Anything that gives colours along rays of the dataset frame.

    Positions are counted from `SpaceMap.origin`, which is zero unless the scene stands far away.

    Parameters
    ----------
    occupancy : OccupancyGrid
        Cells of the map of space that may hold something.
    header : dict
        JSON-able description: architecture, colour space, provenance.
    """

    def __init__(self, occupancy: OccupancyGrid, header: dict[str, Any]) -> None:
        super().__init__()
        self.occupancy = occupancy
        self.header = header

    @property
    def space(self) -> SpaceMap:
        """The map between the dataset frame and the cube that the field computes in."""
        return self.occupancy.space

    @property
    def box(self) -> Tensor:
        """(2, 3) float32: minimum and maximum corner, dataset frame."""
        return self.occupancy.box

    @property
    def device(self) -> torch.device:
        """The device of the field's tensors."""
        return self.box.device

    def render(self, rays: Rays) -> RayColors:
        """Return the colours of any rays; without gradient."""
        raise NotImplementedError

    @torch.no_grad()
    def picture(self, camera: Camera) -> Iterator[RayColors]:
        """Yield the picture of a camera in parts: pixels row by row; without gradient.

        It is what `render` returns for the rays of the pixels, unless a kind of field has a way of
        its own to whole pictures.

        Parameters
        ----------
        camera : Camera
            Dataset frame.
        """
        cameras = CameraBatch.from_cameras([camera], self.device, self.space.origin)
        pixels = image_pixels(camera.width, camera.height, self.device)

        def rendered(part: slice) -> RayColors:
            index = torch.zeros(len(pixels[part]), dtype=torch.int64, device=self.device)
            return self.render(generate_rays(cameras, index, pixels[part]))

        yield from in_portions(self.device, PICTURE_RAYS, len(pixels), rendered)

    def taught_from(self, positions: np.ndarray) -> np.ndarray:
        """Return whether a camera may stand at each position; elsewhere pictures are guesses.

        Parameters
        ----------
        positions : (N, 3) float64
            Dataset frame.

        Returns
        -------
        (N,) bool
        """
        return np.ones(len(positions), bool)

    def with_density(self) -> "Field | None":
        """Return the field itself where it has density, else None.

        Edits, merging, volumes and distillation need density.
        """
        return None

    def as_splats(self) -> tuple[Splats, list[str]] | None:
        """Return the splats that the field consists of; None where it is no cloud of splats.

        Returns
        -------
        splats : Splats
            Centres counted from the origin of the map of space.
        notes : list of str
            What they show otherwise than the field does, a sentence each.
        """
        return None


class Visible(NamedTuple):
    """Samples of rays that are not hidden behind others.

    Attributes
    ----------
    samples : PackedSamples
        S of them.
    known : (K, S) float32 or None
        What finding them has computed at their points already, see `Field.glance`.
    """

    samples: PackedSamples
    known: Tensor | None


class Field(Renderable):
    """A volume of density and colour in the dataset frame.

    Every radiance field is *block 1 then block 2* (Fang et al., "One is All: Bridging the gap
    between neural radiance field architectures with progressive volume distillation", 2023,
    section 3): `features` is block 1, `decode` block 2.

    Parameters
    ----------
    occupancy : OccupancyGrid
        Cells of the map of space that may hold density.
    step : float
        Ray-marching step, dataset units, where the map of space does not stretch lengths.
    header : dict
        JSON-able description: architecture, colour space, provenance.
    """

    def __init__(self, occupancy: OccupancyGrid, step: float, header: dict[str, Any]) -> None:
        super().__init__(occupancy, header)
        self.step = step

    @property
    def decoder_form(self) -> dict[str, Any] | None:
        """Description of block 2, which defines what features mean; None without a block 2."""
        return self.header.get("architecture", {}).get("decoder")

    def features(self, points: Tensor, known: Tensor | None = None) -> Tensor:
        """Return the features of points (block 1).

        Parameters
        ----------
        points : (N, 3) float32
            Dataset frame.
        known : (K, N) float32, optional
            What `glance` computed at these points, so that it is not computed again.

        Returns
        -------
        (N, F) float32
            F is 0 for a field that has no features of its own.
        """
        raise NotImplementedError

    def decode(self, points: Tensor, directions: Tensor, features: Tensor) -> tuple[Tensor, Tensor]:
        """Return density and colour from features (block 2).

        Parameters
        ----------
        points, directions : (N, 3) float32
            Dataset frame; directions are unit vectors along the ray.
        features : (N, F) float32
            Features of the points, from `features`.

        Returns
        -------
        log_density : (N,) float32
            Natural logarithm of the extinction per dataset unit.
        color : (N, 3) float32
            In [0, 1], in the field's colour space.
        """
        raise NotImplementedError

    def log_density(self, points: Tensor) -> Tensor:
        """Return the log extinction per dataset unit, (N,) float32, at points (N, 3)."""
        raise NotImplementedError

    def glance(self, points: Tensor) -> tuple[Tensor, Tensor | None]:
        """Return what shows which points are visible, and what of it helps to ask them again.

        Parameters
        ----------
        points : (N, 3) float32
            Dataset frame.

        Returns
        -------
        log_density : (N,) float32
        known : (K, N) float32 or None
            For `features` at some of these points, while no parameter has changed; None where
            nothing helps.
        """
        return self.log_density(points), None

    def forward(
        self, points: Tensor, directions: Tensor, known: Tensor | None = None
    ) -> tuple[Tensor, Tensor]:
        """Return log-density (N,) and colour (N, 3) at points seen along directions."""
        return self.decode(points, directions, self.features(points, known))

    def with_density(self) -> "Field":
        """Return the field itself."""
        return self

    @torch.no_grad()
    def render(self, rays: Rays) -> RayColors:
        """March through occupied cells and composite from front to back."""
        steps = 2 * math.sqrt(3) * self.space.half_side / self.step
        portion = max(int(workload(self.device).at_once(MARCHED) / steps), 1)
        parts = [
            self._rendered(Rays(origins, directions))
            for origins, directions in zip(*(part.split(portion) for part in rays), strict=True)
        ]
        return RayColors(*(torch.cat(values) for values in zip(*parts, strict=True)))

    def _rendered(self, rays: Rays) -> tuple[Tensor, Tensor, Tensor]:
        middle = torch.full((len(rays.origins),), 0.5, device=self.device)
        samples = self.space.march(rays, self.occupancy.binary, self.step, middle)
        return composite_in_rounds(self._shaded, rays, samples, self.step, HIDDEN)

    def march(
        self, rays: Rays, jitter: Tensor, hidden: float = TRAINING_HIDDEN
    ) -> tuple[Composited, PackedSamples]:
        """Composite the visible samples of rays; differentiable in the field's parameters.

        Parameters
        ----------
        rays : Rays
            Dataset frame, R of them.
        jitter : (R,) float32
            Start of each ray in its first step, [0, 1).
        hidden : float
            Transmittance under which a sample is dropped.
        """
        samples, known = self.visible_samples(rays, jitter, hidden)
        density, color = self(*sample_positions(rays, samples), known)
        return composite(density, color, samples, self.step), samples

    @torch.no_grad()
    def visible_samples(
        self, rays: Rays, jitter: Tensor, hidden: float = TRAINING_HIDDEN
    ) -> Visible:
        """Return the samples of rays that lie in occupied cells and are not hidden behind others.

        Parameters
        ----------
        rays : Rays
            Dataset frame, R of them.
        jitter : (R,) float32
            Start of each ray in its first step, [0, 1).
        hidden : float
            Transmittance under which a sample is dropped.
        """
        samples = self.space.march(rays, self.occupancy.binary, self.step, jitter)
        if len(samples.t) == 0:
            return Visible(samples, None)
        points, _ = sample_positions(rays, samples)
        at_once = workload(self.device).at_once(POINTS)
        glances = [self.glance(part) for part in points.split(at_once)]
        density = torch.cat([density for density, _ in glances])
        visible = (transmittance(density, samples, self.step) > hidden).nonzero().view(-1)
        parts = [known for _, known in glances if known is not None]
        if not parts:
            return Visible(select(samples, visible), None)
        known = parts[0] if len(parts) == 1 else torch.cat(parts, dim=1)
        return Visible(select(samples, visible), known.index_select(1, visible))

    def _shaded(self, points: Tensor, directions: Tensor) -> tuple[Tensor, Tensor]:
        """Return what `forward` returns, evaluated in portions."""
        at_once = workload(self.device).at_once(POINTS)
        portions = zip(points.split(at_once), directions.split(at_once), strict=True)
        density, color = zip(*(self(*portion) for portion in portions), strict=True)
        return torch.cat(density), torch.cat(color)


class Learner(Renderable):
    """A field that an optimisation changes; `state_dict` and `load_state_dict` are its state."""

    def parameter_groups(self) -> list[ParameterGroup]:
        """Return the parameters that are optimised, grouped by optimisation rule."""
        raise NotImplementedError

    def refine(self, fraction: float) -> bool:
        """Go from coarse to fine as the budget is spent.

        Parameters
        ----------
        fraction : float
            Fraction of the budget that is spent, 0 to 1.

        Returns
        -------
        bool
            True when parameters were replaced, so that an optimiser must start again.
        """
        return False

    def settle(self, deadline: float = math.inf) -> None:
        """Find the cells that hold density after the last step.

        Parameters
        ----------
        deadline : float
            Value of the monotonic clock at which to stop; cells that are not reached stay as they
            are.
        """

    def settling_seconds(self) -> float:
        """Return about the time that `settle` takes without a deadline."""
        return 0.0
