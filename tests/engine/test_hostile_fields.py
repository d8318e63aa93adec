"""Field files from strangers: lies of a header are found before anything is made by them."""

import functools
import json
import sys

import numpy as np
import pytest
import torch
from capture_files import write_json
from engine_process import REPOSITORY, each_opened, write_disc_capture
from safetensors import safe_open
from safetensors.torch import load_file, save_file
from splat_clouds import ball_field

from pvd_engine.data.formats.cameras_json import write_cameras
from pvd_engine.data.geometry.poses import PoseDistribution
from pvd_engine.data.readers import open_capture
from pvd_engine.edit.edit_list import ERASE, Edit
from pvd_engine.edit.edited_field import EditedField
from pvd_engine.edit.merged_field import MergedField
from pvd_engine.edit.placement import Placement
from pvd_engine.edit.regions import GridRegion
from pvd_engine.errors import UserError
from pvd_engine.fields.architectures import architecture, light_field, make_field
from pvd_engine.fields.light_field import LightField, Reach, bordered_occupancy
from pvd_engine.fields.storage import load_any_field, save_field
from pvd_engine.space.space_map import BoxMap

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="measures memory by getrusage")

PUBLIC = REPOSITORY.parent / "shared" / "data" / "hostile_fields"
"""Files of the kind that were made by others."""

SECONDS, MEGABYTES = 1.0, 300.0
"""Most that opening a file may take beyond the start of the engine."""

BOX = torch.tensor([[-1.0, -1.0, -1.0], [1.0, 1.0, 1.0]])


def radiance_field(name):
    return make_field(architecture(name, "small"), BoxMap(BOX))


def edited_field():
    grid = GridRegion(np.ones((4, 4, 4), bool), np.array([[-1.0] * 3, [1.0] * 3]), "a.npz")
    return EditedField(radiance_field("hash"), [Edit(ERASE, grid)])


def merged_field():
    return MergedField([radiance_field("hash")], [Placement.identity()])


def taught_light_field():
    spec = light_field("small", points=8, interval="box", skip_empty=False)
    region = PoseDistribution(
        [0.0] * 3, 0.1, [1.0, 2.0], [0.0, 1.0], [0.0, 1.0], [0.0, 0.0, 1.0], {"width": 8.0}
    )
    reach = Reach(0.1, 5.0, [[-1.0] * 3, [1.0] * 3], region.to_json())
    return LightField(spec, bordered_occupancy(radiance_field("hash").occupancy), reach)


MADE = {
    **{name: lambda name=name: radiance_field(name) for name in ("hash", "mlp", "vm", "cp")},
    "sparse_tensor": lambda: radiance_field("sparse_tensor"),
    "hash+vm": lambda: radiance_field("hash+vm"),
    "edited": edited_field,
    "merged": merged_field,
    "light_field": taught_light_field,
    "gaussians": lambda: ball_field(count=100, degree=3),
}


def at(header, path, value):
    """Return the header with another value at a path, such as "architecture.encoder.levels"."""
    *parents, last = path.split(".")
    inner = header
    for key in parents:
        inner = inner[int(key) if isinstance(inner, list) else key]
    inner[int(last) if isinstance(inner, list) else last] = value
    return header


def nested(levels):
    header = {"kind": "merged_field"}
    for _ in range(levels):
        header = {"kind": "merged_field", "parts": [header]}
    return [header]


DEEP: dict = functools.reduce(lambda inner, _: {"parent": inner}, range(900), {})

