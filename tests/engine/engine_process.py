"""The engine as a real process, for tests of what a user or Blender sees of it."""

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
from capture_files import write_json, write_transforms
from PIL import Image

from pvd_engine import PROTOCOL_VERSION, __version__

REPOSITORY = Path(__file__).resolve().parents[2]
SECONDS = 180


def environment():
    return os.environ | {"PYTHONPATH": str(REPOSITORY), "OMP_NUM_THREADS": "1", "COLUMNS": "100"}


def pvd(*words, stdin=subprocess.DEVNULL, **options):
    """Run a command to its end."""
    return subprocess.run(
        [sys.executable, "-m", "pvd_engine", *map(str, words)],
        stdin=stdin,
        capture_output=True,
        text=True,
        encoding="utf-8",
        env=environment(),
        timeout=SECONDS,
        **options,
    )


def each_opened(files):
    """Return what opening each of some files took (see `opening_fields`), by the name of each."""
    done = subprocess.run(
        [sys.executable, Path(__file__).with_name("opening_fields.py"), *map(str, files)],
        capture_output=True,
        text=True,
        env=environment(),
        check=True,
    )
    told = map(json.loads, done.stdout.splitlines())
    return {Path(one["path"]).stem: one for one in told}


def start(*words, **options):
    """Start a command with pipes on all sides."""
    return subprocess.Popen(
        [sys.executable, "-m", "pvd_engine", *map(str, words)],
        stdin=options.pop("stdin", subprocess.PIPE),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        encoding="utf-8",
        env=environment(),
        **options,
    )


def wait_until(condition, what, seconds=SECONDS):
    """Wait for a condition; fails with its name."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, f"waited {seconds} s for {what}"
        time.sleep(0.02)


def write_request(folder, verb, **arguments):
    folder.mkdir(parents=True, exist_ok=True)
    values = {name: str(v) if isinstance(v, Path) else v for name, v in arguments.items()}
    content = {"verb": verb, "arguments": values}
    write_json(
        folder / "request.json", content | {"protocol": PROTOCOL_VERSION, "engine": __version__}
    )
    return folder


def events(text):
    return [json.loads(line) for line in text.splitlines()]


def read_json(path):
    return json.loads(path.read_text(encoding="utf-8"))


def files_below(folder):
    """Names of all files and folders below a folder."""
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*"))


def write_disc_capture(folder, count=6, size=24, alpha=True):
    """Write a capture of one red disc in every view: quick to write, for tests of processes."""
    y, x = np.mgrid[:size, :size] + 0.5 - size / 2
    inside = x**2 + y**2 < (size / 4) ** 2
    rgba = np.zeros((size, size, 4), dtype=np.uint8)
    rgba[inside] = (200, 40, 40, 255)
    picture = Image.fromarray(rgba if alpha else rgba[..., :3])
    write_transforms(folder, count, picture=picture, fl_x=float(size))
    return folder


def change_capture(folder, change):
    """Rewrite a capture's transforms.json."""
    path = folder / "transforms.json"
    content = read_json(path)
    change(content)
    path.write_text(json.dumps(content), encoding="utf-8")
    return folder
