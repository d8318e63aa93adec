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
import subprocess
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "blender"))
import small_capture  # noqa: E402

SECONDS = 900
pytestmark = pytest.mark.timeout(SECONDS + 30)


@pytest.fixture
def scenario(request, tmp_path):
    """Runs a scenario in a Blender of its own and returns what it measured."""

    def run(name: str, **job: object) -> dict:
        folder = Path(os.environ["GUI_OUT"]).resolve() / request.node.name
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        capture = os.environ.get("GUI_CAPTURE") or small_capture.write(folder / "ball")
        known = {
            "scenario": name,
            "folder": str(folder),
            "zip": str(Path(os.environ["ADD_ON_ZIP"]).resolve()),
            "engine_python": os.environ["PVD_ENGINE_PYTHON"],
            "capture": str(capture),
        }
        job_file = folder / "job.json"
        job_file.write_text(json.dumps(known | job), encoding="utf-8")
        with (folder / "blender.log").open("w", encoding="utf-8") as log:
            subprocess.run(_command(folder, job_file), stdout=log, stderr=log, timeout=SECONDS)
        result_file = folder / "result.json"
        assert result_file.is_file(), (folder / "blender.log").read_text(encoding="utf-8")[-3000:]
        result = json.loads(result_file.read_text(encoding="utf-8"))
        complaints = (folder / "blender.log").read_text(encoding="utf-8", errors="replace")
        assert "Traceback" not in complaints and "rna_ui" not in complaints, complaints[-3000:]
        assert result["error"] is None, result["error"]
        return result

    return run


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


def test_a_first_day_by_mouse_and_keyboard(scenario):
    result = scenario("first_day")
    print(json.dumps(result["blocked"], indent=1))


def test_every_state_of_the_panel_is_pictured(scenario):
    result = scenario("every_state", seconds=float(os.environ.get("GUI_SECONDS", "6")))
    assert abs(result["width"] - 320) <= 10
