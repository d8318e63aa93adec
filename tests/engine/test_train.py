"""Training: fields learn a scene from its pictures, stop when asked and go on."""

import pytest
import torch
from ball_capture import RADIUS, write_ball_capture
from stopping_job import StoppingJob

from pvd_engine.data.readers import open_capture
from pvd_engine.errors import Cancelled, UserError
from pvd_engine.fields.header import read_header
from pvd_engine.fields.storage import load_field
from pvd_engine.jobs.checkpoint import load_checkpoint, save_checkpoint
from pvd_engine.jobs.job import Job
from pvd_engine.render.render import render_image
from pvd_engine.verbs import eval as evaluate
from pvd_engine.verbs import train
from pvd_engine.verbs.eval import EvalArguments
from pvd_engine.verbs.train import TrainArguments

EXPECTED = {
    "hash": (120, 24.0),
    "mlp": (100, 18.0),
    "sparse_tensor": (300, 22.0),
    "vm": (120, 22.0),
    "hash+cp": (80, 22.0),
}
"""Steps, and the PSNR that they suffice for."""


@pytest.fixture(scope="module")
def capture(tmp_path_factory):
    return write_ball_capture(tmp_path_factory.mktemp("captures") / "ball")


def train_arguments(capture, out, **options):
    options = {"arch": "hash", "steps": 120, "device": "cpu", "preset": "small"} | options
    return TrainArguments(capture=capture, out=out, **options)


def trained(folder, capture, **options):
    """The file of a field that was trained in a folder."""
    out = folder / "field.safetensors"
    train.run(train_arguments(capture, out, **options), Job(folder / "job"))
    return out


@pytest.mark.parametrize("arch", EXPECTED)
def test_each_architecture_learns_the_ball_from_its_pictures(tmp_path, capture, arch):
    out = tmp_path / "field.safetensors"
    steps, quality = EXPECTED[arch]
    arguments = train_arguments(capture, out, arch=arch, steps=steps)
    result = train.run(arguments, Job(tmp_path / "job"))
    assert result["steps"] == steps
    measured = evaluate.run(EvalArguments(field=out, capture=capture), Job(tmp_path / "eval"))
    assert measured["psnr"] > quality


def test_density_is_where_the_ball_is(tmp_path, capture):
    field = load_field(trained(tmp_path, capture))
    generator = torch.Generator().manual_seed(0)
    directions = torch.nn.functional.normalize(torch.randn((2000, 3), generator=generator), dim=1)
    surface, outside = directions * RADIUS * 0.97, directions * RADIUS * 1.3
    assert field.log_density(surface).exp().median() > 5
    empty = ~field.occupancy.contains(outside) | (field.log_density(outside).exp() < 0.5)
    assert empty.float().mean() > 0.95


def test_a_crop_box_bounds_the_field(tmp_path, capture):
    corners = (0.0, -0.6, -0.7, 0.8, 0.6, 0.7)
    out = trained(tmp_path / "part", capture, crop=corners, steps=60)
    field = load_field(out)
    assert torch.allclose(field.box, torch.tensor(corners).view(2, 3))
    picture, whole = (
        render_image(load_field(path), open_capture(capture).split("test")[0].camera)
        for path in (out, trained(tmp_path / "whole", capture, steps=60))
    )
    assert 0.2 < picture.alpha.sum() / whole.alpha.sum() < 0.8, "half of the ball"


def test_a_crop_box_without_volume_is_one_sentence(tmp_path, capture):
    arguments = train_arguments(capture, tmp_path / "f.safetensors", crop=(0, 0, 0, 1, 0, 1))
    with pytest.raises(UserError, match="minimum corner must lie below"):
        train.run(arguments, Job(tmp_path / "job"))


def test_training_ends_early_once_it_is_good_enough(tmp_path, capture):
    out = tmp_path / "field.safetensors"
    arguments = train_arguments(capture, out, steps=3000, until_psnr=19.0)
    result = train.run(arguments, Job(tmp_path / "job"))
    assert result["steps"] < 1000
    measured = evaluate.run(EvalArguments(field=out, capture=capture), Job(tmp_path / "eval"))
    assert measured["psnr"] > 17.0


