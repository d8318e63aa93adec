"""Trainings that no machine ends before a test has stopped them, and that then can be ended."""

import json
import time
from pathlib import Path

STEPS = 1_000_000


def train_until_told(session, frame, steps_to_see=2):
    """Start a training and take in what it says until it has done some steps."""
    from pvd_blender.jobs import tasks

    options = {"preset": "small", "steps": STEPS}
    session.start(
        tasks.training(frame, tasks.FieldSettings("hash", options=options), {"device": "cpu"})
    )
    while session.job.progress.step < steps_to_see:
        session.pump()
        time.sleep(0.02)
    return session.job


def end_soon(folder: Path, step: int) -> int:
    """Have a job that was stopped after about `step` steps do few more; return how many in all."""
    request = json.loads((folder / "request.json").read_text())
    request["arguments"]["steps"] = steps = 2 * step + 10
    (folder / "request.json").write_text(json.dumps(request))
    return steps
