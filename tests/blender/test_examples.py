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


# Grids and factors begin with a projection of the teacher, which takes long.
kinds = pytest.mark.parametrize("kind", ["hash", pytest.param("vm", marks=pytest.mark.slow)])


@kinds
def test_convert_leaves_a_file_with_cameras_and_volume(capture, warm_python, tmp_path, kind):
    file = tmp_path / "a.blend"
    words = (capture, "--to", kind, "--steps", 2, "--resolution", 16, "--save", file)
    said = run("convert", *words, home=tmp_path / "home", python=warm_python)
    student = Path(said.split("The field is ")[1].strip())
    assert student.is_file() and student.stem == kind
    bpy.ops.wm.open_mainfile(filepath=str(file))
    types = [item.type for item in bpy.data.objects]
    assert types.count("CAMERA") == 10 and types.count("VOLUME") == 1


@kinds
def test_edit_renders_the_field_before_and_after(teacher, capture, warm_python, tmp_path, kind):
    words = (capture, "--field", teacher, "--to", kind, "--steps", 2, "--out", tmp_path)
    run("edit", *words, home=tmp_path / "home", python=warm_python)
    pictures = {p.stem: p.read_bytes() for p in tmp_path.glob("*.png")}
    assert set(pictures) == {"before", "edited", kind}
    assert len(set(pictures.values())) == 3


def test_animation_renders_each_frame(teacher, capture, warm_python, tmp_path):
    words = (capture, "--field", teacher, "--frames", 3, "--size", 16, "--out", tmp_path)
    run("animation", *words, home=tmp_path / "home", python=warm_python)
    pictures = sorted(tmp_path.glob("frame_*.png"))
    assert len(pictures) == 3
    assert len({p.read_bytes() for p in pictures}) == 3, "from another side each"


def test_batch_goes_on_after_a_folder_that_is_no_capture(capture, warm_python, tmp_path):
    captures = tmp_path / "captures"
    (captures / "a_empty").mkdir(parents=True)
    (captures / "ball").symlink_to(capture, target_is_directory=True)
    with pytest.raises(AssertionError, match="a_empty: "):
        words = (captures, "--to", "hash", "--steps", 1, "--out", tmp_path / "out")
        run("batch", *words, home=tmp_path / "home", python=warm_python)
    assert [p.name for p in (tmp_path / "out").glob("*.safetensors")] == ["ball.safetensors"]
