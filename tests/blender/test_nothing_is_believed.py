"""What the engine says and writes, and what lies in folders, is checked before it is used."""

import json
import struct
import sys
import threading
import time

import bpy
import captures
import false_engine
import numpy as np
import pytest
from false_engine import HELLO, event

from pvd_blender.engine import process
from pvd_blender.engine.arrays import read_array, read_arrays
from pvd_blender.engine.checked import Checked, decode_json
from pvd_blender.engine.job import Job, State, describe_progress
from pvd_blender.engine.job_folder import Request, small_picture
from pvd_blender.engine.picture_server import _picture
from pvd_blender.engine.process import EngineProcess
from pvd_blender.errors import ConvertFieldError
from pvd_blender.state.field_file import field_facts

NOT_UNDERSTOOD = "does not understand"
HUGE = 10**400
DONE = {"status": "done", "outputs": {}, "metrics": {}}


@pytest.fixture
def engine(tmp_path):
    """Runs a job of a verb whose engine prints and writes what it is given."""
    python = false_engine.program(tmp_path)

    def run(said=b"", result=DONE, verb="train"):
        request = Request(verb, {})
        folder = false_engine.new_folder(tmp_path / "work", request)
        job = false_engine.started(python, folder, request, HELLO + said, result)
        end = time.monotonic() + 20
        while not job.pump():
            assert time.monotonic() < end, "the job does not end"
            time.sleep(0.005)
        return job

    return run


@pytest.fixture
def frame(add_on):
    from pvd_blender.scene.frame import create_frame
    from pvd_blender.state.properties import frame_state

    item = create_frame(captures.capture("toy", [], ((-1, -1, -1), (1, 1, 1))))
    bpy.context.scene.convert_field.frame = item
    frame_state(item)
    return item


# Values ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("value", [True, "1", None, float("nan"), float("inf"), HUGE, [], {}, 1e13])
def test_a_number_is_finite_and_within_bounds(value):
    with pytest.raises(ConvertFieldError, match=rf"{NOT_UNDERSTOOD}.*'a'"):
        Checked({"a": value}).number("a")


@pytest.mark.parametrize("value", [2**31, -1, 0.5, 1e300])
def test_a_whole_number_fits_blenders_integers(value):
    with pytest.raises(ConvertFieldError, match="'a'"):
        Checked({"a": value}).whole("a")


def test_a_wrong_value_is_named_by_its_place():
    content = {"views": [{"camera": {"fx": 1}}, {"camera": {"fx": "no"}}]}
    views = Checked(content).parts("views", 10)
    assert views[0].part("camera").number("fx") == 1
    with pytest.raises(ConvertFieldError, match=r"'views 2\.camera\.fx' must be a finite number"):
        views[1].part("camera").number("fx")


def test_texts_lose_what_a_terminal_obeys_and_paths_with_it_are_refused():
    checked = Checked({"a": "x\x1b[2J\u202e\ud800\x9b"})
    assert checked.text("a") == "x\\u001b[2J\\u202e\\ud800\\u009b"
    with pytest.raises(ConvertFieldError, match="path"):
        checked.path("a")


@pytest.mark.parametrize(
    "data",
    [
        b"[" * 100_000,
        b"[" * 110 + b"]" * 110,
        b"[" + b"0," * 3_000_000 + b"0]",
        b'"' + b"x" * 41_000_000 + b'"',
        b"\xff\xfe{",
        b"{" * 3,
        json.dumps({f"k{n}": n for n in range(1_100_000)}).encode(),
        b"9" * 5000,
    ],
)
def test_json_beyond_all_bounds_is_one_sentence(data):
    begun = time.process_time()
    with pytest.raises(ConvertFieldError) as refused:
        decode_json(data)
    assert time.process_time() - begun < 1
    assert len(str(refused.value)) < 400 and str(refused.value).endswith(".")


# Events ----------------------------------------------------------------------------------------

