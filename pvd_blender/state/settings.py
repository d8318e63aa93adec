"""How fields are made: the settings of training and of conversion, as the panels show them."""

from bpy.props import BoolProperty, EnumProperty, FloatProperty, IntProperty, StringProperty
from bpy.types import PropertyGroup

ARCHITECTURES = (
    ("hash", "Hash Grid", "Instant-NGP: hash tables and a small network; the fastest to train"),
    ("mlp", "Network", "NeRF: one network and nothing else; a small file"),
    (
        "sparse_tensor",
        "Sparse Tensor",
        "Plenoxels: values in occupied voxels and spherical harmonics; no network at all",
    ),
    (
        "vm",
        "TensoRF VM",
        "TensoRF: planes times lines; smooth surfaces, and as fast to train as a hash grid",
    ),
    ("cp", "TensoRF CP", "TensoRF: lines alone; the smallest file, with less detail"),
)
LIGHT_FIELD = "light_field"
STUDENTS = (
    *ARCHITECTURES,
    (
        LIGHT_FIELD,
        "Light Field",
        "R2L: a deep network that answers a whole ray in one pass; it can be rendered, but has no "
        "density",
    ),
)
ALONE = "NONE"
BESIDE = ((ALONE, "None", "One architecture alone"), *ARCHITECTURES)
AUTO = "AUTO"
PRESETS = (
    (AUTO, "Automatic", "Small on a CPU, full on a GPU"),
    ("SMALL", "Small", "Sizes that suit a CPU"),
    ("FULL", "Full", "The published sizes; want a GPU"),
)
LIMITS = (
    ("TIME", "Time", "Stop after a time"),
    ("STEPS", "Steps", "Stop after a number of steps; repeats exactly with the same seed"),
    ("QUALITY", "Quality", "Stop once a view is good enough, or the time is over"),
)
RAY_ENCODINGS = (
    (AUTO, "Automatic", "That of the size: a hash grid for a small light field"),
    ("hash", "Hash Grid", "Learns many times faster; a larger file"),
    ("frequencies", "Frequencies", "Sines and cosines, as published"),
)
INTERVALS = (
    ("occupied", "Occupied Cells", "Where the ray may meet something, and nowhere else"),
    ("box", "Box", "The ray's way through the box around all that is occupied"),
    ("fixed", "Near and Far", "Between fixed planes, as published"),
)
STAGES = (
    ("123", "All", "Features, then density and colour of points, then rendered rays"),
    ("23", "Points and Rays", "No features"),
    ("13", "Features and Rays", "No density and colour of points"),
    ("3", "Rays", "Rendered rays from the first step on"),
)


GOOD_FOR = {
    "hash": "Instant-NGP: the fastest to train",
    "mlp": "NeRF: a network alone; a small file",
    "sparse_tensor": "Plenoxels: voxels, no network",
    "vm": "TensoRF: planes and lines; smooth",
    "cp": "TensoRF: lines; the smallest file",
    LIGHT_FIELD: "R2L: a ray in one pass; no density",
}
"""In one line of a narrow panel, what an architecture is and what it is good for."""


def architecture_label(name: str) -> str:
    """Return an architecture's name for people: ``"hash+vm"`` is a hash grid beside the other."""
    labels = {key: label for key, label, _ in STUDENTS}
    return " + ".join(labels.get(part, part) for part in name.split("+"))


class _MakingSettings:
    """Size of a field that is to be made, how long that may take, and its random numbers."""

    beside: EnumProperty(
        name="Beside",
        description="A second architecture beside the first: one decoder reads the features of "
        "both, so that each can hold what the other cannot",
        items=BESIDE,
    )
    preset: EnumProperty(name="Size", description="Size of the field", items=PRESETS)
    limit: EnumProperty(name="Limit", description="When the work ends", items=LIMITS)
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
    steps: IntProperty(
        name="Steps", description="Steps to take", default=5000, min=1, soft_max=100000
    )
    quality: FloatProperty(
        name="PSNR",
        description="Decibel that are enough: of a teacher's validation view to its image, of a "
        "student's view to the teacher's",
        default=30.0,
        min=1.0,
        max=60.0,
        precision=1,
        step=50,
    )
    seed: IntProperty(name="Seed", description="Start of the random numbers", default=0, min=0)

    @property
    def is_light(self) -> bool:
        """Whether it is a light field, to which few of the settings apply."""
        return self.architecture == LIGHT_FIELD

    def composition(self) -> str:
        """Return the architecture with what is beside it, as the engine names it: ``"hash+vm"``."""
        alone = self.is_light or self.beside == ALONE
        parts = [self.architecture, *([] if alone else [self.beside])]
        return "+".join(parts)

    def making(self) -> dict:
        """Return the settings as keyword arguments of `api.train` and `api.convert`."""
        in_steps = self.limit == "STEPS"
        return {
            "preset": None if self.preset == AUTO else self.preset.lower(),
            "budget": None if in_steps else self.seconds,
            "steps": self.steps if in_steps else None,
            "until_psnr": round(self.quality, 2) if self.limit == "QUALITY" else None,
            "seed": self.seed,
        }


