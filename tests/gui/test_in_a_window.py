"""The add-on in a real Blender with a window, used by mouse and keyboard: ``make test-gui``.

Environment: GUI_BLENDER is the program; GUI_RUN, where set, is put before it (``xvfb-run -a``);
GUI_OUT is the folder for pictures; GUI_CAPTURE, where set, is the capture that is worked on and
GUI_SECONDS how long its fields are made for, for pictures to show to people; ADD_ON_ZIP and
PVD_ENGINE_PYTHON are as the Makefile makes them.
"""

import json
import os
import shlex
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "blender"))
import small_capture  # noqa: E402

SECONDS = 900
pytestmark = pytest.mark.timeout(SECONDS + 30)


@pytest.fixture
def folder(request):
    """The folder for a test's pictures and files, and for Blender's own."""
    path = Path(os.environ["GUI_OUT"]).resolve() / request.node.name
    shutil.rmtree(path, ignore_errors=True)
    path.mkdir(parents=True)
    return path


def started(folder: Path, name: str, **job: object) -> subprocess.Popen:
    """Start a scenario in a Blender of its own."""
    capture = os.environ.get("GUI_CAPTURE") or folder / "ball"
    if not Path(capture).is_dir():
        small_capture.write(folder / "ball")
    known = {
        "scenario": name,
        "folder": str(folder),
        "zip": str(Path(os.environ["ADD_ON_ZIP"]).resolve()),
        "engine_python": os.environ["PVD_ENGINE_PYTHON"],
        "capture": str(capture),
    }
    job_file = folder / f"{name}.json"
    job_file.write_text(json.dumps(known | job), encoding="utf-8")
    with (folder / f"{name}.log").open("w", encoding="utf-8") as log:
        return subprocess.Popen(_command(folder, job_file), stdout=log, stderr=log)


def done(folder: Path, name: str, **job: object) -> dict:
    """Run a scenario to its end and return what it measured."""
    started(folder, name, **job).wait(timeout=SECONDS)
    log = (folder / f"{name}.log").read_text(encoding="utf-8", errors="replace")
    result_file = folder / "result.json"
    assert result_file.is_file(), log[-3000:]
    result = json.loads(result_file.read_text(encoding="utf-8"))
    assert result["error"] is None, result["error"]
    assert "Traceback" not in log and "rna_ui" not in log, log[-3000:]
    return result


def _command(folder: Path, job_file: Path) -> list[str]:
    # Blender's own files go into the test's folder: nothing of the user's is read or changed.
    profile = [f"{name}={folder / 'profile'}" for name in ("BLENDER_USER_RESOURCES", "HOME")]
    return [
        *shlex.split(os.environ.get("GUI_RUN", "")),
        "env", *profile,
        os.environ["GUI_BLENDER"],
        "--factory-startup", "--enable-event-simulate",
        "--window-geometry", "0", "0", "1600", "2000",
        "--python", str(HERE / "in_blender.py"), "--", str(job_file),
    ]  # fmt: skip


def test_a_first_day_by_mouse_and_keyboard(folder):
    print(json.dumps(done(folder, "first_day"), indent=1))


def test_every_state_of_the_panel_is_pictured(folder):
    seconds = float(os.environ.get("GUI_SECONDS", "20"))
    assert done(folder, "every_state", seconds=seconds)["width"] <= 320


@pytest.mark.parametrize("seconds", [0.0, 2.7, 6.1])
def test_nothing_runs_on_after_a_kill_and_the_job_is_resumed(folder, seconds):
    window = started(folder, "killed")
    ready = folder / "ready.json"
    _wait(ready.is_file, 120)
    running = json.loads(ready.read_text(encoding="utf-8"))
    time.sleep(seconds)
    os.kill(running["blender"], signal.SIGKILL)
    killed = time.monotonic()
    _wait(lambda: not any(map(_lives, running["engines"])), 5)
    print(f"no engine {time.monotonic() - killed:.1f} s after the kill")
    window.wait(timeout=30)
    assert done(folder, "reopened")["first_step"] > running["step"], "nothing is done again"


def test_three_hundred_cameras_are_there_in_five_seconds(folder):
    capture = small_capture.write(folder / "many")
    image = capture / "train" / "r_0.png"
    content = json.loads((capture / "transforms_train.json").read_text(encoding="utf-8"))
    poses = [frame["transform_matrix"] for frame in content["frames"]]
    names = [f"./train/many_{index}" for index in range(300)]
    for name in names:
        (capture / f"{name}.png").hardlink_to(image)
    content["frames"] = [
        {"file_path": name, "transform_matrix": poses[index % len(poses)]}
        for index, name in enumerate(names)
    ]
    (capture / "transforms_train.json").write_text(json.dumps(content), encoding="utf-8")
    result = done(folder, "many_cameras", capture=str(capture))
    print(json.dumps(result, indent=1))
    assert result["cameras"] == 302 and result["loaded_images"] == 0
    assert result["seconds_to_import"] < 5


def test_a_scene_is_exported_while_the_window_stays_alive(folder):
    result = done(folder, "exported")
    print(json.dumps(result, indent=1))
    assert result["blocked"]["steps"] < 1
    # Software GL on a busy machine takes a second or two to draw; a picture takes longer.
    assert result["longest_without_the_window"] < result["seconds_to_export"] / 5


def test_the_view_shows_what_is_there(folder):
    result = done(folder, "shown", steps=200)
    print(json.dumps(result, indent=1))
    assert result["photo_itself"] > 5 * result["photo_shines_through"]
    assert result["photo_is_back"]
    assert result["changed_by_script"] > 0.01
    assert not result["nodes"] or result["erased_in_solid"] > 0.003


def _wait(condition: Callable[[], bool], seconds: float) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, f"not within {seconds} s"
        time.sleep(0.05)


def _lives(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/status").read_text(encoding="utf-8")
    except (FileNotFoundError, ProcessLookupError):
        return False
    # A process that has ended but was not waited for runs no more.
    return "\nState:\tZ" not in state
