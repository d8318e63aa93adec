"""Training: fields learn a scene from its pictures, stop when asked and go on."""

import pytest
import torch
from ball_capture import RADIUS, write_ball_capture
from short_teachers import run_train, share_ball, share_field
from stopping_job import StoppingJob

from pvd_engine.data.readers import open_capture
from pvd_engine.errors import Cancelled, UserError
from pvd_engine.fields.header import read_header
from pvd_engine.fields.storage import load_field
from pvd_engine.jobs.checkpoint import load_checkpoint, save_checkpoint
from pvd_engine.jobs.job import Job
from pvd_engine.render.render import render_image
from pvd_engine.train import loop
from pvd_engine.verbs import eval as evaluate
from pvd_engine.verbs.eval import EvalArguments

EXPECTED = {
    "hash": (140, 24.0),
    "mlp": (100, 18.0),
    "sparse_tensor": (260, 22.0),
    "vm": (80, 22.0),
    "hash+cp": (80, 22.0),
}
"""Steps, and the PSNR to the images that they suffice for."""


@pytest.fixture
def capture(shared):
    return share_ball(shared)


@pytest.fixture
def whole(shared, capture):
    """A field of the whole ball."""
    return share_field(shared, capture, arch="hash", steps=EXPECTED["hash"][0])


def quality(field, capture, tmp_path):
    """Return the PSNR of a field to the capture's test images."""
    return evaluate.run(EvalArguments(field=field, capture=capture), Job(tmp_path / "eval"))["psnr"]


@pytest.mark.parametrize("arch", EXPECTED)
def test_each_architecture_learns_the_ball_from_its_pictures(shared, tmp_path, capture, arch):
    steps, wanted = EXPECTED[arch]
    field = share_field(shared, capture, arch=arch, steps=steps)
    assert read_header(field)["provenance"]["steps"] == steps
    assert quality(field, capture, tmp_path) > wanted


def test_density_is_where_the_ball_is(whole):
    field = load_field(whole)
    generator = torch.Generator().manual_seed(0)
    directions = torch.nn.functional.normalize(torch.randn((2000, 3), generator=generator), dim=1)
    surface, outside = directions * RADIUS * 0.97, directions * RADIUS * 1.3
    assert field.log_density(surface).exp().median() > 5
    empty = ~field.occupancy.contains(outside) | (field.log_density(outside).exp() < 0.5)
    assert empty.float().mean() > 0.95


def test_a_crop_box_bounds_the_field(tmp_path, capture, whole):
    corners = (0.0, -0.6, -0.7, 0.8, 0.6, 0.7)
    out = tmp_path / "part.safetensors"
    run_train(capture, out, crop=corners, steps=60)
    part = load_field(out)
    assert torch.allclose(part.box, torch.tensor(corners).view(2, 3))
    camera = open_capture(capture).split("test")[0].camera
    seen, all_of_it = (render_image(f, camera).alpha.sum() for f in (part, load_field(whole)))
    assert 0.2 < seen / all_of_it < 0.8, "half of the ball"


def test_a_crop_box_without_volume_is_one_sentence(tmp_path, capture):
    with pytest.raises(UserError, match="minimum corner must lie below"):
        run_train(capture, tmp_path / "f.safetensors", crop=(0, 0, 0, 1, 0, 1))


def test_training_ends_early_once_it_is_good_enough(tmp_path, capture):
    out = tmp_path / "field.safetensors"
    result = run_train(capture, out, arch="vm", steps=3000, until_psnr=19.0)
    assert result["steps"] < 1000
    assert quality(out, capture, tmp_path) > 17.0


def test_training_learns_from_smaller_images_with_cameras_that_fit(tmp_path, capture):
    out = tmp_path / "field.safetensors"
    run_train(capture, out, steps=120, downscale=2)
    assert quality(out, capture, tmp_path) > 20.0, "the images at their full size, too"


