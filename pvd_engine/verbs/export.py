"""Export a field for other programs."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from tyro.conf import Positional

from ..errors import UserError
from ..jobs.job import Job
from ..jobs.verb import Verb
from .option_kinds import CapturePath, ComputingArguments, FieldPath, SplatCount

if TYPE_CHECKING:
    from ..exchange.splats.contract import SplatOptions
    from ..fields.splats import Splats

ONNX = "onnx"
"""The format of light fields; the others hold splats."""


@dataclass(frozen=True, kw_only=True)
class ExportArguments(ComputingArguments):
    """Export a field for other programs.

    As splats: ply (3DGS), compressed.ply, spz, splat, or glb (KHR_gaussian_splatting), in the
    frame of the field's dataset. Splats of gaussians are written as they are, those of any other
    field with density are made by direct projection. A file of splats becomes one of another
    format.

    As ONNX, a light field: rays in the dataset's frame in (origins and unit directions), sRGB
    colours premultiplied by alpha out; all between is in the file. Needs the packages onnx and
    onnxscript.

    Example: pvd export lego.safetensors --to ply --out lego.ply
    """

    field: Positional[FieldPath]
    """The field file, or a file of splats."""

    to: Literal["onnx", "ply", "compressed.ply", "spz", "splat", "glb"]
    """The format."""

    out: Path
    """The file to write; ends in the format's name, such as .ply."""

    splats: SplatCount | None = None
    """Number of splats of a direct projection, at most; 40,000 on a CPU and 400,000 on a GPU when
    not given."""

    capture: CapturePath | None = None
    """The dataset of the field; its cameras show where to look from, where the field's file does
    not know."""

    turn_axes: bool = True
    """Turn the axes of an .spz (y up) or .glb (y up), so that it lies as a .ply of the same scene
    does, whose y points down. Without it they hold the axes of the field's frame."""

    def __post_init__(self) -> None:
        super().__post_init__()
        name = self.out.name.lower()
        packed = name.endswith(".compressed.ply") and self.to == "ply"
        if not name.endswith(f".{self.to}") or packed:
            raise UserError(
                f"--out must name a file that ends in .{self.to}, not '{self.out.name}'."
            )


def run(arguments: ExportArguments, job: Job) -> dict[str, Any]:
    """Write a field in the format that is asked for.

    Returns
    -------
    dict
        ``out``, the file, ``to``, its format, ``size`` in bytes, ``splats``, their number or None,
        and ``warnings``.
    """
    count = None
    if arguments.to == ONNX:
        _write_onnx(arguments)
    else:
        count = _write_splats(arguments, job)
    return {
        "out": str(arguments.out),
        "to": arguments.to,
        "size": arguments.out.stat().st_size,
        "splats": count,
        "warnings": job.warnings,
    }


def _write_onnx(arguments: ExportArguments) -> None:
    from .. import edit  # noqa: F401, lets edited and merged fields be loaded
    from ..exchange.onnx_file import write_onnx
    from ..fields.storage import load_light_field

    write_onnx(load_light_field(arguments.field), arguments.out)


def _write_splats(arguments: ExportArguments, job: Job) -> int:
    """Write the splats of a field or file, and return their number."""
    from ..exchange.splats.splat_files import is_named_as_splats, write_splats

    read = _of_file if is_named_as_splats(arguments.field) else _of_field
    splats, options = read(arguments, job)
    job.warn(write_splats(splats, arguments.out, options))
    if options.antialiased and arguments.to != "spz":
        job.warn(
            [
                f"A .{arguments.to} does not say that its splats are to be drawn antialiased; give "
                "--antialiased to pvd import, and choose it in other programs."
            ]
        )
    return len(splats)


def _of_file(arguments: ExportArguments, job: Job) -> "tuple[Splats, SplatOptions]":
    from ..exchange.splats.contract import SplatOptions
    from ..exchange.splats.splat_files import read_splats

    imported = read_splats(arguments.field, SplatOptions(turn_axes=arguments.turn_axes))
    job.warn(imported.notes)
    return imported.splats, SplatOptions(arguments.turn_axes, antialiased=imported.antialiased)


def _of_field(arguments: ExportArguments, job: Job) -> "tuple[Splats, SplatOptions]":
    from ..data.readers import open_capture
    from ..distill.exported_splats import exported_splats
    from ..exchange.splats.contract import SplatOptions
    from ..fields.storage import load_field
    from ..jobs.device import choose_device

    field = load_field(arguments.field, choose_device(arguments.device))
    capture = None if arguments.capture is None else open_capture(arguments.capture)
    exported = exported_splats(field, capture, arguments.splats)
    job.warn(exported.notes)
    return exported.splats, SplatOptions(arguments.turn_axes, antialiased=exported.antialiased)


VERB = Verb("export", ExportArguments, run)