WRONG_EVENTS = [
    event("progress", {"fraction": "half"}),
    event("progress", {"fraction": None, "step": "x"}),
    b'{"type": "progress", "payload": {"fraction": Infinity}}\n',
    b'{"type": "progress", "payload": {"seconds_left": NaN}}\n',
    event("progress", {"step": HUGE}),
    event("progress", {"seconds_left": 1e300}),
    event("progress", {"rate": [1]}),
    event("progress", [1, 2]),
    event("metrics", {"psnr_to_images": "high"}),
    event("metrics", {"psnr_to_images": HUGE}),
    b'{"type": "metrics", "payload": {"psnr_to_images": NaN}}\n',
    event("preview", {"path": 3}),
    event("preview", {"path": "a\0b"}),
    event("preview", {"path": "x" * 9000}),
    event("end", 3),
    event(["progress"], {}),
    event({"a": 1}, {}),
    b"[" * 20_000 + b"\n",
    b"{" * 200_000 + b"\n",
    b"\xff\x00\xfe\n",
    b"null\n",
    b'"progress"\n',
]


@pytest.mark.parametrize("said", WRONG_EVENTS, ids=range(len(WRONG_EVENTS)))
def test_a_wrong_event_is_left_out_and_the_job_goes_on(engine, said):
    job = engine(said + event("progress", {"step": 7, "fraction": 0.5, "seconds_left": 3}))
    assert job.state is State.DONE and job.error is None
    assert job.progress.step == 7 and "psnr_to_images" not in job.metrics
    job.state = State.RUNNING
    assert describe_progress(job) == "50% · 3 s left"


@pytest.mark.parametrize("hello", [{}, {"protocol": "1"}, {"protocol": [1]}, {"protocol": HUGE}, 3])
def test_an_engine_that_does_not_say_its_protocol_is_refused(engine, hello):
    job = engine(event("hello", hello))
    assert job.state is State.FAILED and job.error.sentence.endswith(".")


def test_a_flood_of_events_neither_fills_memory_nor_holds_up_the_window(tmp_path, monkeypatch):
    monkeypatch.setattr(process, "MOST_WAITING", 50)
    program = 'while True: print(\'{"type": "progress", "payload": {}}\')'
    running = EngineProcess([sys.executable, "-c", program], {}, tmp_path, tmp_path / "log")
    time.sleep(0.5)
    begun = time.monotonic()
    assert 0 < len(running.take()) <= 50
    assert time.monotonic() - begun < 0.2
    running.close(seconds=0.1)
    assert not any(t.name == running._reader.name and t.is_alive() for t in threading.enumerate())


def test_a_long_line_is_text_and_what_follows_is_heard(engine):
    job = engine(b"x" * 300_000 + b"\n" + event("progress", {"step": 3}))
    assert job.progress.step == 3


def test_a_curve_does_not_grow_for_ever():
    job = object.__new__(Job)
    job.curve, job.progress = [], None
    for number in range(20_000):
        payload = {"fraction": number / 20_000, "psnr_to_images": 20.0}
        job._hear("progress", Checked(payload))
    assert len(job.curve) <= 4096 and job.curve[-1][0] > 0.99


# Previews --------------------------------------------------------------------------------------


def png(path, width=8, height=8):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR" + struct.pack(">II", width, height))
    return path


def test_a_preview_is_a_small_png_in_the_job_folder(tmp_path):
    folder, outside = tmp_path / "job", tmp_path / "outside"
    inside = png(folder / "previews" / "a.png")
    secret = png(outside / "secret.png")
    assert small_picture(folder, "previews/a.png") == inside.resolve()
    (folder / "link.png").symlink_to(secret)
    (folder / "elsewhere").symlink_to(outside)
    (folder / "ring.png").symlink_to(folder / "ring.png")
    (folder / "a.txt").write_bytes(inside.read_bytes())
    (folder / "text.png").write_text("no picture at all, but long enough")
    png(folder / "wide.png", 100_000, 2)
    png(folder / "none.png", 0, 0)
    for path in (
        "../outside/secret.png", str(secret), "link.png", "elsewhere/secret.png", "ring.png",
        "a.txt", "text.png", "wide.png", "none.png", ".", "", "x" * 5000, "a\0.png",
    ):  # fmt: skip
        assert small_picture(folder, path) is None, path


def test_a_preview_elsewhere_is_not_shown(engine, tmp_path):
    png(tmp_path / "secret.png")
    job = engine(event("preview", {"path": "../../../secret.png"}))
    assert job.state is State.DONE and job.preview is None


# Results ---------------------------------------------------------------------------------------


def described():
    pose = np.eye(4)
    views = [captures.view(f"v{n}", pose, 40, 30, 50.0, 50.0, 20.0, 15.0) for n in range(2)]
    more = {
        "counts": {"train": 2},
        "notes": ["A note."],
        "scene": {"kind": "object", "reason": "it is small"},
        "points_path": None,
    }
    return captures.capture("toy", views) | more


