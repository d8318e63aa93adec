"""The arguments of every verb: at once the command line and the schema of ``request.json``.

Each verb has one dataclass. The docstring under a field is its help on the command line, and a
field's name is its key in ``request.json``.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

from tyro.conf import Positional, arg

from ..errors import UserError
from .budget import Budget
from .file_size import parse_size

Device = Literal["auto", "cpu", "cuda"]
Preset = Literal["small", "full"]
LightPreset = Literal["small", "full", "W256D88", "W181D88", "W256D44", "W363D22"]
Interval = Literal["box", "occupied", "fixed"]
RayEncoding = Literal["frequencies", "hash"]
Decoder = Literal["mlp", "sh", "sh3"]
Split = Literal["train", "val", "test"]
StageChoice = Literal["123", "23", "13", "3"]
Corners = tuple[float, float, float, float, float, float]

CapturePath = Annotated[Path, arg(metavar="CAPTURE")]
FieldPath = Annotated[Path, arg(metavar="FIELD")]
FieldPaths = Annotated[tuple[Path, ...], arg(metavar="FIELD [FIELD ...]")]

MAX_SEED = 2**63 - 1
MAX_RESOLUTION = 2048
MAX_RAY_POINTS = 256
MIN_RAY_POOL, MAX_RAY_POOL = 1 << 10, 1 << 31


@dataclass(frozen=True, kw_only=True)
class InfoArguments:
    """Describe a capture or a field file.

    Says what a dataset holds (cameras by split, the scene's box and where it comes from, what had
    to be guessed) or what a field file is (architecture, sizes, box, how it was made).

    Example: pvd info lego --json
    """

    path: Positional[Annotated[Path, arg(metavar="CAPTURE|FIELD")]]
    """A dataset's folder or its transforms.json, or a field's .safetensors file."""


@dataclass(frozen=True, kw_only=True)
class TrainArguments:
    """Train a field from the images of a capture.

    Reads the train split of a NeRF-Synthetic or transforms.json dataset and writes one field file.
    Progress and checkpoints go to the job folder beside the output: stop with Ctrl-C at any time,
    and the same command goes on where it stopped.

    Example: pvd train lego --arch hash --budget 120s --out lego.safetensors
    """

    capture: Positional[CapturePath]
    """The dataset: its folder, or its transforms.json."""

    out: Path
    """The field file to write; ends in .safetensors."""

    arch: str = "hash"
    """The architecture: hash, mlp, sparse_tensor, vm, cp, or several side by side: hash+vm."""

    preset: Preset | None = None
    """Its size; small on a CPU and full on a GPU when not given."""

    decoder: Decoder | None = None
    """Not the architecture's own decoder: a network, or spherical harmonics to degree 2 or 3."""

    budget: str | None = None
    """How long to train: 90s, 3m, 1h; three minutes when neither this nor --steps is given."""

    steps: int | None = None
    """How many steps to train, instead of a time."""

    crop: Corners | None = None
    """Only this part of the scene: the corners x0 y0 z0 x1 y1 z1 of a box in the dataset frame,
    instead of the box that the capture says or that was found. Nothing is learned outside."""

    seed: int = 0
    """Start of all random numbers."""

    device: Device = "auto"
    """Where to compute; auto takes the GPU where there is one."""

    def __post_init__(self) -> None:
        Budget.parse(self.budget, self.steps)
        _check_seed(self.seed)
        _check_suffix(self.out, ".safetensors")


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

    to: str
    """The student's architecture: hash, mlp, sparse_tensor, vm, cp, several: hash+vm, or
    light_field."""

    out: Path
    """The field file to write; ends in .safetensors."""

    capture: CapturePath | None = None
    """The dataset that the teacher was trained on; its cameras show where to look."""

    preset: LightPreset | None = None
    """The student's size; small on a CPU and full on a GPU when not given. Light fields have R2L's
    sizes, too, by their names."""

    decoder: Decoder | None = None
    """Not the architecture's own decoder: a network, or spherical harmonics to degree 2 or 3."""

    budget: str | None = None
    """How long to distil: 90s, 3m, 1h; three minutes when neither this nor --steps is given."""

    steps: int | None = None
    """How many steps to distil, instead of a time."""

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
        _check_seed(self.seed)
        _check_suffix(self.out, ".safetensors")
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


