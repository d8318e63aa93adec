"""The field of Gaussian splats: pictures by drawing them, and a volume of their densities.

Kerbl et al., "3D Gaussian splatting for real-time radiance field rendering", 2023. The picture of
a camera is drawn (`splat_pictures`). Single rays, and all that asks for density and colour at
points, see a mixture of Gaussians (`gaussian_volume`).
"""

import math
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor, nn

from ..data.capture import Camera
from ..kernels.gaussian_mixture import gaussian_mixture
from ..kernels.gaussian_records import CellLists
from ..kernels.harmonics import spherical_harmonics
from ..kernels.splat_rules import FAINTEST, GSPLAT, INRIA, SplatRules
from ..space.occupancy import OccupancyGrid
from .base import Field, Learner, RayColors
from .encoders.base import ParameterGroup
from .gaussian_volume import listed, splat_records, thickest
from .registry import GAUSSIANS, Architecture
from .splat_pictures import splat_picture
from .splats import Splats
from .state import (
    FieldKind,
    common_header,
    occupancy_bits,
    occupancy_from_state,
    restore,
    without_memory,
)

ARCHITECTURE = Architecture(
    label="Gaussian Splats",
    description="A cloud of coloured Gaussians, which is drawn in an instant and which Blender and "
    "most other programs show",
    good_for="other programs, quick pictures",
    presets={
        "small": {"splats": 40_000, "degree": 2},
        "full": {"splats": 400_000, "degree": 3},
    },
)
"""The record of the architecture."""

RULES = {"inria": INRIA, "gsplat": GSPLAT}
"""Rules of drawing by their names in field files."""

NEAREST = 0.05
"""Largest distance, in half sides of the box, up to which the rules may leave splats out before a
camera: theirs are for scenes of a certain size."""

EMPTY = 1e-20
"""Least density that has a logarithm."""

MOST_CERTAIN = 2.0**-24
"""Distance of an opacity from 0 and 1 that a logit in float32 keeps."""

POSITION_RATE, SCALE_RATE, ROTATION_RATE, OPACITY_RATE = 1e-3, 2e-2, 4e-3, 5e-2
"""Learning rates; that of positions is in half sides of the box. They are several times those of
the original program, which takes many more steps."""

BASE_RATE, REST_RATE = 2e-2, 2.4e-3
"""Learning rates of the harmonic of degree 0, and of the others."""

TIMED = 16
"""One in so many splats is measured to know how long all will take."""


@dataclass(frozen=True)
class _Volume:
    """The mixture that the parameters made when they were last read.

    Attributes
    ----------
    records : (N, 13) float32
    coefficients : (N, K, 3) float32
    lists : CellLists
    resolution : int
        Their cells along each axis.
    sources : list of (Tensor, int)
        The parameters' memory, and how often it had changed.
    """

    records: Tensor
    coefficients: Tensor
    lists: CellLists
    resolution: int
    sources: list[tuple[Tensor, int]]