def changed(path, value):
    """The description of a capture with one value replaced."""
    content = json.loads(json.dumps(described()))
    target = content
    for key in path[:-1]:
        target = target[key]
    target[path[-1]] = value
    return content


WRONG_CAPTURES = [
    (("name",), 3),
    (("root",), None),
    (("root",), "a\x1bb"),
    (("views",), {"a": 1}),
    (("views",), [None]),
    (("views", 1, "split"), "other"),
    (("views", 1, "camera"), []),
    (("views", 1, "camera", "fx"), 0),
    (("views", 1, "camera", "fx"), float("nan")),
    (("views", 1, "camera", "cx"), float("inf")),
    (("views", 1, "camera", "width"), 2**40),
    (("views", 1, "camera", "width"), 0),
    (("views", 1, "camera", "height"), 1.5),
    (("views", 1, "camera", "camera_to_world"), [[0.0] * 4] * 4),
    (("views", 1, "camera", "camera_to_world"), [[1e300] * 4] * 4),
    (("views", 1, "camera", "camera_to_world"), [[1.0] * 4] * 3),
    (("views", 1, "camera", "camera_to_world"), "identity"),
    (("views", 1, "camera", "distortion"), {"k" * 100: 1.0}),
    (("views", 1, "camera", "distortion"), {"k1": "large"}),
    (("views", 1, "image_path"), 7),
    (("box",), [[0, 0, 0], [0, 0, 0]]),
    (("box",), [[0, 0, 0], [1, 1, float("inf")]]),
    (("box",), [1, 2]),
    (("frame",), {"applied_transform": [[1, 2], [3, 4]]}),
    (("frame", "scale"), "large"),
    (("frame", "aabb"), [[1, 2, 3]]),
    (("scene",), "object"),
    (("scene", "reason"), ["x"]),
    (("counts", "train"), -1),
    (("counts", "train"), HUGE),
    (("notes",), "a note"),
    (("notes",), [1]),
    (("points_path",), {}),
]


def finish(verb, outputs, arguments=None, client=None, folder=None, metrics=None):
    from pvd_blender.jobs.results import finish

    result = {"status": "done", "outputs": outputs, "metrics": metrics or {}}
    return finish(Request(verb, arguments or {}, client or {}), folder, result)


@pytest.mark.parametrize(("path", "value"), WRONG_CAPTURES, ids=range(len(WRONG_CAPTURES)))
def test_a_wrong_capture_is_one_sentence_and_leaves_the_scene_alone(add_on, tmp_path, path, value):
    before = [len(getattr(bpy.data, kind)) for kind in ("objects", "cameras", "collections")]
    with pytest.raises(ConvertFieldError, match=NOT_UNDERSTOOD):
        finish("info", {"capture": changed(path, value)}, {"path": "/x"}, {}, tmp_path / "w" / "j")
    after = [len(getattr(bpy.data, kind)) for kind in ("objects", "cameras", "collections")]
    assert after == before


def test_a_right_capture_comes_into_the_scene(add_on, tmp_path):
    done = finish("info", {"capture": described()}, {"path": "/x"}, {}, tmp_path / "w" / "j")
    assert done.message == "Imported toy with 2 cameras: 2 train"


@pytest.mark.parametrize(
    "outputs",
    [
        {"seconds": "long"},
        {"seconds": float("nan")},
        {"seconds": HUGE},
        {"seconds": 1e300},
        {"figures": 3},
        {"figures": {"psnr_to_source": 3}},
        {"figures": {"psnr_to_source": {"psnr": "good", "measured_on": "1 view"}}},
        {"figures": {"psnr_to_images": {"psnr": 3.0, "measured_on": 1}}},
        {"figures": {"psnr_to_images": {"psnr": 3.0, "measured_on": "1 view", "quick": 1}}},
        {"figures": {"psnr_to_source": {"psnr": float("inf"), "measured_on": "1 view"}}},
        {"report": 3},
        {"warnings": "beware"},
        {"warnings": [["x"]]},
    ],
)
def test_a_wrong_field_result_is_one_sentence(frame, tmp_path, outputs):
    client = {"frame": frame.convert_field.uid}
    arguments = {"out": str(tmp_path / "a.safetensors"), "arch": "hash"}
    with pytest.raises(ConvertFieldError, match=NOT_UNDERSTOOD):
        finish("train", outputs, arguments, client, tmp_path)


