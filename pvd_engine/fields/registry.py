"""The registry of architectures: one line for each here, one record for each next to its class.

A line gives the module that holds the record, `ARCHITECTURE`, and the module is imported when the
record is needed. So the command line can list the names without waiting for torch, and a new
architecture is one file and one line.
"""

import importlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from .encoders.base import Encoder

LIGHT_FIELD, GAUSSIANS = "light_field", "gaussians"
"""Names of the light field and of Gaussian splats among the architectures."""


@dataclass(frozen=True, kw_only=True)
class Architecture:
    """A kind of field that a field can be converted to.

    Attributes
    ----------
    label : str
        Its name in menus and lists.
    description : str
        One sentence without a full stop: what it is and what it is good for.
    good_for : str
        The description in a few words, for one line of a narrow panel.
    presets : mapping of str to mapping
        Sizes by preset; ``"small"`` suits a CPU, ``"full"`` has the published sizes.
    """

    label: str
    description: str
    good_for: str
    presets: Mapping[str, Mapping[str, Any]]


@dataclass(frozen=True, kw_only=True)
class EncoderArchitecture(Architecture):
    """Block 1 then block 2: a field that is trained, converted from and to, and joined with others.

    The sizes of a preset are those of the encoder.

    Attributes
    ----------
    encoder : type of Encoder
        Block 1, made by ``encoder(width=..., **sizes)``.
    decoder : str
        Block 2 unless another is chosen: one of `pvd_engine.fields.architectures.DECODERS`.
    scaled : callable
        (sizes, fraction) -> the sizes that differ, with `fraction` of the parameters, about;
        ``--max-size`` tries fractions from 1 downwards, and sizes must not grow as they fall.
    """

    encoder: "type[Encoder]"
    decoder: str
    scaled: Callable[[Mapping[str, Any], float], dict[str, Any]]


Record = TypeVar("Record", bound=Architecture)


class Registry(Mapping[str, Record]):
    """Records of architectures by name, in the order of their registration.

    The names alone, as from iterating, import nothing.
    """

    def __init__(self) -> None:
        self._modules: dict[str, str] = {}

    def register(self, name: str, module: str) -> None:
        """Add an architecture.

        Parameters
        ----------
        name : str
            Its name in field files and on the command line.
        module : str
            Full name of the module whose `ARCHITECTURE` is its record.

        Raises
        ------
        ValueError
            The name is taken.
        """
        if name in self._modules:
            raise ValueError(f"an architecture called '{name}' is registered already")
        self._modules[name] = module

    def unregister(self, name: str) -> None:
        """Remove an architecture; its fields can no longer be loaded."""
        del self._modules[name]

    def __getitem__(self, name: str) -> Record:
        return importlib.import_module(self._modules[name]).ARCHITECTURE

    def __contains__(self, name: object) -> bool:
        return name in self._modules

    def __iter__(self) -> Iterator[str]:
        return iter(self._modules)

    def __len__(self) -> int:
        return len(self._modules)


RADIANCE_FIELDS: Registry[EncoderArchitecture] = Registry()
"""Architectures that are block 1 then block 2."""

RADIANCE_FIELDS.register("hash", f"{__package__}.encoders.hash")
RADIANCE_FIELDS.register("mlp", f"{__package__}.encoders.mlp")
RADIANCE_FIELDS.register("sparse_tensor", f"{__package__}.encoders.sparse_tensor")
RADIANCE_FIELDS.register("vm", f"{__package__}.encoders.vm")
RADIANCE_FIELDS.register("cp", f"{__package__}.encoders.cp")

CLOUDS: Registry[Architecture] = Registry()
"""Architectures that are clouds of splats: trained, converted from and to, and joined with none."""

CLOUDS.register(GAUSSIANS, f"{__package__}.gaussians")

TARGETS_ONLY: Registry[Architecture] = Registry()
"""Architectures without these blocks: a field can be converted to them, and no more."""

TARGETS_ONLY.register(LIGHT_FIELD, f"{__package__}.light_field")
