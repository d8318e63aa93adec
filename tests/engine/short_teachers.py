"""Short teachers of the ball, and conversions of them, for the tests of distillation."""

import json
import shutil
from hashlib import sha256

from ball_capture import write_ball_capture
from tiny_fields import tiny_fields

from pvd_engine.jobs.job import Job
from pvd_engine.verbs import convert, edit, train
from pvd_engine.verbs.convert import ConvertArguments
from pvd_engine.verbs.edit import EditArguments
from pvd_engine.verbs.train import TrainArguments
from tests.made_once import once

TEACHER_STEPS = {"hash": 140, "sparse_tensor": 200, "vm": 70, "cp": 100, "mlp": 100}


def run_train(capture, out, job=None, **options):
    """Train a tiny field; return what the verb returns."""
    arguments = TrainArguments(capture=capture, out=out, **{"device": "cpu"} | options)
    with tiny_fields():
        return train.run(arguments, job or Job(out.with_suffix(".job")))


def share_ball(shared, **options):
    """Return the ball's capture, made once a session: to read, not to change."""
    folder = shared / f"ball-{digest(options)}"
    return once(folder, lambda folder: write_ball_capture(folder / "ball", **options)) / "ball"


def share_field(shared, capture, **options):
    """Return a tiny field's file, trained once a session: to read, not to change."""
    folder = shared / f"trained-{digest([capture.parent.name, options])}"
    name = "field.safetensors"
    return once(folder, lambda folder: run_train(capture, folder / name, **options)) / name


def digest(values):
    """Return a name for arguments that no others have."""
    return sha256(json.dumps(values, sort_keys=True).encode()).hexdigest()[:12]


def make_teachers(shared, folder, names):
    """Copy the ball's capture and a teacher of each name, NAME.safetensors, into a folder."""
    capture = share_ball(shared)
    shutil.copytree(capture, folder / "ball")
    for name in names:
        field = share_field(shared, capture, arch=name, steps=TEACHER_STEPS[name])
        shutil.copyfile(field, folder / f"{name}.safetensors")
    return folder


def erase_half(folder):
    """Erase half of the ball from the hash grid of `make_teachers`; return the new field's name."""
    edits = [{"op": "erase", "region": {"box": {"min": [0, -1, -1], "max": [1, 1, 1]}}}]
    (folder / "edits.json").write_text(json.dumps(edits))
    arguments = EditArguments(
        field=folder / "hash.safetensors",
        edits=folder / "edits.json",
        out=folder / "edited.safetensors",
    )
    edit.run(arguments, Job(folder / "edit"))
    return "edited"


def run_convert(folder, tmp_path, source="hash", job=None, **options):
    """Convert a teacher of a folder into a tiny student; return what the verb returns."""
    given = {"to": "hash", "steps": 60, "capture": folder / "ball", "report": False}
    arguments = ConvertArguments(
        field=folder / f"{source}.safetensors",
        out=tmp_path / "student.safetensors",
        device="cpu",
        **given | options,
    )
    with tiny_fields():
        return convert.run(arguments, job or Job(tmp_path / "job"))
