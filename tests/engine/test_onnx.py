"""ONNX files answer rays as the light field does."""

import json

import numpy as np
import onnxruntime
import pytest
import torch
from test_light_field import INTERVALS, POSES, scattered, some_light_field, some_rays
from tiny_fields import tiny_fields

from pvd_engine.errors import UserError
from pvd_engine.fields.architectures import architecture, make_field
from pvd_engine.fields.storage import save_field
from pvd_engine.jobs.job import Job
from pvd_engine.space.space_map import BoxMap
from pvd_engine.verbs import export
from pvd_engine.verbs.export import ExportArguments


@pytest.mark.parametrize(
    ("interval", "encoding"), [*((i, "frequencies") for i in INTERVALS), ("visible", "hash")]
)
def test_onnx_gives_what_torch_gives(tmp_path, interval, encoding):
    with tiny_fields():
        field = some_light_field(scattered(), interval, encoding=encoding)
    field.header["provenance"] = {"seed": 7}
    path, out = tmp_path / "light.safetensors", tmp_path / "light.onnx"
    save_field(path, field)
    export.run(ExportArguments(field=path, to="onnx", out=out), Job(tmp_path / "job"))
    assert sorted(p.name for p in tmp_path.iterdir() if p.is_file()) == [out.name, path.name]
    session = onnxruntime.InferenceSession(out, providers=["CPUExecutionProvider"])
    for count in (1, 777):
        rays = some_rays(count)
        with torch.no_grad():
            expected = field(*rays).numpy()
        feeds = {"origins": rays.origins.numpy(), "directions": rays.directions.numpy()}
        (rgba,) = session.run(["rgba"], feeds)
        assert rgba.shape == (count, 4)
        assert np.abs(rgba - expected).max() < 1e-4
    assert (expected[:, 3] == 0).any() and (expected[:, 3] > 0).any()
    described = session.get_modelmeta().custom_metadata_map
    assert json.loads(described["reach"])["region"] == POSES.to_json()
    assert json.loads(described["provenance"]) == {"seed": 7}


def test_only_light_fields_are_exported(tmp_path):
    path, out = tmp_path / "hash.safetensors", tmp_path / "hash.onnx"
    save_field(
        path,
        make_field(architecture("hash", "small"), BoxMap(torch.tensor([[-1.0] * 3, [1.0] * 3]))),
    )
    with pytest.raises(UserError, match="light field"):
        export.run(ExportArguments(field=path, to="onnx", out=out), Job(tmp_path / "job"))
    assert not out.exists()
