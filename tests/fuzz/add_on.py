"""Give the add-on's readers a great many broken files, events and replies.

    .venv-blender/bin/python -m tests.fuzz.add_on --inputs 20000 --seed 0

Blender's Python has no Hypothesis, so a seeded loop changes valid JSON values and bytes. Each input
must be taken in, or be refused by a `ConvertFieldError`, in one sentence and within the bounds
below; anything else is a finding and is printed with the seed that makes it again. Ends with 1
where there are findings. Memory is measured on Linux alone.
"""

import argparse
import copy
import json
import random
import struct
import sys
import tempfile
import time
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import bpy
import numpy as np

CPU_SECONDS = 1.0
MEMORY = 300 << 20
"""Bytes above what the process has before it reads."""

LONGEST_SENTENCE = 1200

VALUES = [
    None, True, False, "", "x" * 50_000, "\ud800", "\x1b[2J", "a\0b", "../../../etc/passwd", "/",
    0, -1, 1, 2**31, 2**63, 10**400, -(10**400), 0.5, 1e308, -1e308, float("inf"), float("-inf"),
    float("nan"), [], {}, [[]], [None], [0] * 5000, {"a": {"b": [1]}}, {"": ""}, {"k" * 300: 1.0},
]  # fmt: skip
"""Values that take the place of right ones."""

CLOUD, FIELD = "splats.ply", "field.safetensors"
"""Files in the job folder: what a field was exported as, and a field of splats."""

DEEP = (30, 900, 100_000)
"""Depths of nested lists."""


@dataclass
class Tally:
    """What came of the inputs of one kind."""

    kind: str
    inputs: int = 0
    taken: int = 0
    refused: int = 0
    slowest: float = 0.0
    peak: int = 0
    findings: list[str] = field(default_factory=list)


# Changes ---------------------------------------------------------------------------------------


def changed(draw: random.Random, value: object) -> bytes:
    """Return a JSON value as text, with a few changes of its values or of its bytes."""
    value = copy.deepcopy(value)
    for _ in range(draw.choice((1, 1, 2, 3))):
        value = _change_value(draw, value)
    raw = json.dumps(value).encode()
    if draw.random() < 0.15:
        depth = draw.choice(DEEP)
        raw = raw.replace(b"null", b"[" * depth + b"]" * depth, 1)
    return _change_bytes(draw, raw) if draw.random() < 0.25 else raw


def _change_value(draw: random.Random, value: object) -> object:
    places = list(_places(value)) if isinstance(value, dict | list) else []
    if not places:
        return draw.choice(VALUES)
    holder, key = draw.choice(places)
    action = draw.randrange(6)
    if action == 0:
        del holder[key]
    elif action == 1:
        other, name = draw.choice(places)
        holder[key] = copy.deepcopy(other[name])
    elif action == 2 and isinstance(holder, list):
        holder.extend([holder[key]] * draw.choice((1, 7, 300)))
    elif action == 3 and isinstance(holder, dict):
        holder[draw.choice(("type", "extra", "\x1b", ""))] = holder.pop(key)
    else:
        holder[key] = copy.deepcopy(draw.choice(VALUES))
    return value


def _places(value: object) -> Iterator[tuple]:
    items = value.items() if isinstance(value, dict) else enumerate(value)
    for key, item in list(items):
        yield value, key
        if isinstance(item, dict | list):
            yield from _places(item)


def _change_bytes(draw: random.Random, raw: bytes) -> bytes:
    data = bytearray(raw)
    for _ in range(draw.choice((1, 2, 8))):
        if not data:
            break
        at = draw.randrange(len(data))
        action = draw.randrange(4)
        if action == 0:
            data[at] = draw.randrange(256)
        elif action == 1:
            del data[at : at + draw.choice((1, 4, 100))]
        elif action == 2:
            data[at:at] = draw.randbytes(draw.choice((1, 8)))
        else:
            del data[at:]
    return bytes(data)


# Kinds -----------------------------------------------------------------------------------------

FIGURES = {
    "psnr_to_source": {"psnr": 30.0, "measured_on": "8 of 25 test views, 200 px", "quick": False},
    "psnr_to_images": {"psnr": 24.0, "measured_on": "quick: 1 val view, 128 px", "quick": True},
    "source_psnr_to_images": None,
}

