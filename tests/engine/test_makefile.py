"""The Makefile takes a Python that Blender's package exists for, and the Blender that fits it."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
MAKEFILE = (ROOT / "Makefile").read_text(encoding="utf-8")
WITHOUT_VENV = " without venv"
BLENDERS = re.findall(r"(3\.\d+):([\d.]+)", MAKEFILE)
"""Python and Blender of `make test-blenders`."""


@pytest.fixture
def make(tmp_path):
    """Run make without doing what it prints, where the PATH has these Pythons and nothing else."""

    def run(pythons, *arguments):
        for python in pythons:
            version = python.removesuffix(WITHOUT_VENV)
            missing = "sys.modules['ensurepip'] = None; " if python != version else ""
            answers = f"import sys; {missing}sys.version_info = ({version.replace('.', ', ')}, 0); "
            script = tmp_path / f"python{version}"
            script.write_text(
                f'#!/bin/sh\nexec "{sys.executable}" -c "{answers}exec(sys.argv[1])" "$2"\n'
            )
            script.chmod(0o755)
        return subprocess.run(
            [str(shutil.which("make")), "-n", f"BLENDER={tmp_path}/new", *arguments],
            cwd=ROOT,
            env={"PATH": str(tmp_path)},
            capture_output=True,
            text=True,
        )

    return run


@pytest.mark.parametrize(
    ("pythons", "python", "blender"),
    [
        (["3.11"], "3.11", "4.5"),
        (["3.13"], "3.13", "5.3"),
        (["3.12", "3.13"], "3.13", "5.3"),
        (["3.11", "3.13"], "3.11", "4.5"),
        ([f"3.11{WITHOUT_VENV}", "3.13"], "3.13", "5.3"),
    ],
)
def test_the_blender_fits_the_python_at_hand(make, tmp_path, pythons, python, blender):
    shown = make(pythons, f"{tmp_path}/new/.ready").stdout
    assert f"python{python} -m venv" in shown
    (version,) = re.findall(r" bpy==(\S+) ", shown)
    assert version.startswith(f"{blender}.")
    assert (python, version) in BLENDERS, "the same is tested from the zip"


@pytest.mark.parametrize(
    ("pythons", "arguments"),
    [([], []), (["3.12"], []), ([f"3.13{WITHOUT_VENV}"], []), (["3.12"], ["PYTHON=python3.12"])],
)
@pytest.mark.parametrize("target", ["demo", "test"])
def test_without_a_fitting_python_one_sentence_says_what_to_install(
    make, pythons, arguments, target
):
    result = make(pythons, target, *arguments)
    assert result.returncode != 0 and " -m venv" not in result.stdout
    sentence, where = result.stderr.splitlines()
    assert "needs Python 3.13 or 3.11: install" in sentence and "setup" in where
    assert make(pythons, "clean", *arguments).returncode == 0


@pytest.mark.parametrize("page", ["README.md", "blender_manifest.toml"])
def test_the_blenders_that_a_page_calls_tested_are_those_of_the_makefile(page):
    text = (ROOT / page).read_text(encoding="utf-8")
    (listed,) = re.findall(r"[Tt]ested with (?:Blender )?([\d., and]+\d)", text)
    assert re.findall(r"\d+\.\d+", listed) == [v.rsplit(".", 1)[0] for _, v in BLENDERS]
