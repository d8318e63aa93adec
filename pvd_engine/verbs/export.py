"""The verb ``export``: a field in another program's format."""

from typing import Any

from .. import edit  # noqa: F401, lets edited and merged fields be loaded
from ..errors import UserError
from ..exchange.onnx_file import write_onnx
from ..fields.light_field import LightField
from ..fields.storage import load_any_field
from ..jobs.job import Job
from .arguments import ExportArguments


def run(arguments: ExportArguments, job: Job) -> dict[str, Any]:
    """Write a field in the format that is asked for.

    Returns
    -------
    dict
        ``out``, the file, ``to``, its format, and ``size`` in bytes.
    """
    field = load_any_field(arguments.field)
    if not isinstance(field, LightField):
        raise UserError(
            f"'{arguments.field}' is no light field, and only light fields are exported to ONNX; "
            "convert it with --to light_field first."
        )
    write_onnx(field, arguments.out)
    return {
        "out": str(arguments.out),
        "to": arguments.to,
        "size": arguments.out.stat().st_size,
    }
