"""Short teachers of the ball, and conversions of them, for the tests of distillation."""

from ball_capture import write_ball_capture

from pvd_engine.jobs.job import Job
from pvd_engine.verbs import convert, train
from pvd_engine.verbs.convert import ConvertArguments
from pvd_engine.verbs.train import TrainArguments

TEACHER_STEPS = {"hash": 80, "sparse_tensor": 120, "vm": 60, "cp": 100}


def make_teachers(folder, names):
    """The ball's capture, and `folder`/NAME.safetensors for each name."""
    capture = write_ball_capture(folder / "ball")
    for name in names:
        arguments = TrainArguments(
            capture=capture,
            arch=name,
            out=folder / f"{name}.safetensors",
            steps=TEACHER_STEPS[name],
            device="cpu",
        )
        train.run(arguments, Job(folder / f"{name}-job"))
    return folder


def run_convert(folder, tmp_path, source="hash", job=None, **options):
    given = {"to": "hash", "steps": 60, "capture": folder / "ball", "report": False}
    arguments = ConvertArguments(
        field=folder / f"{source}.safetensors",
        out=tmp_path / "student.safetensors",
        device="cpu",
        **given | options,
    )
    return convert.run(arguments, job or Job(tmp_path / "job"))