LIES = {
    "levels": ("hash", "architecture.encoder.levels", 10**9),
    "features": ("hash", "architecture.encoder.features", 1 << 30),
    "text_for_a_number": ("hash", "architecture.encoder.levels", "12"),
    "true_for_a_number": ("hash", "architecture.encoder.levels", True),
    "null_for_a_number": ("hash", "architecture.encoder.levels", None),
    "fraction_for_a_number": ("hash", "architecture.encoder.levels", 11.5),
    "negative": ("hash", "architecture.encoder.levels", -3),
    "zero": ("hash", "architecture.encoder.base_resolution", 0),
    "table": ("hash", "architecture.encoder.log2_table_size", 24),
    "largest_allowed_table": ("hash+vm", "architecture.encoder.parts.0.log2_table_size", 24),
    "finest": ("hash", "architecture.encoder.finest_resolution", 10**300),
    "width": ("mlp", "architecture.encoder.hidden", 10**8),
    "largest_allowed_network": (
        "mlp",
        "architecture.encoder",
        {"type": "mlp", "hidden": 4096, "layers": 256, "skip": 4, "frequencies": 10},
    ),
    "frequencies": ("mlp", "architecture.encoder.frequencies", 10**7),
    "decoder": ("mlp", "architecture.decoder.hidden", 10**9),
    "decoder_layers": ("mlp", "architecture.decoder.layers", 10**9),
    "origin": ("hash", "frame.origin", [0, 0]),
    "text_for_an_origin": ("hash", "frame.origin", "0 0 0"),
    "text_in_an_origin": ("hash", "frame.origin", ["0", 0, 0]),
    "far_origin": ("hash", "frame.origin", [1e300, 0, 0]),
    "other_origin": ("hash", "frame.origin", [1e8, 0, 0]),
    "harmonics": ("sparse_tensor", "architecture.decoder.degree", 5000),
    "planes": ("vm", "architecture.encoder.resolution", 10**6),
    "largest_allowed_planes": (
        "vm",
        "architecture.encoder",
        {"type": "vm", "resolution": 2048, "density_rank": 4096, "color_rank": 4096},
    ),
    "lines": ("cp", "architecture.encoder.color_rank", 10**9),
    "voxels": ("sparse_tensor", "architecture.encoder.resolution", 10**6),
    "composition": (
        "hash+vm",
        "architecture.encoder.parts",
        [{"type": "vm", "resolution": 2048, "density_rank": 99, "color_rank": 99}] * 10**4,
    ),
    "nested_composition": (
        "hash",
        "architecture.encoder",
        {"type": "composition", "parts": [{"type": "composition", "parts": []}]},
    ),
    "occupancy": ("hash", "occupancy", 100_000),
    "largest_allowed_occupancy": ("hash", "occupancy", 256),
    "step": ("hash", "step", 1e-9),
    "step_not_a_number": ("hash", "step", float("nan")),
    "step_infinite": ("hash", "step", 1e400),
    "box": ("hash", "box", [[-1e300] * 3, [1e300] * 3]),
    "flat_box": ("hash", "box", [[0.0] * 3, [1.0, 1.0, 0.0]]),
    "thin_box": ("hash", "box", [[1e6] * 3, [1e6 + 1e-4, 2e6, 2e6]]),
    "box_of_texts": ("hash", "box", [["a"] * 3, ["b"] * 3]),
    "box_of_many": ("hash", "box", [[0.0] * 10**5, [1.0] * 10**5]),
    "frame": ("hash", "frame", {"kind": "forward_facing", "reference": [[1]], "near": 1}),
    "base_of_edits": ("edited", "base.architecture.encoder.levels", 10**9),
    "edit_grid": ("edited", "edits.0.0.region.grid.shape", [4096, 4096, 4096]),
    "edit_grid_overflow": ("edited", "edits.0.0.region.grid.shape", [1 << 32, 1 << 32, 1]),
    "edit_grid_of_texts": ("edited", "edits.0.0.region.grid.shape", ["4", "4", "4"]),
    "edit_grid_larger_than_its_cells": ("edited", "edits.0.0.region.grid.shape", [512, 512, 512]),
    "edits": ("edited", "edits", [[{"op": "erase"}] * 40_000]),
    "edit_lists": ("edited", "edits", [[]] * 300_000),
    "edit_that_is_none": ("edited", "edits", [[7]]),
    "parts": ("merged", "parts", [{}] * 100_000),
    "parts_of_parts": ("merged", "parts", nested(400)),
    "part": ("merged", "parts.0.architecture.encoder.levels", 10**9),
    "placement": ("merged", "placements.0", [[1e-300] * 4] * 4),
    "placements": ("merged", "placements", [[[0] * 4] * 4] * 1000),
    "splats": ("gaussians", "architecture.splats", 10**12),
    "largest_allowed_cloud": ("gaussians", "architecture.splats", 1 << 25),
    "text_for_splats": ("gaussians", "architecture.splats", "100"),
    "splat_harmonics": ("gaussians", "architecture.degree", 5),
    "other_splat_harmonics": ("gaussians", "architecture.degree", 4),
    "splat_rules": ("gaussians", "architecture.rules", "none"),
    "list_of_splat_rules": ("gaussians", "architecture.rules", []),
    "splat_antialiasing": ("gaussians", "architecture.antialiased", "yes"),
    "depth": ("light_field", "architecture.network.depth", 10**8),
    "ray_points": ("light_field", "architecture.ray.points", 10**9),
    "ray_tables": ("light_field", "architecture.ray.encoding.levels", 10**9),
    "reach": ("light_field", "reach.inner_box", [[0] * 3] * 10**5),
    "reach_infinite": ("light_field", "reach.far", 1e999),
    "region": ("light_field", "reach.region.azimuth", [0.0] * 10**5),
    "kind": ("hash", "kind", ["radiance_field"]),
    "architecture": ("hash", "architecture", [[[[]]]]),
    "provenance": ("hash", "provenance", "x" * (5 << 20)),
    "provenance_of_text": ("hash", "provenance", "made by hand"),
    "deep_provenance": (
        "hash",
        "provenance",
        functools.reduce(lambda a, _: {"a": a}, range(900), {}),
    ),
    "version": ("hash", "version", "9" * 100_000),
    "colors": ("hash", "color_space", 7),
    "tiny_box": ("hash", "box", [[0.0] * 3, [1e-30] * 3]),
    "ray_interval": ("light_field", "architecture.ray.interval", "nowhere"),
    "soft_below_zero": ("edited", "edits.0.0.soft", -1.0),
    "scale_without_factor": ("edited", "edits.0.0.op", "scale_density"),
    "move_to_nowhere": ("edited", "edits.0.0.op", "move"),
    "sphere_of_four": (
        "edited",
        "edits.0.0.region",
        {"sphere": {"center": [0, 0, 0, 0], "radius": 1}},
    ),
    "near_plane": (
        "hash",
        "frame",
        {
            "kind": "forward_facing",
            "reference": np.eye(4).tolist(),
            "tangents": [1.0, 1.0],
            "near": 1e-300,
        },
    ),
}
"""Field, path in its header, and the value that stands there instead."""