EVENTS = [
    {"type": "hello", "payload": {"protocol": 1, "device": "cpu", "versions": {"torch": "2.9"}}},
    {"type": "progress", "payload": {"step": 3, "fraction": 0.2, "rate": 9.1, "unit": "step",
                                     "seconds_left": 3.0, "psnr_to_images": 21.0, "doing": None}},
    {"type": "metrics", "payload": {"psnr_to_images": 22.0, "ssim": 0.8}},
    {"type": "preview", "payload": {"name": "v", "path": "previews/v-0000.png"}},
    {"type": "end", "payload": {"status": "done", "message": None}},
]  # fmt: skip


class Kinds:
    """The readers, each with what a valid input looks like.

    Parameters
    ----------
    folder : Path
        Folder for the files of an input.
    """

    def __init__(self, folder: Path) -> None:
        from pvd_blender.scene.frame import create_frame
        from pvd_blender.state.properties import frame_state

        self.folder = folder
        self.work = folder / "work"
        bpy.ops.wm.read_homefile(use_empty=True, use_factory_startup=True)
        self.frame = create_frame(description())
        bpy.context.scene.convert_field.frame = self.frame
        self.uid = frame_state(self.frame).uid
        self.known = set(bpy.data.objects)
        self.job = self._job_folder("toy", {"frame": self.uid, "label": "Train"}, {})
        self.cloud = _cloud(self.job / CLOUD)
        (self.job / FIELD).write_bytes(_field_file())

    def all(self) -> dict[str, Callable[[random.Random], None]]:
        """Return the readers by the names of their kinds."""
        return {
            "events": self.events,
            "result.json": self.result,
            "blender.json": self.client,
            "job folders": self.unfinished,
            "field files": self.facts,
            "replies": self.reply,
            "arrays": self.arrays,
            "engine check": self.check,
            "splats": self.splats,
        }

    def events(self, draw: random.Random) -> None:
        """A job hears lines of the engine, and shows how far it is."""
        from pvd_blender.engine.checked import Checked
        from pvd_blender.engine.job import Job, Progress, State, describe_progress
        from pvd_blender.engine.process import LONGEST_LINE, _event_or_text

        job = object.__new__(Job)
        job.folder, job.state, job.error, job.preview = self.job, State.STARTING, None, None
        job.progress, job.metrics, job.curve, job.hello = Progress(), {}, [], {}
        job._end, job.started, job.cancel = Checked({}), 0.0, lambda: None
        for _ in range(3):
            raw = changed(draw, draw.choice(EVENTS))
            for line in raw.splitlines():
                job._take_in(_event_or_text(line[:LONGEST_LINE]))
        job.state = State.RUNNING
        describe_progress(job)
        self._draw_curve(job.curve)

    def result(self, draw: random.Random) -> None:
        """A job's result comes into the scene."""
        from pvd_blender.engine.job_folder import RESULT, Request, read_result
        from pvd_blender.jobs.results import finish

        verb, outputs = draw.choice(self._outputs())
        valid = {"status": "done", "outputs": outputs, "metrics": {"psnr": 20.0}, "error": None}
        (self.job / RESULT).write_bytes(changed(draw, valid))
        arguments, client = self._request(verb)
        result = read_result(self.job)
        finish(Request(verb, arguments, client), self.job, result.values)

    def client(self, draw: random.Random) -> None:
        """The request and the notes of a job in another session decide about its result."""
        from pvd_blender.engine.job_folder import CLIENT, REQUEST, read_request
        from pvd_blender.jobs.results import finish
        from pvd_blender.jobs.unfinished import resuming

        verb, outputs = draw.choice(self._outputs())
        arguments, client = self._request(verb)
        both = [{"verb": verb, "arguments": arguments, "protocol": 1}, client]
        spoilt = draw.randrange(2)
        for number, (name, value) in enumerate(zip((REQUEST, CLIENT), both, strict=True)):
            raw = changed(draw, value) if number == spoilt else json.dumps(value).encode()
            (self.job / name).write_bytes(raw)
        resuming(self.job)
        finish(read_request(self.job), self.job, {"outputs": outputs, "metrics": {}})

    def unfinished(self, draw: random.Random) -> None:
        """The panels look for jobs that can be resumed; that never fails."""
        from pvd_blender.jobs.session import session

        client = {"frame": self.uid, "label": "Train", "capture_name": "toy"}
        request = {"verb": "train", "arguments": {"out": str(self.job / "a.safetensors")}}
        (self.job / "blender.json").write_bytes(changed(draw, client))
        (self.job / "request.json").write_bytes(changed(draw, request))
        (self.job / "result.json").write_bytes(changed(draw, {"status": "cancelled"}))
        try:
            session().look_for_unfinished("toy")
        except Exception as error:
            raise AssertionError("look_for_unfinished failed") from error

    def facts(self, draw: random.Random) -> None:
        """A field file is added to the list."""
        from pvd_blender import api

        header = {"kind": "field", "architecture": {"name": "hash"},
                  "provenance": {"made_by": "pvd train", "seconds": 3.0}}  # fmt: skip
        inner = changed(draw, header).decode("utf-8", "replace")
        outer = {"__metadata__": {"pvd_field": inner}, "a": {"dtype": "F32", "shape": [1]}}
        raw = changed(draw, outer) if draw.random() < 0.3 else json.dumps(outer).encode()
        length = len(raw) if draw.random() < 0.8 else draw.choice((0, 2**63, 99_999_999, 9))
        path = self.folder / "field.safetensors"
        path.write_bytes(struct.pack("<Q", length) + raw)
        api.add_field(self.frame, path)

    def reply(self, draw: random.Random) -> None:
        """The picture server's line and its picture."""
        from pvd_blender.engine.checked import Checked
        from pvd_blender.engine.picture_server import _picture
        from pvd_blender.engine.process import _event_or_text

        valid = {"type": "picture", "id": 1, "warnings": ["Beware."], "message": None}
        answer = _event_or_text(changed(draw, valid))
        path = self.folder / "1.npy"
        np.save(path, np.ones((4, 6, 5), np.float32))
        path.write_bytes(_changed_array(draw, path.read_bytes()))
        if isinstance(answer, dict):
            picture = _picture(Checked(answer), path, (4, 6, 5), self.folder / "engine.log")
            assert picture.pixels.shape == (4, 6, 5) and isinstance(picture.warning, str)

    def arrays(self, draw: random.Random) -> None:
        """Volumes and floaters, which are archives of arrays."""
        from pvd_blender.errors import ConvertFieldError
        from pvd_blender.scene.floaters import show_floaters
        from pvd_blender.volume.volume_file import read_npz

        path = self.folder / "arrays.npz"
        corners = np.array([[0, 0, 0], [1, 0, 0], [0, 1, 0], [0, 0, 1]], np.float32)
        triangles = np.array([[0, 2, 1], [0, 1, 3], [0, 3, 2], [1, 2, 3]])
        if draw.random() < 0.5:
            np.savez(path, vertices=corners, faces=triangles)
            path.write_bytes(_changed_array(draw, path.read_bytes()))
            show_floaters(path, self.frame)
            return
        np.savez(path, density=np.ones((2, 3, 4), np.float32), box=np.array([[0.0] * 3, [1.0] * 3]))
        path.write_bytes(_changed_array(draw, path.read_bytes()))
        try:
            read_npz(path)
        except ValueError as error:
            raise ConvertFieldError(str(error)) from error

    def check(self, draw: random.Random) -> None:
        """The engine's Python says what it has."""
        from pvd_blender.engine.checked import Checked
        from pvd_blender.engine.environment import EngineSettings
        from pvd_blender.engine.process import _event_or_text
        from pvd_blender.jobs.check import EngineCheck

        found = {"type": "hello", "python": "3.11", "missing": [], "fast": True, "engine": "1.0",
                 "protocol": 1, "torch": "2.9", "cuda": None}  # fmt: skip
        said = _event_or_text(changed(draw, found))
        check = object.__new__(EngineCheck)
        check.settings = EngineSettings("python", "cpu", self.work)
        if isinstance(said, dict):
            check._judge(Checked(said))
            assert check.report

    def splats(self, draw: random.Random) -> None:
        """A .ply of splats becomes an object."""
        from pvd_blender import api

        path = self.folder / "cloud.ply"
        path.write_bytes(_changed_cloud(draw, self.cloud))
        api.import_splats(path, draw.choice(("BLENDER", "3DGS")))

    def clean(self) -> None:
        """Remove what has come into the scene."""
        made = [item for item in bpy.data.objects if item not in self.known]
        bpy.data.batch_remove(made)
        self.frame.convert_field.fields.clear()
        bpy.data.orphans_purge()
        for path in (self.job / "result.json", self.job / "blender.json"):
            path.unlink(missing_ok=True)

    def _outputs(self) -> list[tuple[str, dict]]:
        out = str(self.job / "a.safetensors")
        return [
            ("info", {"capture": description()}),
            ("train", {"out": out, "seconds": 3.0, "warnings": ["Beware."], "report": None}),
            ("convert", {"out": out, "seconds": 3.0, "figures": FIGURES, "report": out}),
            ("floaters", {"parts": 2, "fraction": 0.01}),
            ("compare", {"psnr": 30.0, "measured_on": "1 view, 24 px"}),
            ("export", {"out": str(self.job / CLOUD), "warnings": ["Beware."]}),
            ("import", {"out": str(self.job / FIELD), "warnings": ["Beware."]}),
        ]

    def _request(self, verb: str) -> tuple[dict, dict]:
        out = str(self.job / {"export": CLOUD, "import": FIELD}.get(verb, "a.safetensors"))
        arguments = {"path": "/a", "out": out, "field": "/a/f", "reference": "/a/g", "arch": "hash"}
        client = {
            "frame": self.uid,
            "splits": ["train"],
            "downscale": 2,
            "points": True,
            "volume_resolution": 64,
            "replaces": ["Volume"],
            "note": "A note",
            "name": "Cloud",
            "matrix": np.eye(4).tolist(),
            "camera": "Camera",
            "picture": "a.png",
            "label": "L",
            "capture_name": "toy",
        }
        return arguments, client  # fmt: skip

    def _job_folder(self, capture: str, client: dict, request: dict) -> Path:
        folder = self.work / capture / "train-1"
        (folder / "checkpoints").mkdir(parents=True)
        (folder / "checkpoints" / "latest").touch()
        for name, value in (("blender.json", client), ("request.json", request)):
            (folder / name).write_text(json.dumps(value))
        return folder

    @staticmethod
    def _draw_curve(curve: list) -> None:
        from pvd_blender.ui.curve_picture import curve_pixels

        if curve:
            curve_pixels(curve)