def test_the_same_seed_and_steps_give_the_same_field(tmp_path, capture):
    files = [tmp_path / "a.safetensors", tmp_path / "b.safetensors"]
    for path in files:
        run_train(capture, path, steps=20)
    first, second = (load_field(path).state_dict() for path in files)
    assert all(torch.equal(first[name], second[name]) for name in first)


def test_the_file_says_where_the_field_comes_from(tmp_path, capture):
    out = tmp_path / "field.safetensors"
    run_train(capture, out, steps=5, seed=9)
    provenance = read_header(out)["provenance"]
    assert (provenance["capture"], provenance["seed"], provenance["steps"]) == ("ball", 9, 5)
    assert provenance["viewpoints"]["distance"] == pytest.approx([2.5, 2.5], abs=1e-3)


@pytest.mark.parametrize("arch", ["hash", "sparse_tensor"])
def test_a_cancelled_training_comes_to_what_it_would_have_without(tmp_path, capture, arch):
    out = tmp_path / "field.safetensors"
    with pytest.raises(Cancelled):
        run_train(capture, out, StoppingJob(tmp_path / "job", after=12), arch=arch, steps=30)
    assert not out.exists()
    job = StoppingJob(tmp_path / "job", after=1000)
    result = run_train(capture, out, job, arch=arch, steps=30)
    assert result["steps"] == 30
    looks = 1000 - job.left
    assert looks <= 30 - 12
    whole = tmp_path / "whole.safetensors"
    run_train(capture, whole, arch=arch, steps=30)
    first, second = (load_field(path).state_dict() for path in (out, whole))
    assert all(torch.equal(first[name], second[name]) for name in first)


def cancelled_training(folder, capture):
    """A training of ten steps that was stopped half-way: its output and its checkpoint."""
    out = folder / "field.safetensors"
    with pytest.raises(Cancelled):
        run_train(capture, out, StoppingJob(folder / "job", after=5), steps=10)
    return out, folder / "job" / "checkpoints" / "latest.safetensors"


def test_a_checkpoint_of_another_version_starts_the_training_again(tmp_path, capture):
    out, path = cancelled_training(tmp_path, capture)
    tensors, header = load_checkpoint(path)
    renamed = {f"memory.{name}": tensor for name, tensor in tensors.items()}
    del header["layout"]
    save_checkpoint(path, renamed, header)
    result = run_train(capture, out, Job(tmp_path / "job"), steps=10)
    assert [text for text in result["warnings"] if "another version" in text]
    run_train(capture, tmp_path / "b.safetensors", steps=10)
    first, second = (load_field(path).state_dict() for path in (out, tmp_path / "b.safetensors"))
    assert all(torch.equal(first[name], second[name]) for name in first)


@pytest.mark.parametrize("lost", ["field.decoder.layers.0.weight", "generator.state", "step"])
def test_a_checkpoint_that_does_not_fit_is_one_sentence(tmp_path, capture, lost):
    out, path = cancelled_training(tmp_path, capture)
    tensors, header = load_checkpoint(path)
    tensors.pop(lost, None)
    header.pop(lost, None)
    save_checkpoint(path, tensors, header)
    with pytest.raises(UserError, match="does not fit"):
        run_train(capture, out, Job(tmp_path / "job"), steps=10)


def test_a_training_that_diverges_is_one_sentence_and_leaves_no_field(
    tmp_path, capture, monkeypatch
):
    monkeypatch.setattr(loop, "learning_rate_scale", lambda step, fraction: 1e30)
    with pytest.raises(UserError, match=r"diverged in step \d+: "):
        run_train(capture, tmp_path / "f.safetensors", steps=50)
    assert not (tmp_path / "f.safetensors").exists()


def test_one_picture_is_not_enough_to_train_on(tmp_path):
    capture = write_ball_capture(tmp_path / "ball", counts=(("train", 1),))
    with pytest.raises(UserError):
        run_train(capture, tmp_path / "f.safetensors")
