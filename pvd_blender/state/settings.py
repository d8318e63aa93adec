"""Settings of training and of conversion, as the panels show them."""

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
        "R2L: a deep network that renders a whole ray in one pass; it can be rendered, but has no "
        "density",
    ),
)
ALONE = "NONE"
BESIDE = ((ALONE, "None", "One architecture alone"), *ARCHITECTURES)
AUTO = "AUTO"
PRESETS = (
    (AUTO, "Automatic", "Small on a CPU, full on a GPU"),
    ("SMALL", "Small", "Sizes for a CPU"),
    ("FULL", "Full", "The published sizes, for a GPU"),
)
LIMITS = (
    ("TIME", "Time", "Stop after a time"),
    ("STEPS", "Steps", "Stop after a number of steps; repeats exactly with the same seed"),
    ("QUALITY", "Quality", "Stop once a view has this PSNR, or the time is over"),
)
RAY_ENCODINGS = (
    (AUTO, "Automatic", "By the size: a hash grid for a small light field"),
    ("hash", "Hash Grid", "Learns many times faster, with a larger file"),
    ("frequencies", "Frequencies", "Sines and cosines, as published"),
)
INTERVALS = (
    ("occupied", "Occupied Cells", "The occupied cells along the ray alone"),
    ("box", "Box", "The ray's path through the box around all occupied cells"),
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
"""One line for a narrow panel about each architecture: what it is and what it is good for."""


def architecture_label(name: str) -> str:
    """Return an architecture's name for people, such as ``"Hash Grid + TensoRF VM"``."""
    labels = {key: label for key, label, _ in STUDENTS}
    return " + ".join(labels.get(part, part) for part in name.split("+"))


class _MakingSettings:
    """Settings that training and conversion have in common."""

    beside: EnumProperty(
        name="In Parallel",
        description="Second architecture in parallel to the first: one decoder reads the features "
        "of both, so that each can hold what the other cannot",
        items=BESIDE,
    )
    preset: EnumProperty(name="Size", description="Size of the field", items=PRESETS)
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
    steps: IntProperty(
        name="Steps", description="Number of steps", default=5000, min=1, soft_max=100000
    )
    quality: FloatProperty(
        name="PSNR",
        description="Quality in dB at which the work ends: of a teacher to a validation image, of "
        "a student to its source field",
        default=30.0,
        min=1.0,
        max=60.0,
        precision=1,
        step=50,
    )
    seed: IntProperty(name="Seed", description="Start of the random numbers", default=0, min=0)

    @property
    def is_light(self) -> bool:
        """True for a light field, to which few of the settings apply."""
        return self.architecture == LIGHT_FIELD

    def composition(self) -> str:
        """Return the names of the architecture and of the one in parallel: ``"hash+vm"``."""
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
        description="Architecture of the teacher",
        items=ARCHITECTURES,
        default="hash",
    )


class StudentSettings(_MakingSettings, PropertyGroup):
    """Settings of conversion."""

    architecture: EnumProperty(
        name="Architecture",
        description="Architecture of the student",
        items=STUDENTS,
        default="mlp",
    )
    max_size: StringProperty(
        name="Max Size",
        description="Largest size of the field's file, such as 5MB or 800kB; the student is made "
        "to fit; empty sets no limit",
    )
    inherit: BoolProperty(
        name="Inherit Weights",
        description="Copy the parts of the source field that fit the student",
        default=False,
    )
    through_sparse_tensor: BoolProperty(
        name="Via Sparse Tensor",
        description="Convert into a sparse tensor first and from that into the student, the "
        "published method; direct conversion is faster",
        default=False,
    )
    projection: BoolProperty(
        name="Direct Projection",
        description="Start grids and factors from a direct projection of the source field instead "
        "of noise",
        default=True,
    )
    stages: EnumProperty(
        name="Stages",
        description="Stages of the method that take part",
        items=STAGES,
    )
    density_constraint: BoolProperty(
        name="Density Constraint",
        description="Compare densities only within the range in which they can be seen to differ",
        default=True,
    )
    hard_poses: BoolProperty(
        name="Poses",
        description="Render again, a little turned, the views with the student's largest errors",
        default=True,
    )
    hard_rays: BoolProperty(
        name="Rays",
        description="Cast again the rays with the student's largest errors",
        default=True,
    )
    hard_points: BoolProperty(
        name="Points",
        description="Compare only the points that contribute most to each ray",
        default=True,
    )
    ray_points: IntProperty(
        name="Points",
        description="Number of points along each ray that the network reads",
        default=16,
        min=2,
        max=256,
    )
    ray_encoding: EnumProperty(
        name="Encoding", description="Encoding of the points for the network", items=RAY_ENCODINGS
    )
    ray_interval: EnumProperty(
        name="Within", description="Part of a ray that its points lie in", items=INTERVALS
    )
    ray_skip_empty: BoolProperty(
        name="Skip Empty",
        description="Render rays without occupied cells as background, without the network",
        default=True,
    )
    ray_hard: BoolProperty(
        name="Repeat Hard",
        description="Draw again the rays with the network's largest errors",
        default=True,
    )
    ray_importance: BoolProperty(
        name="By Importance",
        description="Learn from only a few of the rays that show nothing",
        default=True,
    )
    fine_tune: FloatProperty(
        name="Fine-Tune",
        description="Fraction of the work, at its end, that learns from the capture's images; not "
        "used for edited or merged fields",
        default=0.15,
        min=0.0,
        max=1.0,
        subtype="FACTOR",
    )
    report: BoolProperty(
        name="Write Report",
        description="Measure the student when it is done, and write figures, pictures and curves "
        "on one page next to its file",
        default=True,
    )

    def distilling(self) -> dict:
        """Return the settings of conversion alone as keyword arguments of `api.convert`."""
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
