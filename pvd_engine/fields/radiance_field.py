"""An encoder and a decoder in the frame of a dataset."""

from typing import Any

from torch import Tensor

from ..space.occupancy import OccupancyGrid
from .base import Field
from .decoders import make_decoder
from .encoders.base import ParameterGroup
from .encoders.make import make_encoder
from .precision import pad_rows
from .state import (
    FieldKind,
    common_header,
    marching_step,
    occupancy_bits,
    occupancy_from_state,
    restore,
)


class RadianceField(Field):
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

    def features(self, points: Tensor) -> Tensor:
        """Block 1 at points (N, 3), dataset frame: (N, F)."""
        return self.encoder(pad_rows(self.space.to_cube(points)))[: len(points)]

    def decode(self, points: Tensor, directions: Tensor, features: Tensor) -> tuple[Tensor, Tensor]:
        """Block 2: log-density (N,) per dataset unit and colour (N, 3)."""
        log_density = features[:, 0] - self.space.log_unit(points)
        color = self.decoder(pad_rows(features[:, 1:]), pad_rows(directions))
        return log_density, color[: len(points)]

    def log_density(self, points: Tensor) -> Tensor:
        """Log extinction per dataset unit (N,) at points (N, 3)."""
        density = self.encoder.log_density(pad_rows(self.space.to_cube(points)))
        return density[: len(points)] - self.space.log_unit(points)

    def parameter_groups(self) -> list[ParameterGroup]:
        """The encoder's groups and the decoder's."""
        return [*self.encoder.parameter_groups(), *self.encoder.network_groups(self.decoder)]

    def refine(self, fraction: float) -> bool:
        """Let the encoder go from coarse to fine; True when parameters were replaced."""
        return self.encoder.refine(
            fraction, lambda points: self.occupancy.contains(self.space.from_cube(points))
        )


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
    field = RadianceField(header["architecture"], occupancy, marching_step(header))
    restore(field, tensors, header)
    return field


KIND = FieldKind("radiance_field", RadianceField, radiance_field_state, radiance_field_from_state)
