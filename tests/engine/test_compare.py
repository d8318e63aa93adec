"""Two fields side by side."""

import json

import imageio.v3 as iio
import numpy as np
import pytest
import torch
from test_serve import LEFT, camera

from pvd_engine.data.formats.cameras_json import camera_to_dict
from pvd_engine.edit.edited_field import EditedField
from pvd_engine.edit.edits_json import parse_edits
from pvd_engine.errors import UserError
from pvd_engine.fields.architectures import architecture, make_field
from pvd_engine.fields.storage import load_field, save_field
from pvd_engine.jobs.job import Job
from pvd_engine.measure.image_metrics import psnr
from pvd_engine.measure.side_by_side import GAP
from pvd_engine.render.render import render_image
from pvd_engine.space.space_map import BoxMap
from pvd_engine.verbs import compare
from pvd_engine.verbs.compare import CompareArguments


@pytest.fixture(scope="module")
def fields(tmp_path_factory):
    """A field, the same without its left half, and a camera."""
    torch.manual_seed(0)
    folder = tmp_path_factory.mktemp("compared")
    base = make_field(architecture("hash", "small"), BoxMap(torch.tensor([[-1.0] * 3, [1.0] * 3])))
    save_field(folder / "whole.safetensors", base)
    save_field(folder / "half.safetensors", EditedField(base, parse_edits([LEFT], folder, "edits")))
    (folder / "cameras.json").write_text(
        json.dumps({"cameras": [camera_to_dict(camera(40)) | {"name": "front"}]})
    )
    return folder


def compared(fields, first, second, out):
    arguments = CompareArguments(
        field=fields / f"{first}.safetensors",
        reference=fields / f"{second}.safetensors",
        cameras=fields / "cameras.json",
        out=out / "pictures",
    )
    return compare.run(arguments, Job(out / "job"))


def test_pictures_and_their_difference_stand_side_by_side(fields, tmp_path):
    result = compared(fields, "half", "whole", tmp_path)
    picture = iio.imread(tmp_path / "pictures" / "front.png")
    whole, half = (
        render_image(load_field(fields / f"{name}.safetensors"), camera(40)).over(1.0).clip(0, 1)
        for name in ("whole", "half")
    )
    assert picture.shape == (40, 3 * 40 + 2 * GAP, 3)
    assert np.abs(picture[:, :40] / 255 - whole).max() < 0.01
    second = 40 + GAP
    assert np.abs(picture[:, second : second + 40] / 255 - half).max() < 0.01
    error = picture[:, -40:].astype(int).sum(axis=-1)
    assert error[18:22, 10:18].mean() > 5 * error[18:22, 24:30].mean(), "only the left differs"
    assert result["psnr"] == pytest.approx(psnr(half, whole), abs=1e-3)
    assert result["images"] == ["front.png"]


def test_a_field_does_not_differ_from_itself(fields, tmp_path):
    result = compared(fields, "whole", "whole", tmp_path)
    assert result["psnr"] is None and result["ssim"] == pytest.approx(1.0)


def test_cameras_have_to_be_named_once(fields, tmp_path):
    with pytest.raises(UserError, match="either --capture or --cameras"):
        CompareArguments(field=fields / "a", reference=fields / "b", out=tmp_path)
