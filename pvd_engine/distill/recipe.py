"""The recipe of a distillation: PVD's stages, and PVD-AL's choice of what to repeat."""

from dataclasses import dataclass

from torch import Tensor

LOG_DENSITY_RANGE = (-2.0, 7.0)
"""Range of PVD's density constraint, per unit of the cube. It bounds the loss and never the
rendering, so that lower densities may be truly empty."""


@dataclass(frozen=True)
class Recipe:
    """The comparisons of a distillation, their times and their weights.

    Fang et al., "One is All: Bridging the gap between neural radiance field architectures with
    progressive volume distillation", 2023, section 3.3, and its sequel "PVD-AL" for the last three.

    Attributes
    ----------
    stages : str
        The stages that take part: ``"1"`` compares block 1 (features, the log-density among
        them), ``"2"`` density and colour at points, ``"3"`` rendered colour. A stage goes on
        comparing what the earlier ones did; what is left out is never compared.
    features_until : float
        Fraction of the budget that is spent on stage 1.
    points_until : float
        Fraction of the budget after which stage 3 begins.
    features, log_density, color, rendered : float
        Weights of the four mean squared errors.
    density_constraint : bool
        Compare log-densities within `LOG_DENSITY_RANGE`.
    hard_poses, hard_rays, hard_points : bool
        The three levels of active learning.
    projection : bool
        Start from a direct projection of the teacher, where the student's encoder allows it.
    """

    stages: str = "123"
    features_until: float = 0.03
    points_until: float = 0.15
    features: float = 0.1
    log_density: float = 0.002
    color: float = 0.2
    rendered: float = 1.0
    density_constraint: bool = True
    hard_poses: bool = True
    hard_rays: bool = True
    hard_points: bool = True
    projection: bool = True

    def stage(self, fraction: float) -> int:
        """Return the stage at a fraction of the budget; the next has the time of one left out."""
        if "1" in self.stages and fraction < self.features_until:
            return 1
        if "2" in self.stages and fraction < self.points_until:
            return 2
        return 3

    def constrained(self, log_density: Tensor) -> Tensor:
        """Return log-densities, per unit of the cube; within PVD's range if the recipe has it."""
        return log_density.clamp(*LOG_DENSITY_RANGE) if self.density_constraint else log_density

    def without_features(self) -> "Recipe":
        """Return the recipe for a teacher whose features mean nothing to a student."""
        return Recipe(**{**vars(self), "stages": self.stages.replace("1", "")})