@pytest.mark.parametrize(
    ("verb", "arguments", "client"),
    [
        ("train", {}, {}),
        ("train", {"out": 3}, {"frame": "u"}),
        ("volume", {"out": "v.npz"}, {"frame": "u"}),
        ("render", {"out": "p", "field": "f"}, {"frame": "u", "camera": 3, "picture": "a.png"}),
        ("render", {"out": "p", "field": "f"}, {"frame": "u", "camera": "c", "picture": "../a"}),
        ("serve", {}, {}),
        ("__init__", {}, {}),
    ],
)
def test_wrong_notes_of_a_job_are_one_sentence(frame, tmp_path, verb, arguments, client):
    client = client | ({"frame": frame.convert_field.uid} if client.get("frame") else {})
    with pytest.raises(ConvertFieldError):
        finish(verb, {}, arguments, client, tmp_path)


def test_a_result_that_is_not_understood_is_an_error_with_the_log(engine):
    for result in (b"{", b"[]", b"[" * 5000, b'{"status": 3}', b'{"status": "done"', b"\xff"):
        job = engine(result=result)
        assert job.state is State.FAILED and NOT_UNDERSTOOD in job.error.sentence
        assert job.error.log == job.log


def test_a_wrong_result_shows_on_the_panel_and_not_in_the_timer(
    frame, session, tmp_path, monkeypatch
):
    from pvd_blender import api
    from pvd_blender.jobs import session as module
    from pvd_blender.jobs.tasks import Task

    api.configure(engine_python=false_engine.program(tmp_path))
    task = Task("Train", "toy", "train", outputs={"out": "a.safetensors"})
    task.client["frame"] = frame.convert_field.uid
    begin = session._begin

    def begun(task):
        prepare = Task.prepare

        def prepared(self, work):
            folder, request = prepare(self, work)
            (folder / false_engine.SAID).write_bytes(HELLO)
            wrong = {"status": "done", "outputs": {"seconds": "ages"}}
            (folder / "result.json").write_text(json.dumps(wrong))
            return folder, request

        monkeypatch.setattr(Task, "prepare", prepared)
        return begin(task)

    monkeypatch.setattr(session, "_begin", begun)
    session.start(task)
    while module._tick():
        time.sleep(0.01)
    assert NOT_UNDERSTOOD in str(session.error) and "'outputs.seconds'" in str(session.error)
    assert not session.busy and not frame.convert_field.fields


def test_a_fault_in_the_timer_ends_the_job_and_shows(session, monkeypatch, capsys):
    from pvd_blender.jobs import session as module

    def fails():
        raise KeyError("a\x1b[2Jfault")

    monkeypatch.setattr(session, "pump", fails)
    assert module._tick() is None
    assert "fault" in str(session.error) and not session.busy
    shown = capsys.readouterr().err
    assert "Traceback" in shown and "\x1b" not in shown


# Folders and files -----------------------------------------------------------------------------

WRONG_JOBS = [
    (b"{", {}),
    (b"[" * 100_000, {}),
    (b"\xff\xfe\x00", {}),
    ([], {"verb": "train", "arguments": {}}),
    ({"frame": ["a"]}, {"verb": "train", "arguments": {}}),
    ({"frame": 1}, {"verb": "train", "arguments": []}),
    ({"frame": "UID", "label": {"a": 1}}, {"verb": "train", "arguments": {}}),
    ({"frame": "UID", "label": "x" * 10**6}, {"verb": "train", "arguments": {}}),
    ({"frame": "UID"}, {"verb": 3, "arguments": {}}),
    ({"frame": "UID"}, {"verb": "train", "arguments": {"out": "/etc/passwd"}}),
    ({"frame": "UID"}, {"verb": "train", "arguments": {"out": "../../x.safetensors"}}),
    ({"frame": "UID"}, {"verb": "train", "arguments": {"out": {}}}),
]


def test_looking_for_unfinished_jobs_never_fails(frame, session, tmp_path):
    uid, work = frame.convert_field.uid, tmp_path / "work"
    folders = []
    for client, request in WRONG_JOBS:
        known = isinstance(client, dict) and client.get("frame") == "UID"
        client = client | {"frame": uid} if known else client
        folders.append(false_engine.stopped(work, client, request))
    good = false_engine.stopped(
        work, {"frame": uid, "label": "Tr\x1b[1main"}, {"verb": "train", "arguments": {}}
    )
    result = false_engine.stopped(work, {"frame": uid}, {"verb": "train", "arguments": {}})
    (result / "result.json").write_bytes(b"[" * 10_000)
    (work / "toy" / "file").write_text("no folder")
    (work / "toy" / "ring").symlink_to(work / "toy" / "ring")
    session.look_for_unfinished("toy")
    labels = {job.folder: job.label for job in session.unfinished}
    assert labels[good] == "Tr\\u001b[1main" and result in labels
    assert not set(folders) & set(labels)