def other_type(tensors, name):
    tensors[name] = tensors[name].to(torch.float64)


def whole_numbers(tensors, name):
    tensors[name] = torch.zeros(tensors[name].shape, dtype=torch.int32)


def turned(tensors, name):
    tensors[name] = tensors[name].t().contiguous()


def cut_short(tensors, name):
    tensors[name] = tensors[name][:-1].clone()


def left_out(tensors, name):
    del tensors[name]


def not_finite(tensors, name):
    tensors[name].view(-1)[0] = float("nan")


def beyond_the_grid(tensors, name):
    tensors[name][-1] = 1 << 40


def below_the_grid(tensors, name):
    tensors[name][0] = -1


def huge(tensors, name):
    tensors[name] = torch.full_like(tensors[name], 1 << 40)


def one_finer(tensors, name):
    tensors[name] = tensors[name] + 1


BROKEN_TENSORS = {
    "table_float64": ("hash", other_type, "encoder.table"),
    "table_int": ("hash", whole_numbers, "encoder.table"),
    "weights_turned": ("mlp", turned, "encoder.trunk.0.weight"),
    "weights_cut": ("hash", cut_short, "encoder.table"),
    "weights_missing": ("mlp", left_out, "encoder.hidden.weight"),
    "weights_nan": ("mlp", not_finite, "encoder.hidden.weight"),
    "occupancy_cut": ("hash", cut_short, "occupancy.bits"),
    "occupancy_float": ("hash", other_type, "occupancy.bits"),
    "occupancy_missing": ("hash", left_out, "occupancy.bits"),
    "vertices_beyond": ("sparse_tensor", beyond_the_grid, "encoder.vertices"),
    "vertices_below": ("sparse_tensor", below_the_grid, "encoder.vertices"),
    "vertices_float": ("sparse_tensor", other_type, "encoder.vertices"),
    "values_cut": ("sparse_tensor", cut_short, "encoder.values"),
    "size_huge": ("sparse_tensor", huge, "encoder.size"),
    "size_float": ("sparse_tensor", other_type, "encoder.size"),
    "factors_cut": ("vm", cut_short, "encoder.density_planes"),
    "factors_of_other_rank": ("cp", turned, "encoder.density_lines"),
    "grid_huge": ("vm", huge, "encoder.grid"),
    "grid_finer": ("cp", one_finer, "encoder.grid"),
    "edited_cells_cut": ("edited", cut_short, "edits.0.0.filled"),
    "edited_cells_float": ("edited", other_type, "edits.0.0.filled"),
    "edited_base_missing": ("edited", left_out, "base.encoder.table"),
    "merged_part_missing": ("merged", left_out, "parts.0.encoder.table"),
    "light_field_cut": ("light_field", cut_short, "tail.weight"),
    "splats_missing": ("gaussians", left_out, "rotations"),
    "splats_cut": ("gaussians", cut_short, "centers"),
    "splats_float": ("gaussians", other_type, "sh_rest"),
    "splats_not_a_number": ("gaussians", not_finite, "sh_base"),
}
"""Field, what is done, and the tensor that it is done to."""

