"""Arguments of the verbs that look at fields and captures, and of benchmarks."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

from tyro.conf import Positional, arg

from ...errors import UserError
from ...jobs.budget import Budget
from .kinds import (
    CapturePath,
    Corners,
    Device,
    FieldPath,
    Split,
    check_downscale,
    check_resolution,
    check_seed,
    check_suffix,
)


@dataclass(frozen=True, kw_only=True)
class InfoArguments:
    """Describe a capture or a field file.

    Says what a dataset holds (cameras by split, the scene's box and where it comes from, what had
    to be guessed) or what a field file is (architecture, sizes, box, how it was made).

    Example: pvd info lego --json
    """

    path: Positional[Annotated[Path, arg(metavar="CAPTURE|FIELD")]]
    """A dataset's folder or the file that lists its cameras, or a field's .safetensors file."""


@dataclass(frozen=True, kw_only=True)
class RewriteArguments:
    """Write a capture in another format, into a new folder.

    nerf-synthetic: transforms_train.json, _val and _test. nerfstudio: a transforms.json, which
    instant-ngp reads, too. colmap: a sparse model in text. What the format cannot say exactly is
    refused; images are copied.

    Example: pvd rewrite fox --to colmap --out fox-colmap
    """

    capture: Positional[CapturePath | None] = None
    """The dataset to read."""

    cameras: Path | None = None
    """A cameras.json instead of a capture: the images are missing then, and the answer says under
    which names they are to be put there."""

    to: Literal["nerf-synthetic", "nerfstudio", "colmap"]
    """The format to write."""

    out: Path
    """The folder to make; one that exists must be empty."""

    downscale: int = 1
    """Divide width and height of the capture's images by this, averaging their pixels."""

    images: bool = True
    """Copy the images; without them only the cameras and points are written."""

    def __post_init__(self) -> None:
        if (self.capture is None) == (self.cameras is None):
            raise UserError("Give either a capture or --cameras to say what to write.")
        check_downscale(self.downscale)


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
        check_suffix(self.out, ".npz")
        check_resolution(self.resolution)


@dataclass(frozen=True, kw_only=True)
class ViewArguments:
    """From where fields are rendered."""

    capture: CapturePath | None = None
    """The dataset whose cameras are used."""

    split: Split = "test"
    """Which of the capture's views."""

    downscale: int | None = None
    """Divide width and height of the capture's images by this, averaging their pixels; when not
    given, by what the field's training divided them by."""

    cameras: Path | None = None
    """A cameras.json instead of a capture."""

    device: Device = "auto"
    """Where to compute; auto takes the GPU where there is one."""

    def __post_init__(self) -> None:
        if (self.capture is None) == (self.cameras is None):
            raise UserError("Give either --capture or --cameras to say from where to render.")
        check_downscale(self.downscale)


@dataclass(frozen=True, kw_only=True)
class RenderArguments(ViewArguments):
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


@dataclass(frozen=True, kw_only=True)
class CompareArguments(ViewArguments):
    """Show two fields side by side from the same cameras, and measure how far they differ.

    Each picture has the reference, the field, and the map of their difference.

    Example: pvd compare student.safetensors --reference teacher.safetensors --capture lego --out d
    """

    field: Positional[FieldPath]
    """The field file."""

    reference: Path
    """The field file that it is compared with."""

    out: Path
    """The folder for the pictures."""


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

    downscale: int | None = None
    """Divide width and height of the capture's images by this, averaging their pixels; when not
    given, by what the field's training divided them by."""

    split: Split = "test"
    """Which of the capture's views."""

    device: Device = "auto"
    """Where to compute; auto takes the GPU where there is one."""

    def __post_init__(self) -> None:
        check_downscale(self.downscale)


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
        check_suffix(self.out, ".onnx")


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
        check_seed(self.seed)
        if self.seeds < 1:
            raise UserError(f"--seeds must be at least 1, not {self.seeds}.")
