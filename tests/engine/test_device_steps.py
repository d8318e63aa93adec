"""Steps on a GPU: nothing is on the wrong device, and the processor hardly ever waits for it.

A pretended device plays the GPU (`pretended_device`). The tables state the waits: times that the
processor stands still until the device is done with all of its work, to read a number or a size
from it or to copy to it from memory that can be paged out.
"""

import json
import threading
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from unittest.mock import patch

import numpy as np
import pytest
import torch
from edit_shapes import cube
from pretended_device import (
    DEVICE,
    KERNEL_SYNCS,
    DeviceTensor,
    Traffic,
    as_on_a_device,
    kernel_references,
    pretended,
)
from short_teachers import run_train, share_ball, share_field
from tiny_fields import tiny_fields

from pvd_engine.data.capture import Camera
from pvd_engine.data.formats.cameras_json import camera_to_dict
from pvd_engine.data.geometry.poses import look_at
from pvd_engine.distill import light_objective, projection
from pvd_engine.distill.fine_tuning import FieldOnImages
from pvd_engine.distill.light_objective import LightObjective, LightOnImages
from pvd_engine.distill.objective import DistillObjective
from pvd_engine.edit.edit_list import ERASE, KEEP, MOVE, TINT, Edit
from pvd_engine.edit.edited_field import EditedField
from pvd_engine.edit.merged_field import MergedField
from pvd_engine.edit.mesh_region import MeshRegion
from pvd_engine.edit.placement import Placement
from pvd_engine.edit.regions import GridRegion, SphereRegion
from pvd_engine.errors import UserError
from pvd_engine.fields import precision
from pvd_engine.fields.architectures import architecture, make_field
from pvd_engine.fields.encoders import factored
from pvd_engine.fields.radiance_field import RadianceField
from pvd_engine.fields.storage import load_field
from pvd_engine.jobs.job import Job
from pvd_engine.kernels import launch
from pvd_engine.kernels.launch import warp_available
from pvd_engine.render.render import render_image
from pvd_engine.render.serve import serve
from pvd_engine.space.lenses import NEWTON_STEPS
from pvd_engine.space.maps import make_map
from pvd_engine.space.occupancy import DECAY, OccupancyGrid
from pvd_engine.space.rays import CameraBatch, generate_rays
from pvd_engine.space.space_map import BoxMap
from pvd_engine.train import loop
from pvd_engine.train.batch_size import BatchSize
from pvd_engine.train.from_images import ImageObjective
from pvd_engine.train.picture_error import picture_error
from pvd_engine.train.training import Training
from pvd_engine.verbs import convert
from pvd_engine.verbs.convert import ConvertArguments

STEPS = 20
SAMPLES, RAYS = 512, 64
OBJECTIVES = (ImageObjective, DistillObjective, FieldOnImages, LightObjective, LightOnImages)

BOX = torch.tensor([[-1.0] * 3, [1.0] * 3])


@dataclass
class Step:
    """What one step did."""

    traffic: Traffic
    refined: bool = False


@pytest.fixture
def steps(monkeypatch):
    """Run a verb on the pretended device; return its steps, each up to the next."""
    monkeypatch.setattr(BatchSize, "at", lambda self, fraction: SAMPLES)
    monkeypatch.setitem(light_objective.BATCH, "gpu", RAYS)
    monkeypatch.setattr(loop, "PREVIEWS", 1)
    monkeypatch.setattr(factored, "LATTICE", 32)

    def run(verb):
        found = []
        with pretended() as traffic, monkeypatch.context() as watch:
            for objective in OBJECTIVES:

                def begun(self, *given, call=objective.__call__):
                    if found:
                        found[-1].traffic = traffic.taken()
                    traffic.taken()
                    found.append(Step(traffic))
                    return call(self, *given)

                watch.setattr(objective, "__call__", begun)

            def refined(self, fraction, call=RadianceField.refine):
                done = call(self, fraction)
                if found:
                    found[-1].refined |= done
                return done

            watch.setattr(RadianceField, "refine", refined)
            verb()
        return found[:-1]  # what follows the last step is not of a step

    return run


def most_waits(steps):
    """The most waits of a step, with what they were."""
    return max(((step.traffic.waits.total(), step.traffic.waits) for step in steps), key=first)


def first(pair):
    return pair[0]


