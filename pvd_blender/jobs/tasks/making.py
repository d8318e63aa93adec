"""Settings of a field that is to be made: its architecture, its size, and when the work ends."""

from dataclasses import dataclass

from ...engine.job_folder import safe_name
from ...errors import ConvertFieldError


@dataclass(frozen=True)
class FieldSettings:
    """How a field is made.

    Attributes
    ----------
    architecture : str
        A name that the engine knows, or several joined by +: ``"hash"``, ``"hash+vm"``.
    preset : str or None
        ``"small"`` or ``"full"``; None leaves it to the engine: small on a CPU, full on a GPU.
    budget : float or None
        Seconds.
    steps : int or None
        Instead of the budget.
    seed : int
    until_psnr : float or None
        Decibel that are enough, even before the budget is spent.
    """

    architecture: str
    preset: str | None = None
    budget: float | None = None
    steps: int | None = None
    seed: int = 0
    until_psnr: float | None = None

    def arguments(self) -> dict:
        """Return the engine's arguments but for the architecture, whose name differs by verb."""
        if self.budget is not None and self.steps is not None:
            raise ConvertFieldError("Give a budget or a number of steps, not both.")
        return {
            "preset": self.preset,
            "budget": None if self.budget is None else f"{self.budget:g}s",
            "steps": self.steps,
            "seed": self.seed,
            "until_psnr": self.until_psnr,
        }

    def file_name(self) -> str:
        """Return the name of the field's file."""
        return "+".join(map(safe_name, self.architecture.split("+"))) + ".safetensors"