def _cloud(path: Path) -> bytes:
    """Return the content of a small .ply of splats, and leave it as a file."""
    from pvd_blender.splats.cloud import Splats
    from pvd_blender.splats.ply import write_ply

    ones = np.ones((3, 3), np.float32)
    rotations = np.array([[1, 0, 0, 0]] * 3, np.float32)
    write_ply(Splats(ones, ones, rotations, ones[:, 0], np.ones((3, 4, 3), np.float32)), path)
    return path.read_bytes()


def _changed_cloud(draw: random.Random, raw: bytes) -> bytes:
    """Change words of the header of a .ply, its numbers, or any bytes."""
    if draw.random() < 0.6:
        old, new = draw.choice(
            (
                (b"vertex 3", b"vertex 999999999999"),
                (b"vertex 3", b"vertex 0"),
                (b"vertex 3", b"vertex -3"),
                (b"vertex 3", b"face 3"),
                (b"float x", b"double x"),
                (b"float x", b"list uchar int x"),
                (b"float y", b"float x"),
                (b"f_rest_8", b"f_rest_9"),
                (b"opacity", b"opaci\x1bty"),
                (b"little", b"big"),
                (b"end_header", b"comment " + b"x" * 70_000 + b"\nend_header"),
                (
                    np.float32(1).tobytes(),
                    np.float32(draw.choice((np.nan, np.inf, -1e38))).tobytes(),
                ),
            )
        )
        return raw.replace(old, new, draw.choice((1, 5)))
    return _change_bytes(draw, raw)


