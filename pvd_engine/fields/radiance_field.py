"""An encoder and a decoder in the frame of a dataset."""

import math
from collections.abc import Callable
from typing import Any

from torch import Tensor, nn

from ..space.occupancy import OccupancyGrid
from .base import Field, Learner
from .decoders import make_decoder
from .encoders.base import ParameterGroup, Projection
from .encoders.make import make_encoder
from .state import (
    FieldKind,
    common_header,
    occupancy_bits,
    occupancy_from_state,
    restore,
    without_memory,
)


class RadianceField(Field, Learner):
    """Block 1 (encoder) then block 2 (decoder).

    Parameters
    ----------
    spec : dict
        ``{"name", "preset", "encoder": {"type", ...}, "decoder": {"type", ...}}``.
    occupancy : OccupancyGrid
    step : float
        Ray-marching step, dataset units.
    """

    def __init__(self, spec: dict[str, Any], occupancy: OccupancyGrid, step: float) -> None:
        super().__init__(occupancy, step, {"architecture": spec, "color_space": "srgb"})
        self.decoder = make_decoder(spec["decoder"])
        self.encoder = make_encoder(spec["encoder"], width=self.decoder.input_width)

    @property
    def width(self) -> int:
        """Number of features: the log-density and those that make the colour."""
        return self.decoder.input_width

    @property
    def harmonics_degree(self) -> int | None:
        """Degree of the spherical harmonics whose coefficients are the colour features.

        None where the decoder is a network, which can learn from any features.
        """
        return self.decoder.harmonics_degree

    @property
    def projection(self) -> Projection:
        """Way in which block 1 can start from known features; see `Encoder.projection`."""
        return self.encoder.projection

    @property
    def cpu_samples(self) -> int:
        """Visible samples that a training step on a CPU aims at."""
        return self.encoder.cpu_samples

    def features(self, points: Tensor, known: Tensor | None = None) -> Tensor:
        """Return the features (N, F) of points (N, 3), dataset frame (block 1)."""
        cube = self.space.to_cube(points)
        return self.encoder(cube) if known is None else self.encoder(cube, known)

    def glance(self, points: Tensor) -> tuple[Tensor, Tensor | None]:
        """Return the log extinction per dataset unit (N,), and what the encoder can use again."""
        density, known = self.encoder.glance(self.space.to_cube(points))
        return density - self.space.log_unit(points), known

    def decode(self, points: Tensor, directions: Tensor, features: Tensor) -> tuple[Tensor, Tensor]:
        """Return log-density (N,) per dataset unit and colour (N, 3) (block 2)."""
        return self.density_from(points, features), self.color_from(directions, features)

    def density_from(self, points: Tensor, features: Tensor) -> Tensor:
        """Return log extinction per dataset unit (N,) from features (N, F) of points (N, 3)."""
        return features[:, 0] - self.space.log_unit(points)

    def color_from(self, directions: Tensor, features: Tensor) -> Tensor:
        """Return the colour (N, 3) along directions (N, 3) from features (N, F)."""
        return self.decoder(features, directions)

    def log_density(self, points: Tensor) -> Tensor:
        """Return the log extinction per dataset unit (N,) at points (N, 3)."""
        return self.encoder.log_density(self.space.to_cube(points)) - self.space.log_unit(points)

    def parameter_groups(self) -> list[ParameterGroup]:
        """Return block 1's groups and block 2's."""
        return [*self.feature_groups(), *self.encoder.network_groups(self.decoder)]

    def feature_groups(self) -> list[ParameterGroup]:
        """Return block 1's groups alone."""
        return self.encoder.parameter_groups()

    def color_parameters(self) -> list[nn.Parameter]:
        """Return block 2's parameters alone."""
        return list(self.decoder.parameters())

    def refine(self, fraction: float) -> bool:
        """Let the encoder go from coarse to fine; return True when parameters were replaced."""
        return self.encoder.refine(fraction, self._occupied)

    def settle(self, deadline: float = math.inf) -> None:
        """Rebuild the occupancy grid, as far as the time suffices."""
        self.occupancy.rebuild(self.log_density, self.step, deadline)

    def settling_seconds(self) -> float:
        """Return about the time that `settle` takes without a deadline."""
        return self.occupancy.rebuild_seconds(self.log_density, self.step)

    def start_dense(self) -> None:
        """Start from a density of about 1 instead of thin fog; see `Encoder.start_dense`."""
        self.encoder.start_dense()

    def begin_projection(self, target: Callable[[Tensor], Tensor]) -> None:
        """Prepare block 1 to start from known features, in the way that `projection` names.

        Parameters
        ----------
        target : callable
            (N, 3) points, dataset frame -> (N, F) wanted features.
        """
        self.encoder.begin_projection(
            lambda points: target(self.space.from_cube(points)), self._occupied
        )

    def keep_vertices(self, kept: Callable[[Tensor], Tensor]) -> None:
        """Keep the values of only some vertices of block 1.

        Parameters
        ----------
        kept : callable
            (M, 3) points, dataset frame -> (M,) bool.

        Raises
        ------
        TypeError
            The encoder has no values at vertices.
        """
        self.encoder.keep_vertices(lambda points: kept(self.space.from_cube(points)))

    def _occupied(self, points: Tensor) -> Tensor:
        """Return whether the field may hold density at points (N, 3) of the cube: (N,) bool."""
        return self.occupancy.contains(self.space.from_cube(points))


def radiance_field_state(field: RadianceField) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Return tensors and header of a radiance field, as its file holds them."""
    tensors = {
        name: tensor.detach().cpu().contiguous()
        for name, tensor in field.state_dict().items()
        if not name.startswith("occupancy.")
    }
    tensors["occupancy.bits"] = occupancy_bits(field.occupancy)
    return tensors, {**field.header, **common_header(field), "kind": KIND.name}


def radiance_field_from_state(tensors: dict[str, Tensor], header: dict[str, Any]) -> RadianceField:
    """Return a field; the inverse of `radiance_field_state`."""
    occupancy = occupancy_from_state(tensors, header)
    with without_memory():
        field = RadianceField(header["architecture"], occupancy, header["step"])
    restore(field, tensors, header)
    return field


KIND = FieldKind("radiance_field", RadianceField, radiance_field_state, radiance_field_from_state)