@pytest.mark.parametrize("name", ["x" * 300, "é" * 300, "..", "a/b", "\0"])
def test_any_name_of_a_capture_can_be_looked_for(session, name):
    session.look_for_unfinished(name)
    assert session.unfinished == []


def test_a_job_that_writes_elsewhere_is_not_resumed(frame, tmp_path):
    from pvd_blender import api

    client = {"frame": frame.convert_field.uid, "label": "Train", "capture_name": "toy"}
    request = {"verb": "train", "arguments": {"out": str(tmp_path / "elsewhere.safetensors")}}
    folder = false_engine.stopped(tmp_path / "work", client, request)
    with pytest.raises(ConvertFieldError, match="must be in the job folder"):
        api.resume(folder)


def field_file(path, header, length=None):
    raw = header if isinstance(header, bytes) else json.dumps(header).encode()
    path.write_bytes(struct.pack("<Q", len(raw) if length is None else length) + raw)
    return path


def metadata(content):
    text = content if isinstance(content, str) else json.dumps(content)
    return {"__metadata__": {"pvd_field": text}}


WRONG_FIELDS = [
    (b"", 0),
    (b"{}", 2**63),
    (b"{}", 90_000_000),
    (b"[" * 90_000, None),
    ({"__metadata__": []}, None),
    ({"__metadata__": {"pvd_field": 3}}, None),
    (metadata("[" * 50_000), None),
    (metadata([]), None),
    (metadata({"kind": 3}), None),
    (metadata({"kind": "field", "architecture": "hash"}), None),
    (metadata({"kind": "field", "architecture": {"name": ["hash"]}}), None),
    (metadata({"kind": "field", "provenance": [1]}), None),
    (metadata({"kind": "field", "provenance": {"made_by": 3}}), None),
    (metadata({"kind": "field", "provenance": {"seconds": HUGE}}), None),
    (metadata('{"kind": "field", "provenance": {"seconds": NaN}}'), None),
    (metadata('{"kind": "field", "provenance": {"seconds": Infinity}}'), None),
    (metadata({"kind": "field", "provenance": {"seconds": "1"}}), None),
]


@pytest.mark.parametrize(("header", "length"), WRONG_FIELDS, ids=range(len(WRONG_FIELDS)))
def test_a_file_that_lies_is_no_field(tmp_path, header, length):
    path = field_file(tmp_path / "a.safetensors", header, length)
    with pytest.raises(ConvertFieldError, match="is no field file") as refused:
        field_facts(path)
    assert len(str(refused.value).splitlines()) == 1


def test_a_name_from_a_field_file_can_be_shown(frame, tmp_path):
    from pvd_blender import api

    hostile = {"kind": "field", "architecture": {"name": "\ud800\x1b[2J\0" + "x" * 900}}
    api.add_field(frame, field_file(tmp_path / "a.safetensors", metadata(hostile)))
    assert frame.convert_field.fields[0].architecture.startswith("\\ud800\\u001b[2J\\u0000xx")


def test_a_pipe_is_not_waited_for(tmp_path):
    import os

    if not hasattr(os, "mkfifo"):
        pytest.skip("this system has no named pipes")
    os.mkfifo(tmp_path / "a.safetensors")
    with pytest.raises(ConvertFieldError, match="no such file"):
        field_facts(tmp_path / "a.safetensors")


def test_what_a_blend_holds_in_place_of_a_capture_is_no_capture(frame, session):
    from pvd_blender.scene.frame import is_frame

    for key, value in (("pvd_name", 3), ("pvd_box", "x"), ("pvd_box", [0.0] * 5)):
        kept = frame[key]
        frame[key] = value
        assert not is_frame(frame)
        frame[key] = kept
    frame["pvd_capture"] = [1.0]
    assert not is_frame(frame)
    data = bpy.data.cameras.new("c")
    camera = bpy.data.objects.new("c", data)
    bpy.context.scene.collection.objects.link(camera)
    from pvd_blender.scene.cameras import dataset_camera

    for content in (3, "x", [1.0], {"width": 3}, {"camera_to_world": [0.0] * 16}):
        data["pvd_camera"] = content
        assert dataset_camera(camera) is None
    from pvd_blender.state import saved_paths

    saved_paths.make_absolute()


