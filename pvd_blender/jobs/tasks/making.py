"""Settings of a new field: its architecture, the limit of the work, and the engine's options."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from ...engine.job_folder import safe_name
from ...errors import ConvertFieldError
from ...state.engine_options import changed_options


@dataclass(frozen=True)
class FieldSettings:
    """Settings of a new field.

    Attributes
    ----------
    architecture : str
        Name of an architecture, or several names joined by +: ``"hash"``, ``"hash+vm"``.
    budget : float or None
        Time limit, seconds.
    options : mapping of str to JSON value
        The engine's options, by name.
    """

    architecture: str
    budget: float | None = None
    options: Mapping[str, object] = field(default_factory=dict)

    def arguments(self, verb: str) -> dict:
        """Return the arguments of a verb except the architecture, whose option differs by verb.

        Raises
        ------
        ConvertFieldError
            When the verb has no such option, or a budget and a number of steps are given.
        """
        arguments = changed_options(verb, self.options)
        if self.budget is not None:
            if "steps" in arguments:
                raise ConvertFieldError("Give a budget or a number of steps, not both.")
            arguments["budget"] = f"{self.budget:g}s"
        return arguments

    def file_name(self) -> str:
        """Return the name of the field's file."""
        return "+".join(map(safe_name, self.architecture.split("+"))) + ".safetensors"
