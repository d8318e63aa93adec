"""Steps on a GPU: nothing is on the wrong device, and the processor hardly ever waits for it.

A pretended device plays the GPU (`pretended_device`). The tables state the waits: times that the
processor stands still until the device is done with all of its work, to read a number or a size
from it or to copy to it from memory that can be paged out.
"""

import json
import threading
from collections import Counter
from dataclasses import dataclass
from unittest.mock import patch

import numpy as np
import pytest
import torch
from pretended_device import (
    DEVICE,
    KERNEL_SYNCS,
    DeviceTensor,
    Traffic,
    Waits,
    kernel_references,
    pretended,
)
from short_teachers import run_train, share_ball, share_field
from tiny_fields import tiny_fields

from pvd_engine.data.capture import Camera
from pvd_engine.data.formats.cameras_json import camera_to_dict
from pvd_engine.data.geometry.poses import look_at
from pvd_engine.distill import light_objective
from pvd_engine.distill.light_objective import LightObjective
from pvd_engine.distill.objective import DistillObjective
from pvd_engine.edit.edit_list import ERASE, KEEP, MOVE, Edit
from pvd_engine.edit.edited_field import EditedField
from pvd_engine.edit.merged_field import MergedField
from pvd_engine.edit.placement import Placement
from pvd_engine.edit.regions import SphereRegion
from pvd_engine.errors import UserError
from pvd_engine.fields.architectures import architecture, make_field
from pvd_engine.fields.radiance_field import RadianceField
from pvd_engine.fields.storage import load_field
from pvd_engine.jobs.job import Job
from pvd_engine.render.render import render_image
from pvd_engine.render.serve import serve
from pvd_engine.space.lenses import NEWTON_STEPS
from pvd_engine.space.maps import make_map
from pvd_engine.space.occupancy import DECAY, OccupancyGrid
from pvd_engine.space.rays import CameraBatch, generate_rays, random_rays
from pvd_engine.space.space_map import BoxMap
from pvd_engine.train import loop
from pvd_engine.train.batch_size import BatchSize
from pvd_engine.train.from_images import ImageObjective
from pvd_engine.train.loop import Training
from pvd_engine.train.picture_error import picture_error
from pvd_engine.verbs import convert
from pvd_engine.verbs.convert import ConvertArguments

STEPS = 20
SAMPLES, RAYS = 512, 64
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

    def run(verb):
        found = []
        with pretended() as traffic, monkeypatch.context() as watch:
            for objective in (ImageObjective, DistillObjective, LightObjective):

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
    "sparse_tensor": Stated(2, 3, refining=40),
    "hash+vm": Stated(2, 3, refining=6),
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


LIGHT_STEP, LIGHT_READING, LIGHT_REFILL, LIGHT_IMAGES = 0, 1, 60, 1
"""Waits of a light field's steps: of most, of those that read the losses, of those that render more
rays of the teacher, and of those on images, for the number of rays that meet something."""


def test_a_step_of_a_light_field_waits_for_nothing(steps, shared, tmp_path):
    ball = share_ball(shared)
    source = share_field(shared, ball, arch="hash", steps=60)
    found = steps(lambda: converted(source, ball, tmp_path, "light_field"))
    waits = [step.traffic.waits for step in found]
    assert all(not step.traffic.pageable for step in found)
    images = range(int(STEPS * 0.85), STEPS - 1)
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
    with tiny_fields():
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
PICTURE = 14
"""Waits for a picture: for the samples of its rays, once in each round of them, for the colours."""


@pytest.mark.parametrize("kind", MAPS)
def test_a_picture_waits_once_for_each_round_of_samples(kind):
    with tiny_fields():
        field = make_field(architecture("hash", "small"), make_map({"kind": kind} | MAPS[kind], BOX))
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


LAYERS = {"kept": (kept, 14), "edited": (edited, 40), "merged": (merged, 40)}
"""Waits for a picture of a field over others; each query asks which points lie in its parts."""


@pytest.mark.parametrize("name", LAYERS)
def test_a_picture_of_fields_over_fields_waits_as_stated(name):
    over, limit = LAYERS[name]
    with tiny_fields():
        field = make_field(architecture("hash", "small"), BoxMap(BOX))
    expected = render_image(over(field), camera())
    with pretended() as traffic:
        layer = over(field.to(DEVICE))
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