# Arrays ----------------------------------------------------------------------------------------


def npy(path, header, data=b""):
    text = (header if isinstance(header, str) else repr(header)).encode().ljust(118) + b"\n"
    path.write_bytes(b"\x93NUMPY\x01\x00" + struct.pack("<H", len(text)) + text + data)
    return path


def described_array(shape, kind="<f4"):
    return {"descr": kind, "fortran_order": False, "shape": shape}


@pytest.mark.parametrize(
    "header",
    [
        described_array((10**9, 10**9, 5)),
        described_array((2, 3, 4)),
        described_array((2, 3, 5)),
        described_array((-2, -3, 5)),
        described_array((2, 3, 5), "<f8"),
        described_array((2, 3, 5), "|O"),
        described_array((2.0, 3, 5)),
        "{",
        "(" * 90,
        "-" * 100 + "1",
        "[]",
    ],
)
def test_a_picture_is_compared_with_what_was_asked_for_before_it_is_read(tmp_path, header):
    path = npy(tmp_path / "1.npy", header, b"\0" * 40)
    with pytest.raises(ConvertFieldError, match=NOT_UNDERSTOOD):
        read_array(path, (2, 3, 5))


def test_a_right_picture_is_read_and_no_pickle(tmp_path):
    pixels = np.arange(30, dtype=np.float32).reshape(2, 3, 5)
    np.save(tmp_path / "1.npy", pixels)
    assert np.array_equal(read_array(tmp_path / "1.npy", (2, 3, 5)), pixels)
    np.save(tmp_path / "2.npy", np.array([{}], dtype=object), allow_pickle=True)
    with pytest.raises(ConvertFieldError):
        read_array(tmp_path / "2.npy", (1,))
    answer = Checked({"type": "picture", "warnings": ["Beware\x1b."]})
    assert _picture(answer, tmp_path / "1.npy", (2, 3, 5), None).warning == "Beware\\u001b."
    for wrong in ({"type": 3}, {"type": "failed"}, {"type": "picture", "warnings": 3}, {}):
        with pytest.raises(ConvertFieldError, match=NOT_UNDERSTOOD):
            _picture(Checked(wrong), tmp_path / "1.npy", (2, 3, 5), None)


def test_floaters_that_are_no_surface_never_reach_blender(frame, tmp_path):
    from pvd_blender.scene.floaters import show_floaters

    corners = np.zeros((3, 3), np.float32)
    for vertices, faces in (
        (corners, np.array([[0, 1, 3]])),
        (corners, np.array([[0, 1, -1]])),
        (corners + np.nan, np.array([[0, 1, 2]])),
        (corners[:, :2], np.array([[0, 1, 2]])),
        (corners, np.array([["a", "b", "c"]])),
    ):
        np.savez(tmp_path / "f.npz", vertices=vertices, faces=faces)
        with pytest.raises(ConvertFieldError):
            show_floaters(tmp_path / "f.npz", frame)
    with pytest.raises(ConvertFieldError):
        read_arrays(tmp_path / "nothing.npz", {"vertices": 3}, 10)


@pytest.mark.parametrize(
    "change",
    [
        {"density": np.zeros((2, 2), np.float32)},
        {"density": np.array(["a"])},
        {"color": np.zeros((2, 2, 2, 4), np.float32)},
        {"box": np.array([[0, 0, 0], [1, 1, np.inf]])},
        {"box": np.array([[0, 0, 0], [1, 1, 0.0]])},
        {"box": np.zeros(5)},
    ],
)
def test_a_wrong_volume_is_one_sentence(tmp_path, change):
    from pvd_blender.volume.volume_file import read_npz

    arrays = {"density": np.ones((2, 2, 2), np.float32), "box": np.array([[0.0] * 3, [1.0] * 3])}
    np.savez(tmp_path / "v.npz", **arrays)
    assert read_npz(tmp_path / "v.npz")[0].shape == (2, 2, 2)
    np.savez(tmp_path / "v.npz", **(arrays | change))
    with pytest.raises(ValueError, match="is not a volume of the engine"):
        read_npz(tmp_path / "v.npz")
