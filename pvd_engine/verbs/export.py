"""Export a field for other programs."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from tyro.conf import Positional

from ..jobs.job import Job
from ..jobs.verb import Verb
from .option_kinds import CheckedArguments, FieldPath, check_suffix


@dataclass(frozen=True, kw_only=True)
class ExportArguments(CheckedArguments):
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
        super().__post_init__()
        check_suffix(self.out, ".onnx")


def run(arguments: ExportArguments, job: Job) -> dict[str, Any]:
    """Write a field in the format that is asked for.

    Returns
    -------
    dict
        ``out``, the file, ``to``, its format, and ``size`` in bytes.
    """
    from .. import edit  # noqa: F401, lets edited and merged fields be loaded
    from ..exchange.onnx_file import write_onnx
    from ..fields.storage import load_light_field

    write_onnx(load_light_field(arguments.field), arguments.out)
    return {
        "out": str(arguments.out),
        "to": arguments.to,
        "size": arguments.out.stat().st_size,
    }


VERB = Verb("export", ExportArguments, run)
