"""Convert a field into another architecture by Progressive Volume Distillation."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from tyro.conf import Positional

from ..errors import UserError
from ..jobs.budget import Budget, parse_seconds
from ..jobs.job import Job
from ..jobs.verb import Verb
from .file_size import parse_size
from .making import MakingArguments
from .option_kinds import (
    AUTOMATIC_PRESET,
    PRESETS,
    Between,
    CapturePath,
    Downscale,
    FieldPath,
    Shown,
    Target,
    option_name,
)

if TYPE_CHECKING:
    from ..distill.lesson import Lesson
    from ..train.training import Training

LightPreset = Literal["small", "full", "W256D88", "W181D88", "W256D44", "W363D22"]
Interval = Annotated[
    Literal["visible", "occupied", "box", "fixed"],
    Shown(
        "Within",
        (
            ("visible", "What Is Visible", "Where the source's density says that light comes from"),
            ("occupied", "Occupied Cells", "Where the ray may meet something, and nowhere else"),
            ("box", "Box", "The ray's way through the box around all that is occupied"),
            ("fixed", "Near and Far", "Between fixed planes, as published"),
        ),
    ),
]
RayEncoding = Annotated[
    Literal["hash", "frequencies"],
    Shown(
        "Encoding",
        (
            ("hash", "Hash Grid", "Learns many times faster; a larger file"),
            ("frequencies", "Frequencies", "Sines and cosines, as published"),
        ),
        unset=("Automatic", "That of the size: a hash grid for a small light field"),
    ),
]
StageChoice = Annotated[
    Literal["123", "23", "13", "3"],
    Shown(
        "Stages",
        (
            ("123", "All", "Features, then density and colour of points, then rendered rays"),
            ("23", "Points and Rays", "No features"),
            ("13", "Features and Rays", "No density and colour of points"),
            ("3", "Rays", "Rendered rays from the first step on"),
        ),
    ),
]
Through = Annotated[
    Literal["sparse_tensor"],
    Shown(
        "Through",
        (("sparse_tensor", "Sparse Tensor", "The published way to edit; it takes longer"),),
        unset=("Nothing", "Distil straight into the student"),
    ),
]


@dataclass(frozen=True, kw_only=True)
class ConvertArguments(MakingArguments):
    """Convert a field into another architecture by Progressive Volume Distillation.

    The field, edited or not, teaches a new one: first its features, then density and colour, then
    rendered rays. Nothing of the teacher's weights is copied unless --inherit asks for it. Like
    training, it can be stopped with Ctrl-C and resumed by the same command.

    At last it learns from the capture's images, where these show the same (--fine-tune).

    To gaussians it projects the field directly, and then teaches the splats whole pictures; the
    options of stages and decoders mean nothing there.

    To light_field it teaches a network that renders a whole ray in one pass (R2L); the options
    that begin with --ray are for that alone.

    Example: pvd convert lego.safetensors --to mlp --budget 3m --out lego-mlp.safetensors
    """

    field: Positional[FieldPath]
    """The teacher's field file."""

    to: Target

    capture: CapturePath | None = None
    """The dataset that the teacher was trained on; its cameras show where to look."""

    downscale: Downscale | None = None
    """Divide width and height of the capture's images by this, averaging their pixels; when not
    given, by what the teacher's training divided them by."""

    preset: Annotated[LightPreset | None, Shown("Size", PRESETS, AUTOMATIC_PRESET)] = None
    """Size of the field. Small on a CPU and full on a GPU when not given; light fields have R2L's
    sizes, too, by their names."""

    inherit: Annotated[bool, Shown("Inherit Weights")] = False
    """Copy the parameters that source field and student share by name and shape."""

    through: Through | None = None
    """Architecture to distil into first, and from that on into the student. The published way to
    edit."""

    max_size: Annotated[str | None, Shown("Max Size")] = None
    """Largest size of the field's file, such as 5MB or 800kB; the student is made to fit."""

    projection: Annotated[bool, Shown("Direct Projection")] = True
    """Start grids and factors from a direct projection of the source field instead of noise."""

    stages: StageChoice = "123"
    """Stages of the method that take part: 1 features, 2 density and colour of points, 3 rendered
    rays."""

    density_constraint: Annotated[bool, Shown("Density Constraint")] = True
    """Compare densities only within the range in which a difference is visible. These are
    log-densities from -2 to 7, as in PVD."""

    hard_poses: Annotated[bool, Shown("Hard Poses")] = True
    """Render again, a little turned, the views with the student's largest errors (PVD-AL)."""

    hard_rays: Annotated[bool, Shown("Hard Rays")] = True
    """Cast again the rays with the student's largest errors (PVD-AL)."""

    hard_points: Annotated[bool, Shown("Hard Points")] = True
    """Compare only the points that contribute most to each ray (PVD-AL)."""

    ray_points: Annotated[int, Between(2, 256), Shown("Points")] = 16
    """Number of points along each ray that a light field reads."""

    ray_encoding: RayEncoding | None = None
    """Encoding of these points for the network. Frequencies are as published, a hash grid learns
    many times faster; that of the preset when not given: hash for small."""

    ray_interval: Interval = "visible"
    """Part of a ray that these points lie in. Where the source's density says that its light comes
    from, its occupied cells alone, its way through the box around all that is occupied, or between
    fixed near and far planes, as published."""

    ray_skip_empty: Annotated[bool, Shown("Skip Empty")] = True
    """Render rays without occupied cells as background, without the network."""

    ray_hard: Annotated[bool, Shown("Repeat Hard")] = False
    """Draw again the rays with the network's largest errors, as published."""

    ray_importance: Annotated[bool, Shown("By Importance")] = True
    """Learn from only a few of the rays that show nothing."""

    ray_pool: Annotated[int, Between(1 << 10, 1 << 31)] = 1 << 20
    """Rays of the teacher that are kept at a time, 32 bytes each."""

    fine_tune: Annotated[float, Between(0, 1), Shown("Fine-Tune")] = 0.3
    """Fraction of the work, at its end, in which the field may learn from the capture's images. It
    begins when the field is nearer to the source field than that is to the images; light fields
    begin at once. Not used where the source field is edited or merged; needs --capture."""

    report: Annotated[bool, Shown("Write Report")] = True
    """Measure the student when it is done, and write figures, pictures and curves next to its file.
    They are OUT.report.json and OUT.report.html; needs --capture."""

    report_budget: Annotated[str | None, Shown("Report Time")] = None
    """Time for measuring the report, such as 30s or 2m; half of the conversion's when not given.
    As many test views as fit are measured, at least one. With --steps there is no limit when not
    given."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.max_size is not None:
            parse_size(self.max_size)
        self.report_seconds()

    def report_seconds(self) -> float:
        """Return the time for measuring the report; infinite without a limit.

        Raises
        ------
        UserError
            --report-budget is not valid.
        """
        if self.report_budget is not None:
            return parse_seconds(self.report_budget, "--report-budget")
        seconds = Budget.parse(self.budget, self.steps).seconds
        return math.inf if seconds is None else REPORT_FRACTION * seconds


REPORT_FRACTION = 0.5
"""Time for measuring the report, as a fraction of the budget, when it is not given."""

BRIDGE_FRACTION = 0.4
"""Fraction of the budget that a conversion through a sparse tensor spends on reaching it."""

WITHOUT_BLOCKS = ("decoder", "through", "inherit")
"""Options that mean nothing for a field without an encoder and a decoder."""

NOT_OF_LIGHT_FIELDS = (*WITHOUT_BLOCKS, "max_size")
"""Options that mean nothing for a light field."""


def run(arguments: ConvertArguments, job: Job) -> dict[str, Any]:
    """Read a teacher, distil a student, write its file and the report on it.

    Returns
    -------
    dict
        ``out``, ``to``, ``steps``, ``seconds``, ``size`` (bytes), ``preset``, what the distillation
        reports, ``figures`` as in `measure.figures`, those of the report if there is one,
        ``report``, the path of its page or None, and ``warnings``.
    """
    from .. import __version__
    from ..data.fingerprint import capture_fingerprint
    from ..data.images.image_size import open_at_size
    from ..data.images.linear_light import linear_light
    from ..distill.lesson import Lesson, require_density, viewpoints
    from ..distill.recipe import Recipe
    from ..fields.header import read_header
    from ..fields.registry import GAUSSIANS, LIGHT_FIELD
    from ..fields.storage import content_hash, load_field, save_field
    from ..jobs.device import choose_device, peak_memory
    from ..measure.report import alteration

    device = choose_device(arguments.device)
    teacher = load_field(arguments.field, device)
    require_density(teacher)
    provenance = teacher.header.get("provenance")
    capture = None
    if arguments.capture is not None:
        capture = open_at_size(arguments.capture, arguments.downscale, device.type, job, provenance)
    inputs = {} if capture is None else capture_fingerprint(capture)
    source_hash = content_hash(arguments.field)
    job.begin_from({"source field": source_hash} | inputs)
    recipe = Recipe(
        stages=arguments.stages,
        density_constraint=arguments.density_constraint,
        hard_poses=arguments.hard_poses,
        hard_rays=arguments.hard_rays,
        hard_points=arguments.hard_points,
        projection=arguments.projection,
    )
    # The images do not show what an edited or merged teacher shows.
    header = read_header(arguments.field)
    fine_tune = 0.0 if alteration(header) else arguments.fine_tune
    lesson = Lesson(teacher, viewpoints(teacher, capture), capture, recipe, fine_tune)
    reports = arguments.report and capture is not None
    if reports and arguments.report_seconds() < math.inf:
        job.seconds_after = arguments.report_seconds()
    make = {LIGHT_FIELD: _light_field, GAUSSIANS: _splats}.get(arguments.to, _radiance_field)
    training, report = make(arguments, lesson, job)
    student = training.field
    student.header["provenance"] = {
        "made_by": f"pvd convert {__version__}",
        "teacher": {
            "file": arguments.field.name,
            "hash": source_hash,
            "kind": header["kind"],
        },
        "teacher_provenance": provenance,
        "edits": teacher.header.get("edits"),
        "seed": arguments.seed,
        "steps": training.step,
        "seconds": round(training.elapsed, 1),
        "device": str(device),
        "device_memory": peak_memory(device),
        "viewpoints": lesson.poses.to_json(),
        **({} if capture is None else {"downscale": capture.downscale, **linear_light(capture)}),
        **report,
    }
    save_field(arguments.out, student)
    page, figures = _write_report(arguments, lesson, training, job) if reports else (None, None)
    return {
        "out": str(arguments.out),
        "to": arguments.to,
        "steps": training.step,
        "seconds": training.elapsed,
        "size": arguments.out.stat().st_size,
        **report,
        "figures": report["figures"] if figures is None else figures,
        "report": page,
        "warnings": job.warnings,
    }


def _radiance_field(
    arguments: ConvertArguments, lesson: "Lesson", job: Job
) -> tuple["Training", dict[str, Any]]:
    """Distil a field that has density."""
    import torch

    from ..distill.student import inherit, make_student
    from ..distill.teach import teach
    from ..distill.through import through_sparse_tensor
    from ..fields.architectures import architecture, default_preset
    from ..fields.sizing import fit

    device = lesson.teacher.device
    preset = arguments.preset or default_preset(device)
    spec = architecture(arguments.to, preset, arguments.decoder)
    budget = Budget.parse(arguments.budget, arguments.steps)
    seed = arguments.seed
    if arguments.through is not None:
        lesson = through_sparse_tensor(lesson, preset, budget.part(BRIDGE_FRACTION), seed, job)
        budget = budget.part(1 - BRIDGE_FRACTION)
    if arguments.max_size is not None:
        limit = parse_size(arguments.max_size)
        spec = fit(spec, limit, lambda sizes: make_student(sizes, lesson.teacher))
    torch.manual_seed(seed)
    student = make_student(spec, lesson.teacher).to(device)
    inherited = inherit(student, lesson.teacher) if arguments.inherit else []
    training, report = teach(student, lesson, budget, seed, job, arguments.until_psnr)
    return training, {
        "preset": preset,
        "through": arguments.through,
        "inherited": inherited,
        **report,
    }


def _splats(
    arguments: ConvertArguments, lesson: "Lesson", job: Job
) -> tuple["Training", dict[str, Any]]:
    """Teach Gaussian splats."""
    from ..distill.splats import teach_splats
    from ..fields.architectures import default_preset
    from ..fields.sizing import splat_sizes

    _refuse(arguments, WITHOUT_BLOCKS, "Gaussian splats")
    preset = arguments.preset or default_preset(lesson.teacher.device)
    limit = None if arguments.max_size is None else parse_size(arguments.max_size)
    sizes = splat_sizes(preset, lesson.teacher.space, arguments.splats, limit)
    budget = Budget.parse(arguments.budget, arguments.steps)
    training, report = teach_splats(
        sizes, lesson, budget, arguments.seed, job, arguments.until_psnr
    )
    return training, {"preset": preset, **report}


def _refuse(arguments: ConvertArguments, names: Sequence[str], target: str) -> None:
    """Raise `UserError` when an option is given that means nothing for a target."""
    defaults = {field.name: field.default for field in fields(arguments)}
    for name in names:
        if getattr(arguments, name) != defaults[name]:
            raise UserError(f"{option_name(name)} means nothing for {target}; leave it out.")


def _light_field(
    arguments: ConvertArguments, lesson: "Lesson", job: Job
) -> tuple["Training", dict[str, Any]]:
    """Teach a light field."""
    from ..distill.light import teach_light_field
    from ..distill.light_objective import LightRecipe
    from ..fields.architectures import default_preset, light_field

    _refuse(arguments, NOT_OF_LIGHT_FIELDS, "a light field")
    preset = arguments.preset or default_preset(lesson.teacher.device)
    spec = light_field(
        preset,
        arguments.ray_points,
        arguments.ray_interval,
        arguments.ray_skip_empty,
        arguments.ray_encoding,
    )
    recipe = LightRecipe(arguments.ray_pool, arguments.ray_hard, arguments.ray_importance)
    budget = Budget.parse(arguments.budget, arguments.steps)
    training, report = teach_light_field(
        spec, lesson, recipe, budget, arguments.seed, job, arguments.until_psnr
    )
    return training, {"preset": preset, **report}


def _write_report(
    arguments: ConvertArguments, lesson: "Lesson", training: "Training", job: Job
) -> tuple[str, dict[str, Any] | None]:
    """Write the report next to the field; return its page and figures."""
    from ..measure.report import Conversion, write_report

    assert lesson.capture is not None
    settings = {field.name: getattr(arguments, field.name) for field in fields(arguments)}
    conversion = Conversion(
        teacher=arguments.field,
        student=arguments.out,
        steps=training.step,
        seconds=training.elapsed,
        curves=training.history.curves(),
        # Of paths the names alone: reports are passed on.
        settings={k: v.name if isinstance(v, Path) else v for k, v in settings.items()},
        device=training.field.device,
    )
    page, figures = write_report(conversion, lesson.capture, job, arguments.report_seconds())
    return str(page), figures


VERB = Verb("convert", ConvertArguments, run, resumable=True)
