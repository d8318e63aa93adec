"""The example scripts run as they are documented, each in a Blender of its own."""

import os
import subprocess
import sys
from pathlib import Path

import bpy
import pytest

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"
pytestmark = pytest.mark.skipif(
    bpy.app.version < (4, 3, 0), reason="the bpy package of 4.2 crashes when Python ends"
)


def run(name, *words, home, python):
    variables = os.environ | {"HOME": str(home), "BLENDER_USER_RESOURCES": str(home)}
    variables["PVD_ENGINE_PYTHON"] = python
    done = subprocess.run(
        [sys.executable, EXAMPLES / f"{name}.py", "--", *map(str, words)],
        env=variables,
        capture_output=True,
        text=True,
        timeout=200,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def made(capture, engine_python, tmp_path_factory):
    """What convert.py leaves: a folder with a .blend, and the student's file."""
    folder = tmp_path_factory.mktemp("converted")
    words = (capture, "--to", "vm", "--steps", 2, "--resolution", 16, "--save", folder / "a.blend")
    said = run("convert", *words, home=folder / "home", python=engine_python)
    return folder, Path(said.split("The field is ")[1].strip())


def test_convert_leaves_a_file_with_cameras_and_volume(add_on, made):
    folder, student = made
    assert student.is_file()
    bpy.ops.wm.open_mainfile(filepath=str(folder / "a.blend"))
    kinds = [item.type for item in bpy.data.objects]
    assert kinds.count("CAMERA") == 10 and kinds.count("VOLUME") == 1


def test_edit_renders_the_field_before_and_after(made, capture, engine_python, tmp_path):
    words = (capture, "--field", made[1], "--steps", 2, "--out", tmp_path)
    run("edit", *words, home=tmp_path / "home", python=engine_python)
    assert {p.name for p in tmp_path.glob("*.png")} == {"before.png", "edited.png", "vm.png"}


def test_animation_renders_each_frame(made, capture, engine_python, tmp_path):
    words = (capture, "--field", made[1], "--frames", 3, "--size", 16, "--out", tmp_path)
    run("animation", *words, home=tmp_path / "home", python=engine_python)
    pictures = sorted(tmp_path.glob("frame_*.png"))
    assert len(pictures) == 3
    assert len({p.read_bytes() for p in pictures}) == 3, "from another side each"


def test_batch_goes_on_after_a_folder_that_is_no_capture(capture, engine_python, tmp_path):
    captures = tmp_path / "captures"
    (captures / "a_empty").mkdir(parents=True)
    (captures / "ball").symlink_to(capture, target_is_directory=True)
    with pytest.raises(AssertionError, match="a_empty: "):
        words = (captures, "--to", "cp", "--steps", 1, "--out", tmp_path / "out")
        run("batch", *words, home=tmp_path / "home", python=engine_python)
    assert [p.name for p in (tmp_path / "out").glob("*.safetensors")] == ["ball.safetensors"]