ODD_FILES = {
    "header_of_a_terabyte": (1 << 40).to_bytes(8, "little") + b"{}",
    "header_of_ninety_megabytes": (90 << 20).to_bytes(8, "little") + b" " * 1000,
    "empty": b"",
    "eight_bytes": bytes(8),
}


@pytest.fixture(scope="module")
def sound(tmp_path_factory):
    """Files of all kinds of fields, by kind."""
    folder = tmp_path_factory.mktemp("sound")
    for name, make in MADE.items():
        torch.manual_seed(1)
        save_field(folder / f"{name}.safetensors", make())
    return {name: folder / f"{name}.safetensors" for name in MADE}


def header_of(path):
    with safe_open(path, "pt") as file:
        return json.loads(file.metadata()["pvd_field"])


@pytest.fixture(scope="module")
def opened(sound, tmp_path_factory):
    """What opening each file took, by the name of the file."""
    folder = tmp_path_factory.mktemp("hostile")
    for name, (field, path, value) in LIES.items():
        header = at(header_of(sound[field]), path, value)
        metadata = {"pvd_field": json.dumps(header)}
        save_file(load_file(sound[field]), folder / f"{name}.safetensors", metadata=metadata)
    for name, (field, spoil, tensor) in BROKEN_TENSORS.items():
        tensors = load_file(sound[field])
        spoil(tensors, tensor)
        metadata = {"pvd_field": json.dumps(header_of(sound[field]))}
        save_file(tensors, folder / f"{name}.safetensors", metadata=metadata)
    for name, content in ODD_FILES.items():
        (folder / f"{name}.safetensors").write_bytes(content)
    files = [*folder.glob("*.safetensors"), *sound.values(), *PUBLIC.glob("*.safetensors")]
    return each_opened(files)


def within_bounds(told):
    assert told["seconds"] < SECONDS, told
    assert told["megabytes"] < MEGABYTES, told


@pytest.mark.parametrize("name", [*LIES, *BROKEN_TENSORS, *ODD_FILES])
def test_files_that_lie_are_refused_in_one_sentence_soon_and_without_memory(opened, name):
    told = opened[name]
    within_bounds(told)
    assert "Traceback" not in told["outcome"]
    assert "\n" not in told["outcome"]
    assert "field" in told["outcome"] and len(told["outcome"]) < 500, told["outcome"]


