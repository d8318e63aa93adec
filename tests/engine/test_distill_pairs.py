"""Every architecture teaches, and every architecture learns."""

import pytest
from short_teachers import TEACHER_STEPS, make_teachers, run_convert

from pvd_engine.fields.header import read_header
from pvd_engine.fields.registry import RADIANCE_FIELDS
from pvd_engine.fields.storage import content_hash

PAIRS = [
    pair for name in RADIANCE_FIELDS if name != "hash" for pair in (("hash", name), (name, "hash"))
]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A folder with the ball's capture and a short teacher of each architecture."""
    folder = make_teachers(tmp_path_factory.mktemp("pairs"), TEACHER_STEPS)
    # From pictures alone, a network would take longer than all others together.
    run_convert(folder, folder / "network", to="mlp", steps=40)
    (folder / "network" / "student.safetensors").rename(folder / "mlp.safetensors")
    return folder


@pytest.mark.parametrize(("source", "target"), PAIRS)
def test_each_architecture_teaches_and_learns(folder, tmp_path, source, target):
    steps = 80 if target == "mlp" else 60
    result = run_convert(folder, tmp_path, source, to=target, steps=steps)
    assert result["psnr_to_teacher"] > (15 if target == "mlp" else 20)
    assert result["inherited"] == []
    header = read_header(tmp_path / "student.safetensors")
    assert header["architecture"]["name"] == target
    teacher = header["provenance"]["teacher"]
    assert teacher["hash"] == content_hash(folder / f"{source}.safetensors")