def _field_file() -> bytes:
    """Return the start of a file of a field of splats, as far as the add-on reads it."""
    header = {
        "kind": "gaussians",
        "architecture": {"name": "gaussians"},
        "box": [[-1, -1, -1], [1, 1, 1]],
        "provenance": {"made_by": "pvd import"},
    }
    raw = json.dumps({"__metadata__": {"pvd_field": json.dumps(header)}}).encode()
    return struct.pack("<Q", len(raw)) + raw


def description() -> dict:
    """Return a capture as the engine describes it."""
    camera = {"camera_to_world": np.eye(4).tolist(), "width": 40, "height": 30, "fx": 50.0,
              "fy": 50.0, "cx": 20.0, "cy": 15.0, "distortion_model": "opencv",
              "distortion": {"k1": 0.1}}  # fmt: skip
    views = [
        {"name": f"v{n}", "split": "train", "image_path": None, "camera": camera} for n in range(2)
    ]
    return {
        "name": "toy", "root": "/nowhere", "format": "transforms", "views": views,
        "counts": {"train": 2, "val": 0, "test": 0}, "box": [[-1.0] * 3, [1.0] * 3],
        "scene": {"kind": "object", "reason": "it is small"}, "notes": ["A note."],
        "frame": {"applied_transform": np.eye(4)[:3].tolist(), "scale": 1.0,
                  "aabb": [[0.0] * 3, [1.0] * 3]},
        "points_path": None,
    }  # fmt: skip