def test_many_sparse_parts_and_many_tensors_are_refused(sound, tmp_path):
    tensors = load_file(sound["sparse_tensor"])
    tensors["encoder.size"] = torch.tensor(128)
    header = header_of(sound["sparse_tensor"])
    header["architecture"]["encoder"]["resolution"] = 128
    parts = {f"parts.{i}.{name}": one.clone() for i in range(64) for name, one in tensors.items()}
    merged = {**header_of(sound["merged"]), "parts": [header] * 64}
    merged["placements"] = [np.eye(4).tolist()] * 64
    parts["occupancy.bits"] = load_file(sound["merged"])["occupancy.bits"]
    for name in [name for name in parts if name.endswith(("values", "vertices", "bits"))]:
        parts[name] = parts[name][:1].clone()
    save_file(parts, tmp_path / "a.safetensors", metadata={"pvd_field": json.dumps(merged)})
    with pytest.raises(UserError, match="sparse tensors far larger than the file"):
        load_any_field(tmp_path / "a.safetensors")
    tensors = load_file(sound["hash"]) | {f"t{i}": torch.zeros(0) for i in range(20_000)}
    metadata = {"pvd_field": json.dumps(header_of(sound["hash"]))}
    save_file(tensors, tmp_path / "b.safetensors", metadata=metadata)
    with pytest.raises(UserError, match="more than 10000 tensors"):
        load_any_field(tmp_path / "b.safetensors")


@pytest.mark.parametrize("name", MADE)
def test_sound_files_of_all_kinds_open(opened, name):
    assert opened[name]["outcome"] == "opened"


@pytest.mark.skipif(not PUBLIC.is_dir(), reason="the shared data is not here")
def test_hostile_files_of_others_are_refused_and_one_with_escapes_opens(opened):
    names = [path.stem for path in PUBLIC.glob("*.safetensors")]
    assert len(names) >= 12
    for name in names:
        within_bounds(opened[name])
        if name == "prov_ansi":
            assert opened[name]["outcome"] == "opened"
        else:
            assert "is a damaged field file" in opened[name]["outcome"]


@pytest.mark.parametrize("name", MADE)
def test_what_is_opened_is_what_was_saved(sound, name, tmp_path):
    again = tmp_path / "again.safetensors"
    save_field(again, load_any_field(sound[name]))
    first, second = load_file(sound[name]), load_file(again)
    assert first.keys() == second.keys()
    assert all(torch.equal(first[key], second[key]) for key in first)


def test_an_opened_field_does_not_change_with_its_file(sound, tmp_path):
    path = tmp_path / "field.safetensors"
    path.write_bytes(sound["hash"].read_bytes())
    field = load_any_field(path)
    before = field.encoder.table.clone()
    with path.open("r+b") as file:
        size = path.stat().st_size
        file.seek(size // 2)
        file.write(b"\x01" * (size // 4))
    assert torch.equal(field.encoder.table, before)


@pytest.mark.parametrize(
    ("verb", "words"),
    [
        ("info", []),
        ("render", ["--cameras", "cameras.json", "--out", "o"]),
        ("eval", ["--capture", "capture"]),
        ("volume", ["--out", "v.npz"]),
        ("edit", ["--edits", "edits.json", "--out", "o.safetensors"]),
        ("floaters", ["--out", "f.npz"]),
        ("export", ["--to", "onnx", "--out", "o.onnx"]),
        ("convert", ["--to", "mlp", "--out", "o.safetensors"]),
        ("compare", ["--cameras", "cameras.json", "--reference", "sound", "--out", "o"]),
        ("merge", ["--out", "o.safetensors"]),
    ],
)
def test_every_command_refuses_a_field_file_that_lies(run_here, sound, tmp_path, verb, words):
    header = at(header_of(sound["sparse_tensor"]), "step", 1e-9)
    path = tmp_path / "lie.safetensors"
    metadata = {"pvd_field": json.dumps(header)}
    save_file(load_file(sound["sparse_tensor"]), path, metadata=metadata)
    erase = {"op": "erase", "region": {"sphere": {"center": [0, 0, 0], "radius": 1}}}
    write_json(tmp_path / "edits.json", [erase])
    capture = write_disc_capture(tmp_path / "capture")
    write_cameras(tmp_path / "cameras.json", open_capture(capture).views)
    words = [sound["hash"] if word == "sound" else word for word in words]
    done = run_here(verb, path, *words, cwd=tmp_path)
    assert done.returncode != 0
    assert "Traceback" not in done.stderr
    assert "lie.safetensors" in done.stderr and "field file" in done.stderr