@dataclass(frozen=True, kw_only=True)
class EditArguments:
    """Erase, keep, move, duplicate, thin out or tint regions of a field, without loss.

    Writes an edited field: the field as it was, with the list of edits. It renders, becomes a
    volume and converts like any other field. edits.json is a list of {"op": "erase" or "keep",
    "region": {"box": ...} or {"sphere": ...} or {"mesh": ...} or {"grid": "file.npz"}} in the
    dataset's frame; "move" and "duplicate" also have a 4x4 matrix "to", "scale_density" has a
    "factor" and "tint" a "color"; "soft" is the width of a soft edge of any of them.

    Example: pvd edit lego.safetensors --edits edits.json --out lego-edited.safetensors
    """

    field: Positional[FieldPath]
    """The field file to edit; may be an edited one."""

    edits: Path
    """The edits.json file."""

    out: Path
    """The field file to write; ends in .safetensors."""

    device: Device = "auto"
    """Where to compute; auto takes the GPU where there is one."""

    def __post_init__(self) -> None:
        _check_suffix(self.out, ".safetensors")


@dataclass(frozen=True, kw_only=True)
class MergeArguments:
    """Merge several fields into one, each with its place.

    Writes a merged field: the fields as they were, and where each stands. Densities add, and
    colours weigh by density. It renders, becomes a volume, is edited and converts like any other
    field. placements.json is a list with one 4x4 matrix (4 lists of 4 numbers) for each field, from
    its dataset's frame into that of the merged field; it may turn, scale all axes alike and move.

    Example: pvd merge lego.safetensors tree.safetensors --placements p.json --out both.safetensors
    """

    fields: Positional[FieldPaths]
    """The field files; may be edited or merged ones."""

    out: Path
    """The field file to write; ends in .safetensors."""

    placements: Path | None = None
    """The placements.json; without it every field stays where its own frame has it."""

    device: Device = "auto"
    """Where to compute; auto takes the GPU where there is one."""

    def __post_init__(self) -> None:
        _check_suffix(self.out, ".safetensors")


@dataclass(frozen=True, kw_only=True)
class FloatersArguments:
    """Find what hangs in the air beside a field's large parts.

    Writes a grid that an edit can erase, {"op": "erase", "region": {"grid": "floaters.npz"}}, and
    the closed surface around it. Erases nothing by itself.

    Example: pvd floaters lego.safetensors --below 0.01 --out floaters.npz
    """

    field: Positional[FieldPath]
    """The field file; may be an edited or merged one."""

    out: Path
    """The file to write; ends in .npz."""

    below: float = 0.01
    """Parts of fewer cells than this share of the largest part's float."""

    resolution: int = 128
    """Cells along the longest side of the field's box."""

    device: Device = "auto"
    """Where to compute; auto takes the GPU where there is one."""

    def __post_init__(self) -> None:
        _check_suffix(self.out, ".npz")
        _check_resolution(self.resolution)
        if not 0 < self.below <= 1:
            raise UserError(f"--below is a share above 0, up to 1, not {self.below}.")


@dataclass(frozen=True, kw_only=True)
class VolumeArguments:
    """Sample a field's density and display colour to a grid.

    Density is extinction per unit length of the dataset's frame; the file also holds the grid's
    box. Blender writes it as VDB.

    Example: pvd volume lego.safetensors --resolution 128 --out lego.npz
    """

    field: Positional[FieldPath]
    """The field file."""

    out: Path
    """The file to write; ends in .npz."""

    resolution: int = 128
    """Cells along the longest side of the scene's box, or of the crop box."""

    crop: Corners | None = None
    """Only this part: the corners x0 y0 z0 x1 y1 z1 of a box in the dataset frame."""

    device: Device = "auto"
    """Where to compute; auto takes the GPU where there is one."""

    def __post_init__(self) -> None:
        _check_suffix(self.out, ".npz")
        _check_resolution(self.resolution)