@dataclass(frozen=True)
class Stated:
    """The stated waits of steps: of most of them, of every sixteenth, and of those that refine."""

    step: int
    sixteenth: int
    refining: int = 0


def check(steps, stated):
    """Compare steps with the stated waits."""
    plain = [s for number, s in enumerate(steps) if number not in (15, 16) and not s.refined]
    assert len(plain) > STEPS // 2
    for some, limit in (
        (plain, stated.step),
        (steps[15:17], stated.sixteenth),
        ([step for step in steps if step.refined], stated.refining),
    ):
        for step in some:
            assert step.traffic.waits.total() <= limit, step.traffic.waits
            assert not step.traffic.pageable


TRAINING = {
    "hash": Stated(2, 3),
    "mlp": Stated(2, 3),
    "vm": Stated(2, 3, refining=6),
    "sparse_tensor": Stated(2, 3, refining=4),
    "hash+cp": Stated(2, 3, refining=6),
}
"""Waits of training: for the samples after the march, for the visible ones; the losses."""


@pytest.mark.parametrize("arch", TRAINING)
def test_a_step_of_training_waits_for_its_samples_alone(steps, shared, tmp_path, arch):
    found = steps(lambda: train(share_ball(shared), tmp_path / "field.safetensors", arch))
    check(found, TRAINING[arch])


def test_a_step_of_training_in_contracted_space_waits_no_more(steps, shared, tmp_path):
    ball = share_ball(shared, wall=True)
    found = steps(lambda: train(ball, tmp_path / "field.safetensors", "hash"))
    check(found, TRAINING["hash"])


def test_a_device_learns_what_the_cpu_learns(steps, shared, tmp_path, monkeypatch):
    monkeypatch.setenv(launch.REFERENCE_VARIABLE, "reference")
    monkeypatch.setattr(precision, "has_bf16", lambda device: False)
    there, here = tmp_path / "there.safetensors", tmp_path / "here.safetensors"
    steps(lambda: train(share_ball(shared), there, "hash"))
    run_train(share_ball(shared), here, arch="hash", steps=STEPS, preset="small")
    pictures = [
        render_image(load_field(path, torch.device("cpu")), camera()) for path in (there, here)
    ]
    np.testing.assert_allclose(pictures[0].color, pictures[1].color, atol=0.01)
    assert pictures[1].color.max() > 0.2


def train(capture, out, arch):
    return run_train(capture, out, arch=arch, steps=STEPS, device=DEVICE.type, preset="small")


CONVERSION = {
    "mlp": Stated(2, 3),
    "vm": Stated(2, 3),
    "sparse_tensor": Stated(2, 3),
}
"""Waits of conversions; every sixteenth step reads the losses, and the errors of the cameras."""


@pytest.mark.parametrize("to", CONVERSION)
def test_a_step_of_conversion_waits_for_its_samples_alone(steps, shared, tmp_path, to):
    ball = share_ball(shared)
    source = share_field(shared, ball, arch="hash", steps=60)
    check(steps(lambda: converted(source, ball, tmp_path, to)), CONVERSION[to])


def test_a_step_of_conversion_in_contracted_space_waits_no_more(steps, shared, tmp_path):
    ball = share_ball(shared, wall=True)
    source = share_field(shared, ball, arch="hash", steps=60)
    check(steps(lambda: converted(source, ball, tmp_path, "mlp")), CONVERSION["mlp"])


LIGHT_STEP, LIGHT_READING, LIGHT_REFILL, LIGHT_IMAGES = 0, 1, 10, 1
"""Waits of a light field's steps: of most, of those that read the losses, of those that render more
rays of the teacher, and of those on images, for the number of rays that meet something."""


def test_a_step_of_a_light_field_waits_for_nothing(steps, shared, tmp_path):
    ball = share_ball(shared)
    source = share_field(shared, ball, arch="hash", steps=60)
    found = steps(lambda: converted(source, ball, tmp_path, "light_field"))
    waits = [step.traffic.waits for step in found]
    assert all(not step.traffic.pageable for step in found)
    images = range(round(STEPS * (1 - ConvertArguments.fine_tune)), STEPS - 1)
    for number, counted in enumerate(waits[1:], start=1):
        limit = LIGHT_STEP
        if number in images:
            limit = LIGHT_IMAGES
        elif number % light_objective.REFILL_EVERY == 0:
            limit = LIGHT_REFILL
        assert counted.total() <= limit + LIGHT_READING * (number == 15), (number, counted)


