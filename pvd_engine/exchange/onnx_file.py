"""Light fields as ONNX files: a ray in, its colour and alpha out.

Sampling of points, their encoding, the network and the test for rays that meet nothing are all in
the file, so that a program needs nothing but an ONNX runtime and the rays of its camera. The inputs
are ``origins`` and ``directions``, (N, 3) float32 each in the dataset frame, directions of unit
length; the output is ``rgba``, (N, 4) float32, sRGB-encoded, premultiplied by alpha. The file's
metadata has ``box``, ``reach`` and ``provenance`` as in the field's header, and ``origin``, the
position in the dataset frame from which ``origins`` are counted (zero unless the scene stands far
away), all as JSON.
"""

import json
from pathlib import Path

import torch

from ..errors import UserError
from ..fields.light_field import LightField
from ..files.atomic import write_atomic

OPSET = 18


def write_onnx(field: LightField, path: Path) -> None:
    """Write a light field, on the CPU, as one ONNX file, whole or not at all.

    Raises
    ------
    UserError
        The libraries for it are not installed, or the file cannot be written.
    """
    try:
        import onnx
        import onnxscript  # noqa: F401
    except ImportError as error:
        raise UserError(
            "ONNX export needs the packages onnx and onnxscript; install pvd-engine[onnx]."
        ) from error
    rays = (torch.zeros(2, 3), torch.tensor([[0.0, 0.0, 1.0], [0.0, 1.0, 0.0]]))
    count = {0: torch.export.Dim("rays")}
    program = torch.onnx.export(
        field,
        rays,
        input_names=["origins", "directions"],
        output_names=["rgba"],
        dynamic_shapes={"origins": count, "directions": count},
        opset_version=OPSET,
        dynamo=True,
        verbose=False,
    )
    assert program is not None
    model = program.model_proto
    described = {
        "origin": field.space.origin.tolist(),
        "box": field.space.dataset_box().tolist(),
        "reach": field.reach.to_json(),
        "provenance": field.header.get("provenance"),
    }
    for name, value in described.items():
        model.metadata_props.add(key=name, value=json.dumps(value))
    write_atomic(path, lambda temporary: onnx.save_model(model, str(temporary)))