@dataclass(frozen=True, kw_only=True)
class RenderArguments:
    """Render a field as PNG pictures.

    The cameras come from a split of a capture or from a cameras.json. Each picture is an sRGB PNG
    with straight alpha, named like the capture's image: the view test/r_0 becomes
    OUT/test/r_0.png.

    Example: pvd render lego.safetensors --capture lego --split test --out pictures
    """

    field: Positional[FieldPath]
    """The field file."""

    out: Path
    """The folder for the pictures."""

    capture: CapturePath | None = None
    """The dataset whose cameras are used."""

    split: Split = "test"
    """Which of the capture's views."""

    cameras: Path | None = None
    """A cameras.json instead of a capture."""

    device: Device = "auto"
    """Where to compute; auto takes the GPU where there is one."""

    def __post_init__(self) -> None:
        if (self.capture is None) == (self.cameras is None):
            raise UserError("Give either --capture or --cameras to say from where to render.")


@dataclass(frozen=True, kw_only=True)
class EvalArguments:
    """Measure a field's renders against a capture's images.

    Gives PSNR in decibel and SSIM, for each view and their means. Images with alpha and the
    renders are compared on white.

    Example: pvd eval lego.safetensors --capture lego --split test --json
    """

    field: Positional[FieldPath]
    """The field file."""

    capture: CapturePath
    """The dataset to compare with."""

    split: Split = "test"
    """Which of the capture's views."""

    device: Device = "auto"
    """Where to compute; auto takes the GPU where there is one."""


@dataclass(frozen=True, kw_only=True)
class ExportArguments:
    """Export a light field for other programs.

    As ONNX: rays in the dataset's frame in (origins and unit directions), sRGB colours
    premultiplied by alpha out; all between is in the file. Needs the packages onnx and onnxscript.

    Example: pvd export lego-light.safetensors --to onnx --out lego.onnx
    """

    field: Positional[FieldPath]
    """The field file."""

    to: Literal["onnx"]
    """The format."""

    out: Path
    """The file to write; ends in .onnx."""

    def __post_init__(self) -> None:
        _check_suffix(self.out, ".onnx")


@dataclass(frozen=True, kw_only=True)
class BenchArguments:
    """Measure this machine and this program: slow, honest benchmarks.

    kernels: points per second of each fast kernel beside its plain-torch reference, turn by turn.
    matrix: every architecture from the images of a capture, then converted to every other, and to
    itself at half the size. ablation: a conversion with one part of the method changed at a time.
    speed: how soon a student is as good as training from scratch. head_start: how much sooner grids
    and factors arrive that start from a direct projection. frames: seconds for one picture of a
    plain NeRF, of fields and of light fields. All but the first need CAPTURE and --out; what lies
    in the output folder already is not made again.

    Example: pvd bench kernels
    Example: pvd bench matrix lego --budget 60s --out bench
    Example: pvd bench ablation lego --budget 30s --seeds 3 --out ablation
    """

    what: Positional[Literal["kernels", "matrix", "ablation", "speed", "head_start", "frames"]]
    """What to measure."""

    capture: Positional[CapturePath | None] = None
    """The dataset."""

    budget: str = "120s"
    """How long each field is made."""

    out: Path | None = None
    """A folder for the fields and the JSON file with the measures."""

    sources: str | None = None
    """Architectures to convert from, such as hash,mlp: all in matrix, hash in the others."""

    targets: str | None = None
    """Architectures to convert to: all in matrix, mlp and then grids in ablation (which takes
    light_field, too), mlp in speed, sparse_tensor and vm in head_start."""

    seeds: int = 3
    """How many seeds, from --seed on, in ablation and speed."""

    seed: int = 0
    """Start of all random numbers."""

    device: Device = "auto"
    """Where to compute; auto takes the GPU where there is one."""

    def __post_init__(self) -> None:
        Budget.parse(self.budget, None)
        _check_seed(self.seed)
        if self.seeds < 1:
            raise UserError(f"--seeds must be at least 1, not {self.seeds}.")


def _check_seed(seed: int) -> None:
    if not 0 <= seed <= MAX_SEED:
        raise UserError(f"--seed must be from 0 to {MAX_SEED}, not {seed}.")


def _check_resolution(resolution: int) -> None:
    if not 1 <= resolution <= MAX_RESOLUTION:
        raise UserError(f"--resolution must be from 1 to {MAX_RESOLUTION}, not {resolution}.")


def _check_suffix(path: Path, suffix: str) -> None:
    if path.suffix != suffix:
        raise UserError(f"--out must name a file that ends in {suffix}, not '{path}'.")
