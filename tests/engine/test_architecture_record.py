"""An architecture is one record in one file and one line: a made one, from this file alone.

`ARCHITECTURE` below is all that the engine is given of it. The made architecture is a dense grid.
"""

import json
import re
import subprocess
import sys
from typing import get_args

import pytest
import torch
from ball_capture import write_ball_capture
from engine_process import environment
from short_teachers import run_convert
from torch import Tensor, nn

from pvd_engine.bench import ablation
from pvd_engine.errors import UserError
from pvd_engine.fields.architectures import DECODERS, architecture, make_field
from pvd_engine.fields.encoders.base import Encoder, ParameterGroup
from pvd_engine.fields.header import read_header
from pvd_engine.fields.point_encodings import RAY_ENCODINGS
from pvd_engine.fields.registry import (
    CLOUDS,
    RADIANCE_FIELDS,
    TARGETS_ONLY,
    EncoderArchitecture,
    Registry,
)
from pvd_engine.fields.sizing import scaled
from pvd_engine.fields.storage import load_field, save_field
from pvd_engine.files.images import load_image
from pvd_engine.jobs.job import Job
from pvd_engine.verbs import eval as evaluate
from pvd_engine.verbs import render, train
from pvd_engine.verbs.convert import LightPreset, RayEncoding
from pvd_engine.verbs.eval import EvalArguments
from pvd_engine.verbs.option_kinds import Decoder, Preset
from pvd_engine.verbs.render import RenderArguments
from pvd_engine.verbs.train import TrainArguments

NAME = "dense"
LIMIT = 400_000
"""Bytes; the whole grid takes more than twice as many."""


class DenseEncoder(Encoder):
    """Values at all vertices of a grid, interpolated linearly."""

    def __init__(self, width: int, resolution: int) -> None:
        super().__init__()
        self.width = width
        self.values = nn.Parameter(0.02 * torch.randn(1, width, *[resolution] * 3))

    def forward(self, points: Tensor) -> Tensor:
        """Features (N, width) of points (N, 3)."""
        return self._sampled(self.values, points)

    def log_density(self, points: Tensor) -> Tensor:
        """Log-density alone."""
        return self._sampled(self.values[:, :1], points)[:, 0]

    @staticmethod
    def _sampled(values: Tensor, points: Tensor) -> Tensor:
        grid = points[None, None, None]
        return nn.functional.grid_sample(values, grid, align_corners=True)[0, :, 0, 0].T

    def parameter_groups(self) -> list[ParameterGroup]:
        """One table."""
        return [ParameterGroup([self.values], learning_rate=5e-2)]


ARCHITECTURE = EncoderArchitecture(
    label="Dense Grid",
    description="Values at all vertices of a grid; for tests",
    good_for="A grid; for tests",
    encoder=DenseEncoder,
    decoder="mlp",
    presets={"small": {"resolution": 24}, "full": {"resolution": 64}},
    scaled=lambda sizes, fraction: {
        "resolution": max(round(sizes["resolution"] * fraction ** (1 / 3)), 4)
    },
)


@pytest.fixture(scope="module", autouse=True)
def registered():
    """The made architecture is known to the tests of this file, and to no others."""
    RADIANCE_FIELDS.register(NAME, __name__)
    yield
    RADIANCE_FIELDS.unregister(NAME)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """The ball's capture, and a short teacher of the made architecture."""
    folder = tmp_path_factory.mktemp("made")
    write_ball_capture(folder / "ball")
    arguments = TrainArguments(
        capture=folder / "ball", arch=NAME, out=teacher_file(folder), steps=80, device="cpu"
    )
    train.run(arguments, Job(folder / "train-job"))
    return folder


@pytest.fixture(scope="module")
def converted(folder):
    """The teacher after conversion to a hash grid: the path of its field."""
    run_convert(folder, folder, NAME, to="hash", steps=40)
    return (folder / "student.safetensors").rename(folder / "hash.safetensors")


def teacher_file(folder):
    return folder / f"{NAME}.safetensors"


def quality(folder, field):
    """PSNR of a field file on the capture's test images."""
    arguments = EvalArguments(field=field, capture=folder / "ball", split="test", device="cpu")
    return evaluate.run(arguments, Job(folder / "eval"))["psnr"]


@pytest.fixture(scope="module")
def untrained(folder):
    """PSNR of a field of the made architecture that has learned nothing."""
    path = folder / "untrained.safetensors"
    field = make_field(architecture(NAME, "small"), load_field(teacher_file(folder)).space)
    save_field(path, field)
    return quality(folder, path)