def test_training_learns_from_smaller_images_with_cameras_that_fit(tmp_path, capture):
    out = trained(tmp_path, capture, steps=80, downscale=2)
    arguments = EvalArguments(field=out, capture=capture)
    measured = evaluate.run(arguments, Job(tmp_path / "eval"))
    assert measured["psnr"] > 20.0, "the field fits the images at their full size, too"


def test_the_same_seed_and_steps_give_the_same_field(tmp_path, capture):
    files = [tmp_path / "a.safetensors", tmp_path / "b.safetensors"]
    for path in files:
        train.run(train_arguments(capture, path, steps=20), Job(tmp_path / path.stem))
    first, second = (load_field(path).state_dict() for path in files)
    assert all(torch.equal(first[name], second[name]) for name in first)


def test_the_file_says_where_the_field_comes_from(tmp_path, capture):
    out = tmp_path / "field.safetensors"
    train.run(train_arguments(capture, out, steps=5, seed=9), Job(tmp_path / "job"))
    provenance = read_header(out)["provenance"]
    assert (provenance["capture"], provenance["seed"], provenance["steps"]) == ("ball", 9, 5)
    assert provenance["viewpoints"]["distance"] == pytest.approx([2.5, 2.5], abs=1e-3)


@pytest.mark.parametrize("arch", ["hash", "sparse_tensor"])
def test_a_cancelled_training_comes_to_what_it_would_have_without(tmp_path, capture, arch):
    out = tmp_path / "field.safetensors"
    arguments = train_arguments(capture, out, arch=arch, steps=30)
    with pytest.raises(Cancelled):
        train.run(arguments, StoppingJob(tmp_path / "job", after=12))
    assert not out.exists()
    job = StoppingJob(tmp_path / "job", after=1000)
    result = train.run(arguments, job)
    assert result["steps"] == 30
    looks = 1000 - job.left
    assert looks <= 30 - 12
    whole = tmp_path / "whole.safetensors"
    train.run(train_arguments(capture, whole, arch=arch, steps=30), Job(tmp_path / "whole"))
    first, second = (load_field(path).state_dict() for path in (out, whole))
    assert all(torch.equal(first[name], second[name]) for name in first)


def cancelled_training(folder, capture):
    """A training that was stopped half-way: its arguments and the path of its checkpoint."""
    arguments = train_arguments(capture, folder / "field.safetensors", steps=10)
    with pytest.raises(Cancelled):
        train.run(arguments, StoppingJob(folder / "job", after=5))
    return arguments, folder / "job" / "checkpoints" / "latest.safetensors"


def test_a_checkpoint_of_another_version_starts_the_training_again(tmp_path, capture):
    arguments, path = cancelled_training(tmp_path, capture)
    tensors, header = load_checkpoint(path)
    renamed = {f"memory.{name}": tensor for name, tensor in tensors.items()}
    del header["layout"]
    save_checkpoint(path, renamed, header)
    result = train.run(arguments, Job(tmp_path / "job"))
    assert [text for text in result["warnings"] if "another version" in text]
    train.run(train_arguments(capture, tmp_path / "b.safetensors", steps=10), Job(tmp_path / "b"))
    first, second = (
        load_field(path).state_dict() for path in (arguments.out, tmp_path / "b.safetensors")
    )
    assert all(torch.equal(first[name], second[name]) for name in first)


@pytest.mark.parametrize("lost", ["field.decoder.layers.0.weight", "generator.state", "step"])
def test_a_checkpoint_that_does_not_fit_is_one_sentence(tmp_path, capture, lost):
    arguments, path = cancelled_training(tmp_path, capture)
    tensors, header = load_checkpoint(path)
    tensors.pop(lost, None)
    header.pop(lost, None)
    save_checkpoint(path, tensors, header)
    with pytest.raises(UserError, match="does not fit"):
        train.run(arguments, Job(tmp_path / "job"))


def test_one_picture_is_not_enough_to_train_on(tmp_path):
    capture = write_ball_capture(tmp_path / "ball", counts=(("train", 1),))
    with pytest.raises(UserError):
        train.run(train_arguments(capture, tmp_path / "f.safetensors"), Job(tmp_path / "job"))