def converted(source, ball, tmp_path, to):
    arguments = ConvertArguments(
        field=source,
        out=tmp_path / "student.safetensors",
        to=to,
        steps=STEPS,
        capture=ball,
        device=DEVICE.type,
        preset="small",
        report=False,
    )
    few = {"STEPS": 4, "DECODER_STEPS": 4}
    with tiny_fields(), patch.multiple(projection, **few):
        return convert.run(arguments, Job(tmp_path / "job"))


def camera(**lens):
    pose = look_at(np.array([2.0, 1.5, 1.0]), np.zeros(3), np.array([0, 0, 1.0]))
    return Camera(pose, 16, 12, 16.0, 16.0, 8.0, 6.0, **lens)


MAPS = {
    "object": {},
    "unbounded": {},
    "forward_facing": {
        "reference": look_at(np.array([0.0, -4, 0]), np.zeros(3), np.array([0, 0, 1.0])).tolist(),
        "tangents": [0.5, 0.5],
        "near": 2.0,
    },
}
PICTURE = 10
"""Waits for a picture: for the samples of its rays, once in each round of them, for the colours."""


@pytest.mark.parametrize("kind", MAPS)
def test_a_picture_waits_once_for_each_round_of_samples(kind):
    with tiny_fields():
        field = make_field(
            architecture("hash", "small"), make_map({"kind": kind} | MAPS[kind], BOX)
        )
    expected = render_image(field, camera())
    with pretended() as traffic:
        field.to(DEVICE)
        traffic.taken()
        picture = render_image(field, camera())
        counted = traffic.taken()
    np.testing.assert_allclose(picture.color, expected.color, atol=5e-3)
    assert expected.alpha.max() > 0.01
    assert counted.waits.total() <= PICTURE, counted.waits
    assert not counted.pageable


def edited(field):
    """A field with a ball taken out, and another moved."""
    away = np.eye(4)
    away[:3, 3] = (0.2, 0.0, 0.3)
    ball, other = (SphereRegion(np.array([x, 0.0, 0.0]), 0.3) for x in (-0.4, 0.4))
    return EditedField(field, [Edit(ERASE, ball), Edit(MOVE, other, to=Placement(away))])


def kept(field):
    return EditedField(field, [Edit(KEEP, SphereRegion(np.zeros(3), 0.5), soft=0.2)])


def merged(field):
    """A field next to itself."""
    aside = np.eye(4)
    aside[0, 3] = 2.0
    return MergedField([field, field], [Placement.identity(), Placement(aside)])


def cut(field):
    """A field without what is in a mesh."""
    vertices, faces = cube()
    return EditedField(field, [Edit(ERASE, MeshRegion(vertices * 0.3, faces))])


def gridded(field):
    """A field with what is in some cells in another colour."""
    cells = np.arange(64).reshape(4, 4, 4) % 3 == 0
    region = GridRegion(cells, np.array([[-0.5] * 3, [0.7] * 3]), "cells.npz")
    return EditedField(field, [Edit(TINT, region, color=(0.5, 1.0, 0.2))])


LAYERS = {
    "kept": (kept, PICTURE),
    "gridded": (gridded, PICTURE),
    "cut": (cut, PICTURE + 6),
    "edited": (edited, PICTURE + 14),
    "merged": (merged, PICTURE + 14),
}
"""Waits for a picture of a field over others; queries ask which points are in a mesh, or a part."""


@pytest.mark.parametrize("name", LAYERS)
def test_a_picture_of_fields_over_fields_waits_as_stated(name):
    over, limit = LAYERS[name]
    with tiny_fields():
        field = make_field(architecture("hash", "small"), BoxMap(BOX))
    expected = render_image(over(field), camera())
    with pretended() as traffic:
        layer = over(field.to(DEVICE))
        render_image(layer, camera())  # what is made for the first picture is kept
        traffic.taken()
        picture = render_image(layer, camera())
        counted = traffic.taken()
    np.testing.assert_allclose(picture.color, expected.color, atol=5e-3)
    assert counted.waits.total() <= limit, counted.waits
    assert not counted.pageable


