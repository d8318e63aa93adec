"""An engine that says and writes what a test gives it; a real process, started as the engine is."""

import json
import os
from pathlib import Path

from pvd_blender.engine import job_folder
from pvd_blender.engine.environment import EngineSettings
from pvd_blender.engine.job import Job
from pvd_blender.engine.job_folder import Request

SAID = "said"
"""File of the job folder with what the engine prints."""

HELLO = b'{"type": "hello", "payload": {"protocol": 1}}\n'


def program(folder: Path) -> str:
    """A program that takes the engine's arguments and prints what lies in the job folder."""
    path = folder / "false_engine"
    path.write_text(f'#!/bin/sh\nexec cat "$4/{SAID}"\n')
    path.chmod(0o755)
    return str(path)


def new_folder(work: Path, request: Request, capture: str = "toy") -> Path:
    """A job folder with a request."""
    folder = job_folder.next_folder(work / capture, request.verb)
    job_folder.write_request(folder, request, "0.0.0")
    return folder


def started(python: str, folder: Path, request: Request, said: bytes, result: object = None) -> Job:
    """A job whose engine prints `said`, and has written `result`: bytes, or a JSON value."""
    (folder / SAID).write_bytes(said)
    if result is not None:
        content = result if isinstance(result, bytes) else json.dumps(result).encode()
        (folder / job_folder.RESULT).write_bytes(content)
    return Job(request, folder, EngineSettings(python, "cpu", folder.parent))


def event(kind: object, payload: object) -> bytes:
    """A line that the engine prints."""
    return json.dumps({"type": kind, "payload": payload}).encode() + b"\n"


def stopped(work: Path, client: object, request: object, capture: str = "toy") -> Path:
    """A job folder that looks as if its job can be resumed."""
    folder = job_folder.next_folder(work / capture, "train")
    for name, content in ((job_folder.REQUEST, request), (job_folder.CLIENT, client)):
        raw = content if isinstance(content, bytes) else json.dumps(content).encode()
        (folder / name).write_bytes(raw)
    (folder / "checkpoints").mkdir()
    (folder / "checkpoints" / "latest.safetensors").write_bytes(b"x")
    os.utime(folder)
    return folder
