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
ALONE = "NONE"
BESIDE = ((ALONE, "None", "One architecture alone"), *ARCHITECTURES)
PRESETS = (
    ("AUTO", "Automatic", "Small on a CPU, full on a GPU"),
    ("SMALL", "Small", "Sizes that suit a CPU"),
    ("FULL", "Full", "The published sizes; want a GPU"),
)
LIMITS = (
    ("TIME", "Time", "Stop after a time"),
    ("STEPS", "Steps", "Stop after a number of steps; repeats exactly with the same seed"),
)
STAGES = (
    ("123", "All", "Features, then density and colour of points, then rendered rays"),
    ("23", "Points and Rays", "No features"),
    ("13", "Features and Rays", "No density and colour of points"),
    ("3", "Rays", "Rendered rays from the first step on"),
)


def architecture_label(name: str) -> str:
    """Return an architecture's name for people: ``"hash+vm"`` is a hash grid beside the other."""
    labels = {key: label for key, label, _ in ARCHITECTURES}
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
    seed: IntProperty(name="Seed", description="Start of the random numbers", default=0, min=0)

    def composition(self) -> str:
        """Return the architecture with what is beside it, as the engine names it: ``"hash+vm"``."""
        parts = [self.architecture, *([] if self.beside == ALONE else [self.beside])]
        return "+".join(parts)

    def making(self) -> dict:
        """Return the settings as keyword arguments of `api.train` and `api.convert`."""
        in_time = self.limit == "TIME"
        return {
            "preset": None if self.preset == "AUTO" else self.preset.lower(),
            "budget": self.seconds if in_time else None,
            "steps": None if in_time else self.steps,
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
        items=ARCHITECTURES,
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
        default=False,
    )
    hard_rays: BoolProperty(
        name="Rays",
        description="Cast the rays again that the student did worst",
        default=False,
    )
    hard_points: BoolProperty(
        name="Points",
        description="Compare only the points that count most along each ray",
        default=False,
    )
    report: BoolProperty(
        name="Write Report",
        description="Measure the student when it is done, and write figures, pictures and curves "
        "on one page beside its file",
        default=True,
    )

    def distilling(self) -> dict:
        """Return what only conversion has as keyword arguments of `api.convert`."""
        same = ("inherit", "projection", "stages", "density_constraint", "report")
        hard = ("hard_poses", "hard_rays", "hard_points")
        return {name: getattr(self, name) for name in (*same, *hard)} | {
            "max_size": self.max_size.strip() or None,
            "through": "sparse_tensor" if self.through_sparse_tensor else None,
        }


CLASSES = (TeacherSettings, StudentSettings)