def test_a_served_picture_waits_as_any_other(shared, tmp_path):
    field = share_field(shared, share_ball(shared), arch="hash", steps=60)
    entry = {"field": str(field), "camera": camera_to_dict(camera())}
    replies, replied = [], threading.Event()

    def stream():
        for number in (1, 2):
            out = str(tmp_path / f"{number}.npy")
            yield json.dumps(entry | {"id": number, "out": out}).encode()
        replied.wait(20)  # a stream that ends gives up what it asked for

    def send(reply):
        replies.append((reply, traffic.taken()))
        if len(replies) == 2:
            replied.set()

    with pretended() as traffic:
        serve(stream(), send, DEVICE, idle=5.0)
    assert [reply["type"] for reply, _ in replies] == ["picture", "picture"], replies
    loaded, again = (counted for _, counted in replies)
    assert loaded.pageable and not again.pageable
    assert again.waits.total() <= PICTURE, again.waits
    expected = render_image(load_field(field, torch.device("cpu")), camera())
    np.testing.assert_allclose(np.load(tmp_path / "2.npy")[..., :3], expected.color, atol=5e-3)


def test_lenses_are_inverted_without_waiting():
    opencv = {"k1": -0.2, "k2": 0.05, "p1": 0.001, "p2": -0.001}
    cameras = [
        camera(),
        camera(distortion_model="opencv", distortion=opencv),
        camera(distortion_model="opencv_fisheye", distortion={"k1": 0.05}),
    ]
    pixels, index = torch.rand(500, 2) * torch.tensor([16.0, 12.0]), torch.arange(500) % 3
    expected = generate_rays(CameraBatch.from_cameras(cameras), index, pixels).directions
    with pretended() as traffic:
        batch = CameraBatch.from_cameras(cameras, DEVICE)
        assert 0 < batch.newton_steps < NEWTON_STEPS
        placed = index.to(DEVICE), pixels.to(DEVICE)
        traffic.taken()
        rays = generate_rays(batch, *placed)
        counted = traffic.taken()
        torch.testing.assert_close(rays.directions.cpu(), expected)
    assert not counted.waits


@pytest.fixture
def grid():
    """An occupancy grid that knows a ball, and cells that no camera sees."""
    occupancy = OccupancyGrid(BoxMap(BOX), 24)
    occupancy.values.fill_(0.005)
    occupancy.values[:4] = -1
    occupancy.rebuild(ball_density, 0.05)
    return occupancy


def ball_density(points):
    return 8 - 40 * (points.norm(dim=-1) - 0.6).clamp(min=0)


def test_the_occupancy_is_updated_without_waiting(grid):
    before = grid.binary.clone()
    assert 0.1 < before.float().mean() < 0.4
    with pretended() as traffic:
        grid.to(DEVICE)
        generator = torch.Generator(DEVICE).manual_seed(0)
        traffic.taken()
        cells = grid.cells_to_update(4000, generator)
        grid.update(ball_density, 0.05, cells, generator)
        grid.update_everywhere(ball_density, 0.05, generator)
        counted = traffic.taken()
        chosen = float(before.view(-1)[cells.cpu()].float().mean())
        after, unseen = grid.binary.cpu(), grid.values.cpu()[:4]
    assert not counted.waits
    anywhere = float(before.float().mean())
    assert chosen == pytest.approx((1 + anywhere) / 2, abs=0.05), "half are occupied ones"
    assert (after & before).sum() > 0.95 * before.sum()
    assert (unseen == -1).all() and after[:4].sum() == 0


def test_a_cell_that_is_updated_twice_keeps_its_larger_sample():
    occupancy = OccupancyGrid(BoxMap(BOX), 2)
    occupancy.values.fill_(0.1)
    samples = torch.tensor([0.3, 0.5, 0.2, 0.01]).log()
    cells = torch.tensor([5, 5, 5, 2])
    occupancy.update(lambda points: samples, 1.0, cells, torch.Generator().manual_seed(0))
    values = occupancy.values.view(-1)
    assert values[5] == pytest.approx(0.5) and values[2] == pytest.approx(0.1 * DECAY)
    assert values[[0, 1, 3, 4, 6, 7]].tolist() == pytest.approx([0.1] * 6)