class GaussianField(Field, Learner):
    """Gaussian splats in the frame of a dataset.

    Its volume ends where its map of space does; splats beyond are only drawn.

    Parameters
    ----------
    spec : dict
        ``{"name": "gaussians", "splats", "degree", "rules", "antialiased"}``: their number, the
        degree of the harmonics (0 to 4), one of `RULES`, and whether `SplatRules.antialiased`
        holds.
    occupancy : OccupancyGrid
    step : float
        Ray-marching step, dataset units.

    Attributes
    ----------
    centers : (N, 3) float32
        Counted from the origin of the map of space.
    log_scales : (N, 3) float32
        Logarithms of the standard deviations, dataset units.
    rotations : (N, 4) float32
        Quaternions w, x, y, z, of any length.
    opacity_logits : (N,) float32
    sh_base, sh_rest : (N, 1, 3), (N, K - 1, 3) float32
        Coefficients of the harmonics: that of degree 0, and the others.
    """

    def __init__(self, spec: dict[str, Any], occupancy: OccupancyGrid, step: float) -> None:
        super().__init__(occupancy, step, {"architecture": spec, "color_space": "srgb"})
        if spec["antialiased"] not in (True, False):
            raise ValueError("antialiased is neither true nor false")
        count, self.degree = spec["splats"], spec["degree"]
        near = min(RULES[spec["rules"]].near, NEAREST * self.space.half_side)
        self.rules: SplatRules = replace(
            RULES[spec["rules"]], near=near, antialiased=spec["antialiased"]
        )
        self.centers = _parameter(count, 3)
        self.log_scales = _parameter(count, 3)
        self.rotations = _parameter(count, 4)
        self.opacity_logits = _parameter(count)
        self.sh_base = _parameter(count, 1, 3)
        self.sh_rest = _parameter(count, (self.degree + 1) ** 2 - 1, 3)
        self._volume: _Volume | None = None

    def splats(self) -> Splats:
        """Return the splats, differentiable; centres are counted from the map's origin."""
        return Splats(
            self.centers,
            self.log_scales.exp(),
            torch.nn.functional.normalize(self.rotations, dim=1),
            self.opacity_logits.sigmoid(),
            self.coefficients(),
        )

    @torch.no_grad()
    def as_splats(self) -> tuple[Splats, list[str]]:
        """Return the splats, without gradient; nothing is lost."""
        return self.splats().detached(), []

    @torch.no_grad()
    def take(self, splats: Splats) -> None:
        """Let the field have other splats, of the same degree, and find the cells that they fill.

        Parameters
        ----------
        splats : Splats
            Centres counted from the map's origin.
        """
        if splats.degree != self.degree:
            raise ValueError(f"the field's harmonics have degree {self.degree}")
        splats = splats.to(self.device)
        least = self.space.half_side * MOST_CERTAIN
        self.centers = nn.Parameter(splats.centers.clone())
        self.log_scales = nn.Parameter(splats.scales.clamp(min=least).log())
        self.rotations = nn.Parameter(splats.rotations.clone())
        self.opacity_logits = nn.Parameter(torch.logit(splats.opacities, eps=MOST_CERTAIN))
        self.sh_base = nn.Parameter(splats.sh[:, :1].clone())
        self.sh_rest = nn.Parameter(splats.sh[:, 1:].clone())
        self.settle()

    def coefficients(self) -> Tensor:
        """Return all coefficients of the harmonics, (N, K, 3)."""
        return torch.cat((self.sh_base, self.sh_rest), dim=1)

    @torch.no_grad()
    def picture(self, camera: Camera) -> Iterator[RayColors]:
        """Yield the picture of a camera, drawn by the field's rules."""
        yield from splat_picture(self.splats(), camera, self.rules, self.space.origin)

    def features(self, points: Tensor, known: Tensor | None = None) -> Tensor:
        """Return no features: (N, 0); the colours of splats are mixed, not their coefficients."""
        return points.new_zeros((len(points), 0))

    def decode(self, points: Tensor, directions: Tensor, features: Tensor) -> tuple[Tensor, Tensor]:
        """Return the log-density (N,), and the mean colour (N, 3) of the splats by density.

        Colours are not below zero, but may exceed 1, as those of splats may.
        """
        sums = self._sums(points, spherical_harmonics(directions, self.degree))
        density = sums[:, :1].clamp(min=EMPTY)
        return density[:, 0].log(), sums[:, 1:] / density

    def log_density(self, points: Tensor) -> Tensor:
        """Return the log extinction per dataset unit (N,) at points (N, 3)."""
        return self._sums(points, points.new_zeros((len(points), 0)))[:, 0].clamp(min=EMPTY).log()

    def _sums(self, points: Tensor, basis: Tensor) -> Tensor:
        """Return the densities' sum, and that of colours times densities: (N, 4)."""
        volume = self._current_volume()
        records, coefficients = volume.records, volume.coefficients
        if torch.is_grad_enabled() and self.centers.requires_grad:
            records, coefficients = self._records(), self.coefficients()
        if basis.shape[1] == 0:
            coefficients = coefficients[:, :0]
        cells = self._cells(points, volume.resolution)
        return gaussian_mixture(points, cells, basis, volume.lists, records, coefficients)

    def _cells(self, points: Tensor, resolution: int) -> Tensor:
        """Return the flat cell (N,) int32 of each point in a grid; -1 outside of it."""
        index = (self.space.to_grid(points) * resolution).long().clamp(0, resolution - 1)
        cells = (index[:, 0] * resolution + index[:, 1]) * resolution + index[:, 2]
        return torch.where(self.space.contains(points), cells, -1).int()

    def _records(self) -> Tensor:
        """Return the splats as densities, (N, 13); differentiable."""
        stretch = torch.as_tensor(self.space.log_stretch(self.centers.detach()))
        step = (self.step * stretch.exp()).to(self.centers).expand(len(self.centers))
        shape = (self.centers, self.log_scales, self.rotations)
        return splat_records(*shape, self._thickness(), step)

    def _thickness(self) -> Tensor:
        """Return -ln(1 - opacity) (N,), of the largest opacity in a pixel at most."""
        most = -math.log(1 - self.rules.most_opaque)
        return nn.functional.softplus(self.opacity_logits).clamp(max=most)

    @torch.no_grad()
    def _current_volume(self) -> _Volume:
        """Return the mixture, made again if a parameter has changed since."""
        parameters = list(self.parameters())
        known = self._volume
        if known is None or not all(
            old.data_ptr() == new.data_ptr() and old.shape == new.shape and count == new._version
            for (old, count), new in zip(known.sources, parameters, strict=True)
        ):
            # Detached, a parameter shares its memory, which is thus not used again meanwhile.
            sources = [(parameter.detach(), parameter._version) for parameter in parameters]
            records = self._records()
            lists, resolution = listed(self.space, records)
            known = _Volume(records, self.coefficients(), lists, resolution, sources)
            self._volume = known
        return known

    def parameter_groups(self) -> list[ParameterGroup]:
        """Return the parameters with the rates of the original program."""
        rates = (
            (self.centers, POSITION_RATE * self.space.half_side),
            (self.log_scales, SCALE_RATE),
            (self.rotations, ROTATION_RATE),
            (self.opacity_logits, OPACITY_RATE),
            (self.sh_base, BASE_RATE),
            (self.sh_rest, REST_RATE),
        )
        return [ParameterGroup([parameter], rate) for parameter, rate in rates]

    @torch.no_grad()
    def settle(self, deadline: float = math.inf) -> None:
        """Find the cells in which splats are thick enough to be drawn, if the time suffices."""
        occupancy = self.occupancy
        thick = thickest(
            self.space, self._records(), self._thickness(), occupancy.resolution, deadline
        )
        if thick is None:
            return
        occupancy.binary.copy_((thick >= FAINTEST) & (occupancy.values >= 0))
        occupancy.values.copy_(torch.where(occupancy.values < 0, occupancy.values, thick))

    @torch.no_grad()
    def settling_seconds(self) -> float:
        """Return about the time that `settle` takes, measured on a part of the splats."""
        records, thickness = self._records()[::TIMED], self._thickness()[::TIMED]
        start = time.monotonic()
        thickest(self.space, records, thickness, self.occupancy.resolution)
        return (time.monotonic() - start) * TIMED

    def _load_from_state_dict(
        self, state_dict: dict[str, Any], prefix: str, *args: Any, **kwargs: Any
    ) -> None:
        """Take the stored splats, however many they are."""
        count = len(state_dict[prefix + "centers"])
        for name, own in list(self.named_parameters(recurse=False)):
            empty = own.new_empty((count, *own.shape[1:]))
            setattr(self, name, nn.Parameter(empty))
        super()._load_from_state_dict(state_dict, prefix, *args, **kwargs)


def _parameter(*shape: int) -> nn.Parameter:
    return nn.Parameter(torch.zeros(shape))


def gaussians_state(field: GaussianField) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Return tensors and header of a field of splats, as its file holds them."""
    tensors = {
        name: parameter.detach().cpu().contiguous() for name, parameter in field.named_parameters()
    }
    tensors["occupancy.bits"] = occupancy_bits(field.occupancy)
    spec = {**field.header["architecture"], "splats": len(field.centers)}
    header = {**field.header, **common_header(field), "architecture": spec, "kind": KIND.name}
    return tensors, header


def gaussians_from_state(tensors: dict[str, Tensor], header: dict[str, Any]) -> GaussianField:
    """Return a field; the inverse of `gaussians_state`.

    Raises
    ------
    ValueError
        The number of splats is not the header's.
    """
    spec = header["architecture"]
    if len(tensors["centers"]) != spec["splats"]:
        raise ValueError("the number of splats is not the header's")
    occupancy = occupancy_from_state(tensors, header)
    with without_memory():
        field = GaussianField(spec, occupancy, header["step"])
    restore(field, tensors, header)
    return field


KIND = FieldKind(GAUSSIANS, GaussianField, gaussians_state, gaussians_from_state)