class TeacherSettings(_MakingSettings, PropertyGroup):
    """Settings of training."""

    architecture: EnumProperty(
        name="Architecture",
        description="What the teacher is made of",
        items=ARCHITECTURES,
        default="hash",
    )


class StudentSettings(_MakingSettings, PropertyGroup):
    """Settings of conversion."""

    architecture: EnumProperty(
        name="Architecture",
        description="What the student is made of",
        items=STUDENTS,
        default="mlp",
    )
    max_size: StringProperty(
        name="Max Size",
        description="Largest size of the field's file, such as 5MB or 800kB; the student's sizes "
        "are chosen to fit. Empty sets no limit",
    )
    inherit: BoolProperty(
        name="Inherit Weights",
        description="Copy the parts of the teacher that fit the student, instead of learning them",
        default=False,
    )
    through_sparse_tensor: BoolProperty(
        name="Via Sparse Tensor",
        description="Distil into a sparse tensor first and from that into the student, which is "
        "the published way; straight conversion is quicker",
        default=False,
    )
    projection: BoolProperty(
        name="Direct Projection",
        description="Start grids and factors from a direct projection of the teacher, instead of "
        "noise",
        default=True,
    )
    stages: EnumProperty(
        name="Stages",
        description="Which of the method's stages take part",
        items=STAGES,
    )
    density_constraint: BoolProperty(
        name="Density Constraint",
        description="Compare densities only within the range in which they can be seen to differ",
        default=True,
    )
    hard_poses: BoolProperty(
        name="Poses",
        description="Look again, a little turned, from where the student did worst",
        default=True,
    )
    hard_rays: BoolProperty(
        name="Rays",
        description="Cast the rays again that the student did worst",
        default=True,
    )
    hard_points: BoolProperty(
        name="Points",
        description="Compare only the points that count most along each ray",
        default=True,
    )
    ray_points: IntProperty(
        name="Points",
        description="Points along each ray that the network is given",
        default=16,
        min=2,
        max=256,
    )
    ray_encoding: EnumProperty(
        name="Encoding", description="How the network is told of a point", items=RAY_ENCODINGS
    )
    ray_interval: EnumProperty(
        name="Within", description="Where along a ray its points lie", items=INTERVALS
    )
    ray_skip_empty: BoolProperty(
        name="Skip Empty",
        description="Answer rays that meet nothing occupied as background, without the network",
        default=True,
    )
    ray_hard: BoolProperty(
        name="Repeat Hard",
        description="Draw the rays again that the network did worst",
        default=True,
    )
    ray_importance: BoolProperty(
        name="By Importance",
        description="Learn from few of the rays in which nothing turns out to be",
        default=True,
    )
    fine_tune: FloatProperty(
        name="Fine-Tune",
        description="Share of the work, at its end, that learns from the capture's images; not "
        "when the field was edited or merged",
        default=0.15,
        min=0.0,
        max=1.0,
        subtype="FACTOR",
    )
    report: BoolProperty(
        name="Write Report",
        description="Measure the student when it is done, and write figures, pictures and curves "
        "on one page beside its file",
        default=True,
    )

    def distilling(self) -> dict:
        """Return what only conversion has as keyword arguments of `api.convert`."""
        if self.is_light:
            options = {name: getattr(self, name) for name in (*LIGHT_OPTIONS, "report")}
            encoding = None if self.ray_encoding == AUTO else self.ray_encoding
            return options | {"ray_encoding": encoding, "fine_tune": round(self.fine_tune, 4)}
        same = ("inherit", "projection", "stages", "density_constraint", "report")
        hard = ("hard_poses", "hard_rays", "hard_points")
        return {name: getattr(self, name) for name in (*same, *hard)} | {
            "max_size": self.max_size.strip() or None,
            "through": "sparse_tensor" if self.through_sparse_tensor else None,
        }


LIGHT_OPTIONS = (
    "ray_points",
    "ray_interval",
    "ray_skip_empty",
    "ray_hard",
    "ray_importance",
    "fine_tune",
)

CLASSES = (TeacherSettings, StudentSettings)
