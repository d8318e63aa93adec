"""The arguments of every verb: at once the command line and the schema of ``request.json``.

Each verb has one dataclass. The docstring under a field is its help on the command line, and a
field's name is its key in ``request.json``.
"""

from .editing import EditArguments, FloatersArguments, MergeArguments
from .kinds import (
    Corners,
    Decoder,
    Device,
    Interval,
    LightPreset,
    Preset,
    RayEncoding,
    Split,
    StageChoice,
)
from .looking import (
    BenchArguments,
    CompareArguments,
    EvalArguments,
    ExportArguments,
    InfoArguments,
    RenderArguments,
    RewriteArguments,
    ViewArguments,
    VolumeArguments,
)
from .making import ConvertArguments, TrainArguments

__all__ = [
    "BenchArguments",
    "CompareArguments",
    "ConvertArguments",
    "Corners",
    "Decoder",
    "Device",
    "EditArguments",
    "EvalArguments",
    "ExportArguments",
    "FloatersArguments",
    "InfoArguments",
    "Interval",
    "LightPreset",
    "MergeArguments",
    "Preset",
    "RayEncoding",
    "RenderArguments",
    "RewriteArguments",
    "Split",
    "StageChoice",
    "TrainArguments",
    "ViewArguments",
    "VolumeArguments",
]
