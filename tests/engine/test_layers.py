"""Imports point down the list of layers, and no two files import each other."""

from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

from tests.layers import ADD_ON, ENGINE, graph, imports_of, upward

ROOT = Path(__file__).resolve().parents[2]
PACKAGES = ("pvd_engine", "pvd_blender")


@pytest.mark.parametrize(
    ("package", "layers"), [("pvd_engine", ENGINE), ("pvd_blender", ADD_ON)], ids=PACKAGES
)
def test_imports_point_down(package, layers):
    assert upward(ROOT / package, layers) == []


@pytest.mark.parametrize("package", PACKAGES)
def test_no_files_import_each_other(package):
    TopologicalSorter(graph(ROOT / package)).prepare()


@pytest.mark.parametrize(
    ("package", "forbidden"),
    [("pvd_engine", "bpy"), ("pvd_engine", "pvd_blender"), ("pvd_blender", "torch")],
)
def test_neither_program_imports_what_belongs_to_the_other(package, forbidden):
    found = imports_of(ROOT / package)
    assert [one for one in found if one.imported.split(".")[0] == forbidden] == []


@pytest.fixture
def house(tmp_path):
    """A small package in the engine's layers, without fault."""
    package = tmp_path / "house"
    for folder in ("verbs", "fields", "files"):
        (package / folder).mkdir(parents=True)
        (package / folder / "__init__.py").write_text("")
    (package / "__init__.py").write_text("")
    (package / "verbs" / "train.py").write_text("from ..fields import grid\n")
    (package / "fields" / "grid.py").write_text("from ..files.atomic import write\n")
    (package / "files" / "atomic.py").write_text("def write(): ...\n")
    assert upward(package, ENGINE) == []
    TopologicalSorter(graph(package)).prepare()
    return package


@pytest.mark.parametrize(
    "line",
    [
        "from ..verbs import train",
        "from ..verbs.train import run",
        "import house.verbs.train",
        "def late():\n    from ..verbs.train import run",
    ],
)
def test_an_import_upwards_is_found(house, line):
    (house / "files" / "lock.py").write_text(line)
    found = upward(house, ENGINE)
    assert [(one.importer, one.imported) for one in found] == [
        ("house.files.lock", "house.verbs.train")
    ]


def test_a_circle_within_a_layer_is_found(house):
    (house / "files" / "atomic.py").write_text("from .lock import hold\n")
    (house / "files" / "lock.py").write_text("def hold():\n    from .atomic import write\n")
    with pytest.raises(CycleError):
        TopologicalSorter(graph(house)).prepare()


def test_a_folder_that_belongs_to_no_layer_is_found(house):
    (house / "attic").mkdir()
    (house / "attic" / "box.py").write_text("from ..files import atomic\n")
    with pytest.raises(ValueError, match="attic"):
        upward(house, ENGINE)
