"""Sizes at which a field still learns the ball, much faster than with the presets of a CPU."""

import contextlib

import pytest

from pvd_engine.distill import light_objective, projection, splat_projection, teach
from pvd_engine.fields import architectures
from pvd_engine.fields.encoders.base import Encoder
from pvd_engine.fields.encoders.mlp import MlpEncoder
from pvd_engine.fields.point_encodings import RAY_ENCODINGS
from pvd_engine.fields.registry import (
    CLOUDS,
    GAUSSIANS,
    LIGHT_FIELD,
    RADIANCE_FIELDS,
    TARGETS_ONLY,
)

SIZES = {
    "hash": {"levels": 8, "log2_table_size": 15, "finest_resolution": 128},
    "mlp": {"hidden": 64, "layers": 3, "skip": 2, "frequencies": 6},
    "sparse_tensor": {"resolution": 40},
    "vm": {"resolution": 48},
    "cp": {"resolution": 64, "density_rank": 48, "color_rank": 96},
}
"""Sizes of encoders in place of the preset's."""

NETWORK = {"width": 64, "depth": 4}
RAYS = {"levels": 8, "log2_table_size": 15, "finest_resolution": 128}
"""Sizes of a light field's network and of its rays' encoding."""


@contextlib.contextmanager
def tiny_fields():
    """Within, the preset "small" is tiny, and a step casts fewer rays."""
    with pytest.MonkeyPatch.context() as patch:
        for name, sizes in SIZES.items():
            encoder = RADIANCE_FIELDS[name].presets["small"]
            for key, value in sizes.items():
                patch.setitem(encoder, key, value)
        patch.setitem(CLOUDS[GAUSSIANS].presets["small"], "splats", 600)
        patch.setattr(splat_projection, "VIEWS", 16)
        patch.setattr(splat_projection, "FEWEST_VIEWS", 2)
        patch.setattr(splat_projection, "RAYS", 16 << 11)
        patch.setitem(TARGETS_ONLY[LIGHT_FIELD].presets["small"], "network", NETWORK)
        for key, value in RAYS.items():
            patch.setitem(RAY_ENCODINGS["hash"], key, value)
        patch.setitem(architectures.OCCUPANCY_RESOLUTION, "small", 48)
        patch.setitem(architectures.STEPS_ACROSS, "small", 72)
        patch.setattr(Encoder, "cpu_samples", 1 << 13)
        patch.setattr(MlpEncoder, "cpu_samples", 1 << 12)
        patch.setattr(teach, "CPU_SAMPLES", 1 << 12)
        patch.setitem(light_objective.BATCH, "cpu", 1 << 9)
        patch.setattr(projection, "RAYS", 1 << 11)
        patch.setattr(projection, "CELL_POINTS", 1 << 13)
        patch.setattr(projection, "STEPS", 80)
        patch.setattr(projection, "BATCH", 1 << 12)
        patch.setattr(projection, "DECODER_STEPS", 50)
        yield
