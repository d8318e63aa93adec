"""The extension zip: reproducible, accepted by Blender, and working once it is installed."""

import os
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest

import build_addon
import pvd_engine

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def archive(tmp_path_factory):
    return build_addon.build(tmp_path_factory.mktemp("dist"))


def test_the_same_tree_gives_the_same_bytes(archive, tmp_path):
    again = build_addon.build(tmp_path)
    assert again.name == archive.name
    assert archive.name == f"convert_field-{pvd_engine.__version__}.zip"
    assert again.read_bytes() == archive.read_bytes()


def test_the_zip_does_not_depend_on_when_or_by_whom_files_were_written(archive, tmp_path):
    import shutil

    skipped = shutil.ignore_patterns("__pycache__")
    for name in ("pvd_blender", "pvd_engine"):
        shutil.copytree(ROOT / name, tmp_path / name, ignore=skipped)
    for name in ("LICENSE", "pyproject.toml", "blender_manifest.toml"):
        shutil.copy(ROOT / name, tmp_path / name)
    for path in (tmp_path / "pvd_blender").rglob("*.py"):
        path.chmod(0o600)
        os.utime(path, (1e9, 1e9))
    (tmp_path / "pvd_blender" / "__pycache__").mkdir()
    (tmp_path / "pvd_blender" / "__pycache__" / "api.cpython-311.pyc").write_bytes(b"x")
    assert build_addon.build(tmp_path / "out", tmp_path).read_bytes() == archive.read_bytes()


def test_the_zip_holds_sources_of_both_halves_and_nothing_else(archive):
    with zipfile.ZipFile(archive) as opened:
        names = opened.namelist()
        listed = opened.read("engine_sources/requirements.txt").decode().split()
    assert "blender_manifest.toml" in names and "__init__.py" in names and "LICENSE" in names
    assert "engine_sources/pvd_engine/__main__.py" in names
    others = {name for name in names if Path(name).suffix not in {".py", ".toml", ".txt", ""}}
    assert others == {"state/engine_options.json"}
    parts = {part for name in names for part in Path(name).parts}
    assert not any(part in {"tests", "__pycache__"} or part.startswith("test_") for part in parts)
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert set(project["dependencies"]) < set(listed)
    assert any(name.startswith("warp-lang") for name in listed)


def test_blender_validates_and_builds_it(archive):
    validator = build_addon.find_validator(None)
    assert validator is not None and validator.is_file()
    build_addon.check(archive, validator)


def test_a_manifest_that_blender_refuses_stops_the_build(archive, tmp_path):
    broken = tmp_path / "broken.zip"
    with zipfile.ZipFile(archive) as old, zipfile.ZipFile(broken, "w") as new:
        for name in old.namelist():
            content = old.read(name)
            if name == "blender_manifest.toml":
                content = content.replace(b'"3D View"', b'"Radiance"')
            new.writestr(name, content)
    with pytest.raises(SystemExit, match="Radiance"):
        build_addon.check(broken, build_addon.find_validator(None))


INSTALLED = """
import importlib, os, sys
import bpy
bpy.ops.extensions.package_install_files(
    filepath={archive!r}, repo="user_default", enable_on_install=True
)
name = "bl_ext.user_default.convert_field"
assert name in bpy.context.preferences.addons, "not enabled"
api = importlib.import_module(name + ".api")
environment = importlib.import_module(name + ".engine.environment")
preferences = importlib.import_module(name + ".preferences")
sources = environment.engine_sources()
assert sources.name == "engine_sources" and "extensions" in str(sources), sources
assert str(sources / "requirements.txt") in preferences.libraries_command()
api.configure({python!r}, "cpu", {work!r})
bpy.ops.convert_field.import_capture(filepath={capture!r})
frame = bpy.context.scene.convert_field.frame
print("imported", frame.convert_field.summary)
bpy.ops.preferences.addon_disable(module=name)
assert not hasattr(bpy.types.Scene, "convert_field")
bpy.ops.preferences.addon_enable(module=name)
bpy.ops.extensions.package_uninstall(repo_index=repo_index(), pkg_id="convert_field")
assert not hasattr(bpy.types.Scene, "convert_field")
assert not sources.exists()
print("uninstalled", flush=True)
# The bpy package of 4.2 crashes while Python ends, once any class or handler was registered.
os._exit(0)
"""
REPOSITORY = """
def repo_index():
    import bpy
    repos = bpy.context.preferences.extensions.repos
    return next(i for i, repo in enumerate(repos) if repo.module == "user_default")
"""


def test_installed_from_the_zip_it_imports_a_capture_with_the_bundled_engine(
    archive, tmp_path, engine_python, capture
):
    script = tmp_path / "installed.py"
    values = {"archive": archive, "python": engine_python, "capture": capture}
    texts = {key: str(value) for key, value in values.items()} | {"work": str(tmp_path / "work")}
    script.write_text(REPOSITORY + INSTALLED.format(**texts))
    home = tmp_path / "home"
    home.mkdir()
    variables = os.environ | {"HOME": str(home), "BLENDER_USER_RESOURCES": str(home)}
    answer = subprocess.run(
        [sys.executable, script], env=variables, cwd=tmp_path, capture_output=True, text=True
    )  # fmt: skip
    assert answer.returncode == 0, answer.stdout + answer.stderr
    assert "imported 10 cameras: 8 train, 1 val, 1 test" in answer.stdout
    assert "uninstalled" in answer.stdout
    assert "Traceback" not in answer.stderr