def _changed_array(draw: random.Random, raw: bytes) -> bytes:
    """Change numbers and words of an array's header, or any bytes."""
    if draw.random() < 0.5:
        old, new = draw.choice(
            (
                (b"<f4", b"<f8"),
                (b"<f4", b"|O4"),
                (b"<f4", b"<c8"),
                (b"(2, 3, 4)", b"(2, 9**9,)"),
                (b"(4, 3)", b"(-4,3)"),
                (b"(4, 3)", b"(9e9,)"),
                (b"(4, 6, 5)", b"(999999999"),
                (b"(4, 6, 5)", b"(((((((((("),
                (b"False", b"True "),
                (b"NUMPY\x01", b"NUMPY\x03"),
                (b"descr", b"dexcr"),
                (b"'<i8'", b"'<U8'"),
                (b"(4, 3)", b"(2**9"),
            )
        )
        return raw.replace(old, new)
    return _change_bytes(draw, raw)


# The loop --------------------------------------------------------------------------------------


def run_kind(kinds: Kinds, kind: str, inputs: int, seed: int) -> Tally:
    """Give one kind's reader its inputs; each has a seed of its own."""
    from pvd_blender.errors import ConvertFieldError

    tally, reader = Tally(kind), kinds.all()[kind]
    for number in range(inputs):
        draw = random.Random(f"{seed} {kind} {number}")
        tally.inputs += 1
        try:
            with _measured(tally):
                reader(draw)
            tally.taken += 1
        except ConvertFieldError as error:
            tally.refused += 1
            if len(str(error)) > LONGEST_SENTENCE or not str(error).isprintable():
                tally.findings.append(f"{kind} {number}: no sentence: {str(error)[:200]!r}")
        except Exception as error:
            trace = traceback.extract_tb(error.__traceback__)[-1]
            place = f"{Path(trace.filename).name}:{trace.lineno}"
            tally.findings.append(f"{kind} {number}: {type(error).__name__} {error} ({place})")
        kinds.clean()
    return tally


@contextmanager
def _measured(tally: Tally) -> Iterator[None]:
    """Measure the time and memory of one input; too much of either is a finding."""
    clear = Path("/proc/self/clear_refs")
    if clear.exists():
        clear.write_text("5")  # forgets the peak
    before, begun = _memory("VmRSS"), time.process_time()
    try:
        yield
    finally:
        seconds, taken = time.process_time() - begun, _memory("VmHWM") - before
        tally.slowest, tally.peak = max(tally.slowest, seconds), max(tally.peak, taken)
        if seconds > CPU_SECONDS or taken > MEMORY:
            tally.findings.append(
                f"{tally.kind} {tally.inputs - 1}: {seconds:.2f} s, {taken >> 20} MiB"
            )


def _memory(key: str) -> int:
    """Return a figure of this process in bytes, 0 where the system has none."""
    status = Path("/proc/self/status")
    for line in status.read_text().splitlines() if status.exists() else ():
        if line.startswith(f"{key}:"):
            return int(line.split()[1]) * 1024
    return 0


def main() -> int:
    """Run the command."""
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz.add_on", description=__doc__)
    parser.add_argument("--inputs", type=int, default=20_000, help="of all kinds together")
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
    with tempfile.TemporaryDirectory(prefix="fuzz-") as folder:
        bpy.ops.preferences.addon_enable(module="pvd_blender")
        from pvd_blender import api

        api.configure(engine_python="", device="cpu", work_folder=Path(folder) / "work")
        kinds = Kinds(Path(folder))
        print(f"{'kind':<14}{'inputs':>8}{'taken':>8}{'refused':>9}{'findings':>10}{'slowest':>12}")
        findings = []
        for kind in kinds.all():
            count = -(-arguments.inputs // len(kinds.all()))
            tally = run_kind(kinds, kind, count, arguments.seed)
            findings += tally.findings
            print(
                f"{kind:<14}{tally.inputs:>8}{tally.taken:>8}{tally.refused:>9}"
                f"{len(tally.findings):>10}{tally.slowest:>10.2f} s{tally.peak >> 20:>8} MiB",
                flush=True,
            )
        for finding in findings[:50]:
            print(finding.encode("ascii", "backslashreplace").decode())
    return 1 if findings else 0


if __name__ == "__main__":
    sys.exit(main())
