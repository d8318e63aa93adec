"""Kinds of field: each registers with storage, and whatever opens field files knows them all."""

import ast
import json
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

import pvd_engine
from pvd_engine.edit.edit_list import Edit
from pvd_engine.edit.edited_field import EditedField
from pvd_engine.edit.regions import SphereRegion
from pvd_engine.errors import UserError
from pvd_engine.fields import radiance_field
from pvd_engine.fields.architectures import architecture, make_field
from pvd_engine.fields.header import METADATA_KEY, read_header
from pvd_engine.fields.state import field_state, register_kind
from pvd_engine.fields.storage import load_any_field, save_field
from pvd_engine.space.space_map import BoxMap
from tests.layers import graph

ROOT = Path(pvd_engine.__file__).parent
BOX = torch.tensor([[-1.0] * 3, [1.0] * 3])
OPENERS = {"load_field", "load_any_field"}


def some_field():
    torch.manual_seed(0)
    return make_field(architecture("mlp", "small"), BoxMap(BOX))


def with_header(path, change):
    """Write a field file anew after a change of its header."""
    tensors, header = load_file(path), read_header(path)
    change(header)
    save_file(tensors, path, metadata={METADATA_KEY: json.dumps(header)})


def edited(field):
    return EditedField(field, [Edit("erase", SphereRegion(np.zeros(3), 0.5))])


@pytest.mark.parametrize("kind", ["cloud", None, 7, "x" * 9999, "two\nlines"])
@pytest.mark.parametrize("inner", [False, True])
def test_a_kind_that_is_not_known_is_one_sentence(tmp_path, kind, inner):
    path = tmp_path / "field.safetensors"
    save_field(path, edited(some_field()))
    with_header(path, lambda header: (header["base"] if inner else header).update(kind=kind))
    with pytest.raises(UserError, match="kind of field that this program does not know") as found:
        load_any_field(path)
    assert len(str(found.value)) < 300 and "\n" not in str(found.value)


@pytest.mark.parametrize("spoil", [lambda h: h.pop("kind"), lambda h: h.update(kind=["edited"])])
def test_a_header_without_a_kind_is_a_damaged_one(tmp_path, spoil):
    path = tmp_path / "field.safetensors"
    save_field(path, some_field())
    with_header(path, spoil)
    with pytest.raises(UserError, match="damaged"):
        load_any_field(path)


def test_a_field_without_density_is_not_accepted_within_another(tmp_path):
    path = tmp_path / "field.safetensors"
    save_field(path, edited(some_field()))
    with_header(path, lambda header: header["base"].update(kind="light_field"))
    with pytest.raises(UserError, match="damaged"):
        load_any_field(path)


def test_a_kind_has_a_name_of_its_own():
    with pytest.raises(ValueError, match="radiance_field"):
        register_kind(radiance_field.KIND)


def test_what_has_no_kind_has_no_file_form():
    with pytest.raises(TypeError, match="MaskedField"):
        field_state(edited(some_field()).shown)


def loaded_with(module, edges):
    """Names of all engine modules that a module imports in the end, with the packages of each."""
    found, waiting = set(), [module]
    while waiting:
        name = waiting.pop()
        parts = name.split(".")
        around = {".".join(parts[:i]) for i in range(1, len(parts) + 1)}
        waiting += {*around, *edges.get(name, ())} - found
        found |= around
    return found


def test_whatever_opens_field_files_can_open_edited_and_merged_ones():
    storage = "pvd_engine.fields.storage"
    openers = {
        ".".join(path.relative_to(ROOT.parent).with_suffix("").parts)
        for path in ROOT.rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.ImportFrom)
        and (node.module or "").endswith("fields.storage")
        and OPENERS & {alias.name for alias in node.names}
    }
    edges = graph(ROOT)
    assert len(openers) > 10 and all(storage in edges[opener] for opener in openers)
    assert {name for name in openers if "pvd_engine.edit" not in loaded_with(name, edges)} == set()
