"""Every architecture teaches, and every architecture learns."""

import pytest
import torch
from short_teachers import make_teachers, run_convert

from pvd_engine.data.readers import open_capture
from pvd_engine.distill.student import make_student
from pvd_engine.fields.header import read_header
from pvd_engine.fields.registry import RADIANCE_FIELDS
from pvd_engine.fields.storage import content_hash, load_field
from pvd_engine.measure.image_metrics import psnr
from pvd_engine.render.render import render_image

OTHERS = [name for name in RADIANCE_FIELDS if name != "hash"]
PAIRS = [
    *(("hash", name) for name in OTHERS),
    *(pytest.param(name, "hash", marks=pytest.mark.slow) for name in OTHERS),
]
STEPS = {"hash": 150, "mlp": 80}
"""Steps of students by target; 60 where a projection gives them a start."""

MARGIN = 6.0
"""Decibel by which a student is nearer to its teacher than one that has learned nothing."""


@pytest.mark.parametrize(("source", "target"), PAIRS)
def test_each_architecture_teaches_and_learns(shared, tmp_path, source, target):
    folder = make_teachers(shared, tmp_path, [source])
    result = run_convert(folder, tmp_path, source, to=target, steps=STEPS.get(target, 60))
    assert result["inherited"] == []
    header = read_header(tmp_path / "student.safetensors")
    assert header["architecture"]["name"] == target
    teacher_file = folder / f"{source}.safetensors"
    assert header["provenance"]["teacher"]["hash"] == content_hash(teacher_file)

    teacher, student = load_field(teacher_file), load_field(tmp_path / "student.safetensors")
    untrained = make_student(header["architecture"], teacher)
    camera = open_capture(folder / "ball").split("test")[0].camera
    truth, learned, unlearned = (
        render_image(field, camera).over(1.0).clip(0, 1) for field in (teacher, student, untrained)
    )
    nothing = max(psnr(unlearned, truth), psnr(torch.ones(truth.shape).numpy(), truth))
    assert psnr(learned, truth) > max(20, nothing + MARGIN)
    assert result["figures"]["psnr_to_source"]["psnr"] > 20
