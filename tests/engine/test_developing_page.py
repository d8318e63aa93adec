"""The worked examples of docs/developing.md run as they stand on the page."""

import json
import re
import shlex
import sys
import tomllib
from pathlib import Path

import imageio.v3 as iio
import numpy as np
import pytest
from ball_capture import DISTANCE, ball_picture, write_ball_capture
from capture_files import look_at, write_json

from pvd_engine import cli
from pvd_engine.data import formats, readers
from pvd_engine.fields import encoders, registry
from pvd_engine.verbs import table

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs" / "developing.md").read_text(encoding="utf-8")
MAKEFILE = (ROOT / "Makefile").read_text(encoding="utf-8")


def blocks(language):
    """The code blocks of the page, in their order."""
    return re.findall(rf"```{language}\n(.*?)```", PAGE, flags=re.DOTALL)


def block_of(path):
    """The block that is headed by a file's path, without the heading."""
    (found,) = [code for code in blocks("python") if code.startswith(f"# {path}\n")]
    return found.split("\n", 1)[1]


def commands(word):
    """The page's command lines, without ``pvd``, of the block that holds a word."""
    (found,) = [text for text in blocks("sh") if word in text]
    lines = [shlex.split(line) for line in found.splitlines()]
    assert all(line[0] == "pvd" for line in lines)
    return [line[1:] for line in lines]


@pytest.fixture
def add_module(tmp_path, monkeypatch):
    """Write a module of the page where Python finds it as a part of the package that it names."""

    def add(path, package):
        name = f"{package.__name__}.{Path(path).stem}"
        folder = tmp_path / "added"
        folder.mkdir()
        (folder / Path(path).name).write_text(block_of(path), encoding="utf-8")
        monkeypatch.setattr(package, "__path__", [*package.__path__, str(folder)])
        monkeypatch.delitem(sys.modules, name, raising=False)
        return name

    yield add


def run(words, capfd):
    """Run a command line; return what it printed."""
    assert cli.main(words) == 0, capfd.readouterr().err
    return capfd.readouterr().out


def last_json(printed):
    return json.loads(printed.splitlines()[-1])


@pytest.fixture
def ball(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return write_ball_capture(tmp_path / "ball")


def test_the_architecture_is_trained_measured_and_converted(add_module, ball, capfd):
    add_module("pvd_engine/fields/encoders/dense.py", encoders)
    exec(block_of("pvd_engine/fields/registry.py"), vars(registry))
    try:
        printed = [run(words, capfd) for words in commands("--arch dense")]
    finally:
        registry.RADIANCE_FIELDS.unregister("dense")
    assert last_json(printed[1])["psnr"] > 14, "pictures of one colour have 8.6 to 11.9 dB"
    assert (ball.parent / "hash.safetensors").is_file()


def test_the_capture_format_is_found_and_read(add_module, tmp_path, monkeypatch, capfd):
    name = add_module("pvd_engine/data/formats/shots.py", formats)
    scope = {**vars(readers), "shots": (module := __import__(name, fromlist=["shots"]))}
    scope |= vars(module)
    entry = eval(block_of("pvd_engine/data/readers.py"), scope)
    monkeypatch.setattr(readers, "FORMATS", (entry, *readers.FORMATS))
    monkeypatch.chdir(tmp_path)
    position = np.array([1.5, -2.0, 0.5])
    position *= DISTANCE / np.linalg.norm(position)
    (tmp_path / "shots").mkdir()
    iio.imwrite(tmp_path / "shots" / "a.png", ball_picture(look_at(position), 16))
    shot = {"image": "a.png", "position": [*position], "target": [0, 0, 0], "angle": 40}
    write_json(tmp_path / "shots" / "shots.json", {"shots": [shot]})
    (words,) = commands("pvd info")
    capture = last_json(run(words, capfd))["capture"]
    assert capture["format"] == "shots"
    (view,) = capture["views"]
    np.testing.assert_allclose(view["camera"]["camera_to_world"], look_at(position), atol=1e-12)
    assert view["camera"]["fx"] == pytest.approx(8 / np.tan(np.radians(20)))


def test_the_verb_runs_on_the_command_line(add_module, ball, monkeypatch, capfd):
    add_module("pvd_engine/verbs/count.py", sys.modules["pvd_engine.verbs"])
    line = block_of("pvd_engine/verbs/table.py").strip()
    source = Path(table.__file__).read_text(encoding="utf-8")
    edited, places = re.subn(r"\n( +)volume,\n", rf"\n\1volume,\n\1{line},\n", source)
    assert places == 2, "the table imports the modules and lists them"
    scope = {"__name__": table.__name__, "__package__": table.__package__}
    exec(compile(edited, table.__file__, "exec"), scope)
    monkeypatch.setattr(cli, "VERBS", {**cli.VERBS, "count": scope["VERBS"]["count"]})
    (words,) = commands("pvd count ball")
    assert last_json(run(words, capfd)) == {"views": 2}


def test_the_blender_version_is_added_to_the_list_that_the_makefile_has():
    pattern = r"^ +for pair in (.+); do \\$"
    (shown,) = re.findall(pattern, PAGE, flags=re.MULTILINE)
    (listed,) = re.findall(pattern.replace(" +", "\t"), MAKEFILE, flags=re.MULTILINE)
    assert shown.split()[:-1] == listed.split(), "the page shows the list with one more"
    python, version = shown.split()[-1].split(":")
    assert re.fullmatch(r"3\.\d+", python) and re.fullmatch(r"\d+\.\d+\.\d+", version)
    manifest = (ROOT / "blender_manifest.toml").read_text(encoding="utf-8")
    (minimum,) = re.findall(r"^ +(blender_version_min = .+)$", PAGE, flags=re.MULTILINE)
    assert minimum in manifest.splitlines()
    oldest = tomllib.loads(minimum)["blender_version_min"]
    assert listed.split()[0].split(":")[1].startswith(oldest.rsplit(".", 1)[0])


def test_every_command_and_file_that_the_page_names_exists():
    for target in set(re.findall(r"`?make ([a-z-]+)", PAGE)):
        assert re.search(rf"^{target}:", MAKEFILE, flags=re.MULTILINE), target
    shown = {code.split("\n", 1)[0].removeprefix("# ") for code in blocks("python")}
    named = set(re.findall(r"(?:pvd_engine|pvd_blender|tests|docs)/[\w/]+\.py", PAGE))
    new = {path for path in shown if path.endswith(("dense.py", "shots.py", "count.py"))}
    assert len(new) == 3
    assert [path for path in sorted(named - new) if not (ROOT / path).is_file()] == []
