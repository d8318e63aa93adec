"""Settings of training and of conversion, as the panels show them."""

from bpy.props import EnumProperty, FloatProperty
from bpy.types import PropertyGroup

from .engine_options import (
    JOINED,
    TARGETS,
    TRAINABLE,
    is_cloud,
    is_light,
    option_property,
    option_value,
)

ALONE = "NONE"
BESIDE = ((ALONE, "None", "One architecture alone"), *JOINED)
LIMITS = (
    ("TIME", "Time", "Stop after a time"),
    ("STEPS", "Steps", "Stop after a number of steps; repeats exactly with the same seed"),
    ("QUALITY", "Quality", "Stop once a view has this PSNR, or the time is over"),
)

DISTILLING = (
    "max_size",
    "stages",
    "hard_poses",
    "hard_rays",
    "hard_points",
    "projection",
    "density_constraint",
    "inherit",
    "through",
    "fine_tune",
    "report",
    "report_budget",
)
"""Options of a conversion to a field that has density."""

LIGHT_DISTILLING = (
    "ray_points",
    "ray_encoding",
    "ray_interval",
    "ray_skip_empty",
    "ray_hard",
    "ray_importance",
    "fine_tune",
    "report",
    "report_budget",
)
"""Options of a conversion to a light field."""


CLOUD_DISTILLING = ("max_size", "fine_tune", "report", "report_budget")
"""Options of a conversion to a cloud of splats."""


class _MakingSettings:
    """Settings that training and conversion have in common."""

    parallel: EnumProperty(
        name="In Parallel",
        description="Second architecture in parallel to the first: one decoder reads the features "
        "of both, so that each can hold what the other cannot",
        items=BESIDE,
    )
    # Light fields have more sizes, which scripts can name.
    preset: option_property("train", "preset")
    limit: EnumProperty(name="Limit", description="Condition that ends the work", items=LIMITS)
    seconds: FloatProperty(
        name="Duration",
        description="Time to spend; 90s, 5min and 1h can be typed as well",
        default=180.0,
        min=1.0,
        soft_max=3600.0,
        step=1000,
        precision=3,
        subtype="TIME_ABSOLUTE",
        unit="TIME_ABSOLUTE",
    )
    steps: option_property("train", "steps", default=5000, min=1, soft_max=100000)
    until_psnr: option_property("train", "until_psnr", default=30.0, precision=1, step=50)
    seed: option_property("train", "seed")
    splats: option_property(
        "train",
        "splats",
        description="Number of splats; 0 for that of the size",
        default=0,
        min=0,
        soft_max=1_000_000,
    )

    @property
    def is_cloud(self) -> bool:
        """True for Gaussian splats, which have a number and work in parallel to nothing."""
        return is_cloud(self.architecture)

    @property
    def is_light(self) -> bool:
        """True for a light field, to which few of the settings apply."""
        return is_light(self.architecture)

    def composition(self) -> str:
        """Return the names of the architecture and of the one in parallel: ``"hash+vm"``."""
        alone = self.is_light or self.is_cloud or self.parallel == ALONE
        parts = [self.architecture, *([] if alone else [self.parallel])]
        return "+".join(parts)

    def making(self) -> dict:
        """Return the settings as keyword arguments of `api.train` and `api.convert`."""
        in_steps = self.limit == "STEPS"
        return {
            "preset": option_value("train", "preset", self.preset),
            "budget": None if in_steps else self.seconds,
            "steps": self.steps if in_steps else None,
            "until_psnr": round(self.until_psnr, 2) if self.limit == "QUALITY" else None,
            "seed": self.seed,
            "splats": (self.splats or None) if self.is_cloud else None,
        }


class TeacherSettings(_MakingSettings, PropertyGroup):
    """Settings of training."""

    architecture: EnumProperty(
        name="Architecture",
        description="Architecture of the teacher",
        items=TRAINABLE,
        default="hash",
    )


class StudentSettings(_MakingSettings, PropertyGroup):
    """Settings of conversion."""

    architecture: EnumProperty(
        name="Architecture",
        description="Architecture of the student",
        items=TARGETS,
        default="mlp",
    )
    max_size: option_property("convert", "max_size")
    stages: option_property("convert", "stages")
    hard_poses: option_property("convert", "hard_poses")
    hard_rays: option_property("convert", "hard_rays")
    hard_points: option_property("convert", "hard_points")
    projection: option_property("convert", "projection")
    density_constraint: option_property("convert", "density_constraint")
    inherit: option_property("convert", "inherit")
    through: option_property("convert", "through")
    ray_points: option_property("convert", "ray_points")
    ray_encoding: option_property("convert", "ray_encoding")
    ray_interval: option_property("convert", "ray_interval")
    ray_skip_empty: option_property("convert", "ray_skip_empty")
    ray_hard: option_property("convert", "ray_hard")
    ray_importance: option_property("convert", "ray_importance")
    fine_tune: option_property("convert", "fine_tune", subtype="FACTOR")
    report: option_property("convert", "report")
    report_budget: option_property("convert", "report_budget")

    def distilling(self) -> dict:
        """Return the settings of conversion alone as keyword arguments of `api.convert`."""
        names = LIGHT_DISTILLING if self.is_light else DISTILLING
        names = CLOUD_DISTILLING if self.is_cloud else names
        return {name: option_value("convert", name, getattr(self, name)) for name in names}


CLASSES = (TeacherSettings, StudentSettings)
