"""Arguments of the verbs that make fields: train and convert."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from tyro.conf import Positional

from ...errors import UserError
from ...jobs.budget import Budget
from ..file_size import parse_size
from .kinds import (
    Architecture,
    CapturePath,
    Corners,
    Decoder,
    Device,
    FieldPath,
    Interval,
    LightPreset,
    Preset,
    RayEncoding,
    SceneChoice,
    StageChoice,
    Target,
    check_downscale,
    check_goal,
    check_seed,
    check_suffix,
)

MAX_RAY_POINTS = 256
MIN_RAY_POOL, MAX_RAY_POOL = 1 << 10, 1 << 31


@dataclass(frozen=True, kw_only=True)
class TrainArguments:
    """Train a field from the images of a capture.

    Reads the train split of a dataset (COLMAP, NeRF-Synthetic, transforms.json, LLFF and others)
    and writes one field file.
    Progress and checkpoints go to the job folder beside the output: stop with Ctrl-C at any time,
    and the same command goes on where it stopped.

    Example: pvd train lego --arch hash --budget 120s --out lego.safetensors
    """

    capture: Positional[CapturePath]
    """The dataset: its folder, or the file that lists its cameras."""

    out: Path
    """The field file to write; ends in .safetensors."""

    arch: Architecture = "hash"

    preset: Preset | None = None
    """Its size; small on a CPU and full on a GPU when not given."""

    decoder: Decoder | None = None
    """Not the architecture's own decoder: a network, or spherical harmonics to degree 2 or 3."""

    budget: str | None = None
    """How long to train: 90s, 3m, 1h; three minutes when neither this nor --steps is given."""

    steps: int | None = None
    """How many steps to train, instead of a time."""

    until_psnr: float | None = None
    """Stop earlier, once the PSNR of a validation view reaches this many decibel."""

    downscale: int | None = None
    """Divide width and height of the capture's images by this, averaging their pixels. When not
    given, by as little as brings their longer side to 800 pixels on a CPU, to 2400 on a GPU."""

    scene: SceneChoice = "auto"
    """What the capture shows: an object that is all in its box, a forward_facing scene, seen from
    one side, or an unbounded one, with surroundings beyond its box; pvd info tells what auto
    takes, and why."""

    crop: Corners | None = None
    """The corners x0 y0 z0 x1 y1 z1 of a box in the dataset frame, instead of the one that the
    capture says or that was found. Of an object nothing is learned outside it; other scenes go on
    there, with less detail."""

    seed: int = 0
    """Start of all random numbers."""

    device: Device = "auto"
    """Where to compute; auto takes the GPU where there is one."""

    def __post_init__(self) -> None:
        Budget.parse(self.budget, self.steps)
        check_seed(self.seed)
        check_goal(self.until_psnr)
        check_downscale(self.downscale)
        check_suffix(self.out, ".safetensors")


@dataclass(frozen=True, kw_only=True)
class ConvertArguments:
    """Convert a field into another architecture by Progressive Volume Distillation.

    The field, edited or not, teaches a new one: first its features, then density and colour, then
    rendered rays. Nothing of the teacher's weights is copied unless --inherit asks for it. Like
    training, it can be stopped with Ctrl-C and resumed by the same command.

    To light_field it teaches a network that answers a whole ray in one pass (R2L); the options
    that begin with --ray, and --fine-tune, are for that alone.

    Example: pvd convert lego.safetensors --to mlp --budget 3m --out lego-mlp.safetensors
    """

    field: Positional[FieldPath]
    """The teacher's field file."""

    to: Target

    out: Path
    """The field file to write; ends in .safetensors."""

    capture: CapturePath | None = None
    """The dataset that the teacher was trained on; its cameras show where to look."""

    downscale: int | None = None
    """Divide width and height of the capture's images by this, averaging their pixels; when not
    given, by what the teacher's training divided them by."""

    preset: LightPreset | None = None
    """The student's size; small on a CPU and full on a GPU when not given. Light fields have R2L's
    sizes, too, by their names."""

    decoder: Decoder | None = None
    """Not the architecture's own decoder: a network, or spherical harmonics to degree 2 or 3."""

    budget: str | None = None
    """How long to distil: 90s, 3m, 1h; three minutes when neither this nor --steps is given."""

    steps: int | None = None
    """How many steps to distil, instead of a time."""

    until_psnr: float | None = None
    """Stop earlier, once the PSNR of a view to the teacher's reaches this many decibel."""

    inherit: bool = False
    """Copy the parameters that teacher and student share by name and shape."""

    through: Literal["sparse_tensor"] | None = None
    """Distil first into this architecture, then on into the student: the published way to edit."""

    max_size: str | None = None
    """The largest field file, such as 5MB; the student's sizes are chosen to fit it."""

    projection: bool = True
    """Start grids and factors from a direct projection of the teacher instead of noise."""

    stages: StageChoice = "123"
    """PVD's stages that take part: 1 features, 2 density and colour of points, 3 rendered rays."""

    density_constraint: bool = True
    """Compare log-densities within PVD's range of -2 to 7 only."""

    hard_poses: bool = True
    """PVD-AL: look again, a little turned, from where the student did worst."""

    hard_rays: bool = True
    """PVD-AL: cast the worst rays again."""

    hard_points: bool = True
    """PVD-AL: compare only the points that count most along each ray."""

    ray_points: int = 16
    """Points along each ray that a light field is given."""

    ray_encoding: RayEncoding | None = None
    """How they are encoded: frequencies, as published, or a hash grid, which learns many times
    faster; that of the preset when not given: hash for small."""

    ray_interval: Interval = "occupied"
    """Where they lie: in a ray's occupied cells alone, within the box around all that is occupied,
    or between fixed near and far planes, as published."""

    ray_skip_empty: bool = True
    """Answer rays that meet no occupied cell as background, without the network."""

    ray_hard: bool = True
    """Draw the hardest rays again."""

    ray_importance: bool = True
    """Learn from few of the rays in which nothing turns out to be."""

    ray_pool: int = 1 << 20
    """Rays of the teacher that are kept at a time, 32 bytes each."""

    ray_file: bool = False
    """Keep them in a file of the job folder instead of in memory."""

    fine_tune: float = 0.15
    """Share of the budget, at its end, in which a light field learns from the images of --capture;
    not where its teacher is edited or merged."""

    report: bool = True
    """Write a report beside the field, OUT.report.json and OUT.report.html; needs --capture."""

    seed: int = 0
    """Start of all random numbers."""

    device: Device = "auto"
    """Where to compute; auto takes the GPU where there is one."""

    def __post_init__(self) -> None:
        Budget.parse(self.budget, self.steps)
        check_seed(self.seed)
        check_goal(self.until_psnr)
        check_downscale(self.downscale)
        check_suffix(self.out, ".safetensors")
        if self.max_size is not None:
            parse_size(self.max_size)
        if not 2 <= self.ray_points <= MAX_RAY_POINTS:
            raise UserError(
                f"--ray-points must be from 2 to {MAX_RAY_POINTS}, not {self.ray_points}."
            )
        if not MIN_RAY_POOL <= self.ray_pool <= MAX_RAY_POOL:
            raise UserError(
                f"--ray-pool must be from {MIN_RAY_POOL} to {MAX_RAY_POOL}, not {self.ray_pool}."
            )
        if not 0 <= self.fine_tune <= 1:
            raise UserError(f"--fine-tune is a share from 0 to 1, not {self.fine_tune}.")