def test_the_occupancy_settles_in_a_few_waits(grid):
    expected = grid.binary.clone()
    with pretended() as traffic:
        grid.to(DEVICE)
        grid.binary.fill_(1)
        traffic.taken()
        grid.rebuild(ball_density, 0.05)
        counted = traffic.taken()
        assert torch.equal(grid.binary.cpu(), expected)
    assert counted.waits.total() <= 1 + BoxMap.probes_per_cell, counted.waits


@pytest.mark.parametrize("arch", ["vm", "sparse_tensor"])
def test_a_resumed_training_is_on_its_device(tmp_path, arch):
    job = Job(tmp_path / "job")
    with tiny_fields(), pretended():
        first_field, second_field = (
            make_field(architecture(arch, "small"), BoxMap(BOX)).to(DEVICE) for _ in range(2)
        )
        first_field.refine(0.9)
        training = Training.start(first_field, seed=1)
        torch.rand(5, generator=training.generator, device=DEVICE)
        training.save(job)
        resumed = Training.start(second_field, seed=1)
        assert resumed.resume(job)
        points = torch.rand(50, 3, generator=training.generator, device=DEVICE)
        again = torch.rand(50, 3, generator=resumed.generator, device=DEVICE)
        assert torch.equal(points, again)
        assert torch.equal(first_field.features(points), second_field.features(points))
        state = second_field.state_dict()
        assert all(isinstance(value, DeviceTensor) for value in second_field.parameters())
        assert state.keys() == first_field.state_dict().keys()


def test_a_training_resumed_on_another_device_draws_other_numbers(tmp_path):
    job = Job(tmp_path / "job")
    with tiny_fields():
        field = make_field(architecture("hash", "small"), BoxMap(BOX))
        training = Training.start(field, seed=1)
        training.step = 7
        training.save(job)
        with pretended():
            moved = make_field(architecture("hash", "small"), BoxMap(BOX)).to(DEVICE)
            resumed = Training.start(moved, seed=1)
            assert resumed.resume(job)
            drawn = torch.rand(3, generator=resumed.generator, device=DEVICE).cpu()
            assert resumed.step == 7
            assert torch.equal(moved.encoder.table.cpu(), field.encoder.table)
    assert torch.equal(drawn, torch.rand(3, generator=torch.Generator().manual_seed(1 + 7)))


def test_a_loss_that_is_no_number_ends_the_training_when_it_is_read(steps, shared, tmp_path):
    ball, count = share_ball(shared), 0

    def broken(*given):
        nonlocal count
        count += 1
        return picture_error(*given) * (float("nan") if count == 13 else 1.0)

    with (
        patch("pvd_engine.train.from_images.picture_error", broken),
        pytest.raises(UserError, match="diverged in step 13: its loss is not a finite number"),
    ):
        steps(lambda: train(ball, tmp_path / "field.safetensors", "hash"))
    assert count == 16


def counting(module, name, calls):
    call = vars(module)[f"{name}_warp"]

    def called(*given):
        calls[name] += 1
        return call(*given)

    return called


@pytest.mark.skipif(not warp_available(), reason="Warp is not installed")
@pytest.mark.parametrize(
    ("arch", "wall"), [("hash", False), ("hash", True), ("vm+cp", False), ("sparse_tensor", False)]
)
def test_code_around_warp_kernels_waits_as_often_as_stated(shared, tmp_path, arch, wall):
    calls = Counter()
    with as_on_a_device() as traffic, pytest.MonkeyPatch.context() as watch:
        for name, module in kernel_references().items():
            watch.setattr(module, f"{name}_warp", counting(module, name, calls))
        ball, out = share_ball(shared, wall=wall), tmp_path / "field.safetensors"
        run_train(ball, out, arch=arch, steps=4, preset="small")
    found = {
        f"{Path(module.__file__).name}: {name}_warp": KERNEL_SYNCS.get(name, 0) * calls[name]
        for name, module in kernel_references().items()
    }
    assert sum(calls.values()) > 20
    files = {Path(module.__file__).name for module in kernel_references().values()}
    in_kernels = Counter(
        {place: count for place, count in traffic.syncs.items() if place.split(":")[0] in files}
    )
    assert in_kernels == +Counter(found)
    # The levels of a hash grid are copied once.
    files.remove("hash_grid.py")
    copies = {place for place in traffic.pageable if place.split(":")[0] in files}
    assert not copies
