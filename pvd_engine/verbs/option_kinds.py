"""Kinds of options that several verbs take, and the checks on their values."""

from dataclasses import dataclass, fields
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar, get_args, get_type_hints

from tyro.conf import Positional, arg
from tyro.constructors import PrimitiveConstructorSpec

from ..data.images import MAX_DOWNSCALE, MAX_STOPS
from ..errors import UserError
from ..fields.registry import CLOUDS, RADIANCE_FIELDS, TARGETS_ONLY

Note = TypeVar("Note")


@dataclass(frozen=True)
class Between:
    """Bounds of an option's value, both allowed; stands in the option's `Annotated` type."""

    low: float
    high: float


@dataclass(frozen=True)
class Shown:
    """An option in Blender's interface; stands in the option's `Annotated` type.

    Attributes
    ----------
    label : str
    choices : tuple of (str, str, str)
        Value, label and tooltip of what can be chosen.
    unset : (str, str) or None
        Label and tooltip of no choice, where the option may be left out.
    """

    label: str
    choices: tuple[tuple[str, str, str], ...] = ()
    unset: tuple[str, str] | None = None


AUTOMATIC_PRESET = ("Automatic", "Small on a CPU, full on a GPU")
PRESETS = (
    ("small", "Small", "Sizes that suit a CPU"),
    ("full", "Full", "The published sizes, which want a GPU"),
)

Device = Annotated[str, arg(metavar="DEVICE")]
Preset = Literal["small", "full"]
Decoder = Literal["mlp", "sh", "sh3"]
Split = Literal["train", "val", "test"]
Corners = tuple[float, float, float, float, float, float]
Downscale = Annotated[int, Between(1, MAX_DOWNSCALE)]
Exposure = Annotated[float, Between(-MAX_STOPS, MAX_STOPS), Shown("Exposure")]
SplatCount = Annotated[int, Between(1, 100_000_000), Shown("Splats")]
Seed = Annotated[int, Between(0, 2**63 - 1)]
Memory = Annotated[float, Between(0.1, 10_000), Shown("Memory")]
Decibel = Annotated[float, Between(1, 60)]
Resolution = Annotated[int, Between(1, 2048), Shown("Resolution")]

_NAMES = ", ".join(RADIANCE_FIELDS)

Architecture = Annotated[
    str,
    arg(
        help=f"Architecture of the field: {_NAMES}, several side by side: hash+vm, "
        f"or {', '.join(CLOUDS)}."
    ),
]
Target = Annotated[
    str,
    arg(
        help=f"Architecture of the student: {_NAMES}, several: hash+vm, "
        f"{', '.join(CLOUDS)} or {', '.join(TARGETS_ONLY)}."
    ),
]
CapturePath = Annotated[Path, arg(metavar="CAPTURE")]
FieldPath = Annotated[Path, arg(metavar="FIELD")]
FieldPaths = Annotated[tuple[Path, ...], arg(metavar="FIELD [FIELD ...]")]


@dataclass(frozen=True, kw_only=True)
class CheckedArguments:
    """Arguments of a verb, whose bounds are checked when they are made.

    Raises
    ------
    UserError
        A value lies outside the bounds of its option; the message names it.
    """

    def __post_init__(self) -> None:
        hints = get_type_hints(type(self), include_extras=True)
        for option in fields(self):
            value = getattr(self, option.name)
            bounds = note_of(hints[option.name], Between)
            if bounds is None or value is None or bounds.low <= value <= bounds.high:
                continue
            raise UserError(
                f"{option_name(option.name)} must be from {bounds.low:.15g} to {bounds.high:.15g}, "
                f"not {value}."
            )


@dataclass(frozen=True, kw_only=True)
class ComputingArguments(CheckedArguments):
    """Arguments of a verb that computes on a device."""

    device: Device = "auto"
    """Device to compute on: auto, cpu, cuda, mps (Apple), xpu (Intel) or another of torch's; auto
    takes CUDA where there is one, else the CPU. pvd info --device shows what there is."""

    memory: Memory | None = None
    """Memory in GB that the work may take on the device. Images, steps and pictures are worked on
    in portions that fit; the program itself, about half a GB, comes on top on a CPU. When not
    given, four fifths of what is free on a GPU, and the usual portions on a CPU."""


@dataclass(frozen=True, kw_only=True)
class FieldArguments(ComputingArguments):
    """Arguments of a verb that reads one field."""

    field: Positional[FieldPath]
    """The field file."""


def option_word(metavar: str, alone: str) -> PrimitiveConstructorSpec[str | None]:
    """Return how an option with at most one word after it is read: `alone` stands for none."""

    def read(words: list[str]) -> str:
        if len(words) > 1:
            raise ValueError(f"one {metavar} at most")
        return words[0] if words else alone

    return PrimitiveConstructorSpec(
        nargs="*",
        metavar=f"[{metavar}]",
        instance_from_str=read,
        is_instance=lambda value: value is None or isinstance(value, str),
        str_from_instance=lambda value: [str(value)],
    )


def note_of(hint: Any, kind: type[Note]) -> Note | None:
    """Return the note of a kind in an `Annotated` type, also within ``... | None``."""
    notes = (note for note in getattr(hint, "__metadata__", ()) if isinstance(note, kind))
    inner = (note_of(part, kind) for part in get_args(hint) if not isinstance(part, kind))
    return next((note for note in (*notes, *inner) if note is not None), None)


def option_name(name: str) -> str:
    """Return an option as it is typed: ``"--ray-points"`` of ``"ray_points"``."""
    return f"--{name.replace('_', '-')}"


def check_suffix(path: Path, suffix: str) -> None:
    """Refuse an output file of another kind.

    Raises
    ------
    UserError
        The file's name has another suffix.
    """
    if path.suffix != suffix:
        raise UserError(f"--out must name a file that ends in {suffix}, not '{path}'.")