def test_it_is_trained_from_images(folder, untrained):
    assert read_header(teacher_file(folder))["architecture"]["encoder"] == {
        "type": NAME,
        "resolution": 24,
    }
    assert quality(folder, teacher_file(folder)) > untrained + 10


def test_it_is_converted_to_another(folder, converted, untrained):
    assert quality(folder, converted) > untrained + 7


def test_another_is_converted_to_it_in_a_file_of_at_most_the_size_that_is_asked_for(
    folder, converted, untrained, tmp_path
):
    result = run_convert(folder, tmp_path, "hash", to=NAME, steps=40, max_size=f"{LIMIT}B")
    student = tmp_path / "student.safetensors"
    assert quality(folder, student) > untrained + 7
    assert 0.4 * LIMIT < result["size"] <= LIMIT
    assert read_header(student)["architecture"]["encoder"]["resolution"] < 24


def test_it_is_loaded_and_saved_as_it_was(folder, tmp_path):
    field = load_field(teacher_file(folder))
    assert isinstance(field.encoder, DenseEncoder)
    save_field(tmp_path / "again.safetensors", field)
    assert (tmp_path / "again.safetensors").read_bytes() == teacher_file(folder).read_bytes()


def test_it_is_rendered(folder, tmp_path):
    arguments = RenderArguments(
        field=teacher_file(folder),
        capture=folder / "ball",
        split="test",
        out=tmp_path / "pictures",
        device="cpu",
    )
    render.run(arguments, Job(tmp_path / "job"))
    pictures = sorted((tmp_path / "pictures").rglob("*.png"))
    assert len(pictures) == 2
    for path in pictures:
        shown = load_image(path)
        truth = load_image(folder / "ball" / "test" / path.name)
        assert abs(shown[..., 3].mean() - truth[..., 3].mean()) < 0.1 * truth[..., 3].mean()


def test_what_lists_architectures_lists_it():
    with pytest.raises(UserError, match=f", {NAME}, or several"):
        architecture("cloud", "small")
    assert (NAME, "default") in ablation.default_trials("hash")


def test_the_parts_of_a_composition_are_scaled_by_their_own_records():
    spec = architecture(f"hash+{NAME}", "full")
    table, grid = scaled(spec, 1 / 8)["encoder"]["parts"]
    assert (table["log2_table_size"], grid["resolution"]) == (16, 32)
    assert spec == architecture(f"hash+{NAME}", "full")


def test_a_name_is_registered_once_and_is_free_when_it_is_unregistered():
    registry = Registry()
    registry.register(NAME, __name__)
    assert registry[NAME] is ARCHITECTURE and list(registry) == [NAME]
    with pytest.raises(ValueError, match=NAME):
        registry.register(NAME, "another")
    registry.unregister(NAME)
    assert NAME not in registry and len(registry) == 0


def test_records_say_what_menus_show_and_have_the_sizes_that_the_command_line_offers():
    records = {**RADIANCE_FIELDS, **CLOUDS, **TARGETS_ONLY}
    for words in ("label", "description", "good_for"):
        texts = [getattr(record, words) for record in records.values()]
        assert len({*texts}) == len(texts)
        assert all(text and not text.endswith(".") for text in texts)
    for record in RADIANCE_FIELDS.values():
        assert record.presets.keys() == {*get_args(Preset)}
        assert record.decoder in DECODERS
    for record in CLOUDS.values():
        assert record.presets.keys() == {*get_args(Preset)}
    for record in TARGETS_ONLY.values():
        assert tuple(record.presets) == get_args(LightPreset)
    assert tuple(DECODERS) == get_args(Decoder)
    assert RAY_ENCODINGS.keys() == {*get_args(get_args(RayEncoding)[0])}


def test_the_help_names_all_architectures_without_waiting_for_torch():
    script = (
        "import json, sys\n"
        "from pvd_engine.cli import main\n"
        "from pvd_engine.fields.registry import CLOUDS, RADIANCE_FIELDS, TARGETS_ONLY\n"
        "print(json.dumps([[*RADIANCE_FIELDS], [*CLOUDS, *TARGETS_ONLY]]))\n"
        "try:\n"
        "    main(['convert', '--help'])\n"
        "finally:\n"
        "    print('torch' in sys.modules)\n"
    )
    told = subprocess.run(
        [sys.executable, "-c", script],
        capture_output=True,
        text=True,
        env=environment(),
        timeout=60,
        check=True,
    ).stdout
    names, others = json.loads(told.splitlines()[0])
    assert names == ["hash", "mlp", "sparse_tensor", "vm", "cp"], "and none that a test made"
    text = re.sub(r"[│\s]+", " ", told)
    assert f"student: {', '.join(names)}, several: hash+vm, {' or '.join(others)}." in text
    assert told.splitlines()[-1] == "False"
