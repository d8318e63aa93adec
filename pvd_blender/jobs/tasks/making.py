"""Settings of a new field: its architecture, its size, and the limit of the work."""

from dataclasses import dataclass

from ...engine.job_folder import safe_name
from ...errors import ConvertFieldError


@dataclass(frozen=True)
class FieldSettings:
    """Settings of a new field.

    Attributes
    ----------
    architecture : str
        Name of an architecture, or several names joined by +: ``"hash"``, ``"hash+vm"``.
    preset : str or None
        ``"small"`` or ``"full"``; None leaves it to the engine: small on a CPU, full on a GPU.
    budget : float or None
        Time limit, seconds.
    steps : int or None
        Number of steps, instead of the budget.
    seed : int
    until_psnr : float or None
        PSNR in dB at which the work ends, even before the budget is spent.
    """

    architecture: str
    preset: str | None = None
    budget: float | None = None
    steps: int | None = None
    seed: int = 0
    until_psnr: float | None = None

    def arguments(self) -> dict:
        """Return the engine's arguments except the architecture, whose option differs by verb."""
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
