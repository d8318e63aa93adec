"""Splat files from strangers: lies are found before anything is made by them."""

import gzip
import json
import os
import struct
import sys
import tracemalloc

import numpy as np
import pytest
import zstandard
from engine_process import each_opened
from splat_samples import cloud, glb_parts, sog, webp

from pvd_engine.errors import UserError
from pvd_engine.exchange.splats.contract import SplatOptions
from pvd_engine.exchange.splats.glb_layout import glb_bytes
from pvd_engine.exchange.splats.splat_files import read_splats, write_splats

SECONDS, MEGABYTES = 1.0, 300.0
"""Most that opening a file may take beyond the start of the engine."""

COUNT = 300


@pytest.fixture(scope="module")
def sound(tmp_path_factory):
    """The bytes of a sound file of each format."""
    folder, files = tmp_path_factory.mktemp("sound"), {}
    for name in ("a.ply", "a.compressed.ply", "v3.spz", "v4.spz", "a.splat", "a.glb"):
        options = SplatOptions(spz_version=4 if name == "v4.spz" else 3)
        write_splats(cloud(COUNT, 1), folder / name, options)
        files[name] = (folder / name).read_bytes()
    files["a.sog"] = sog()
    return files


def spz(version=3, count=COUNT, degree=0, bits=12, content=None, magic=0x5053474E):
    head = struct.pack("<IIIBBBB", magic, version, count, degree, bits, 0, 0)
    return gzip.compress(head + (bytes(COUNT * 20) if content is None else content))


def spz4(sizes, frames, streams=None, table=32, count=COUNT, degree=0):
    streams = len(sizes) if streams is None else streams
    head = struct.pack("<IIIBBBBI12x", 0x5053474E, 4, count, degree, 12, 0, streams, table)
    stated = b"".join(struct.pack("<QQ", *size) for size in sizes)
    return head + stated + b"".join(frames)


def honest_frames(first=None):
    raw = [COUNT * size for size in (9, 1, 3, 3, 4)]
    frames = [zstandard.compress(bytes(size)) for size in raw]
    if first is not None:
        frames[0] = first
    return [(len(frame), size) for frame, size in zip(frames, raw, strict=True)], frames


def bomb(megabytes):
    """Return a zstd frame of zeros that states no size."""
    packer = zstandard.ZstdCompressor(write_content_size=False).compressobj()
    return b"".join([packer.compress(bytes(1 << 20)) for _ in range(megabytes)]) + packer.flush()


def replaced(old, new):
    return lambda data: data.replace(old, new)


def glb_with(change):
    def make(data, path):
        path.write_bytes(data)
        content, binary = glb_parts(path)
        change(content)
        return glb_bytes(content, binary)

    return make


def accessor(key, value):
    return glb_with(lambda content: content["accessors"][2].__setitem__(key, value))


def copies(path):
    """Return a larger cloud, placed a hundred times."""
    write_splats(cloud(60_000, 0), path)
    return nodes([{"children": list(range(1, 101))}, *[{"mesh": 0}] * 100])(path.read_bytes(), path)


def nodes(value):
    return glb_with(lambda content: content.__setitem__("nodes", value))


def primitive(key, value):
    return glb_with(lambda content: content["meshes"][0]["primitives"][0].__setitem__(key, value))


PLY = {
    "count": replaced(b"vertex 300", b"vertex 999999999999"),
    "count_of_digits": replaced(b"vertex 300", b"vertex " + b"9" * 5000),
    "negative": replaced(b"vertex 300", b"vertex -1"),
    "none": replaced(b"vertex 300", b"vertex 0"),
    "cut": lambda data: data[:-1],
    "header_alone": lambda data: data[: data.index(b"end_header")],
    "endless_header": lambda data: data[:40] + b"comment \n" * 10**6,
    "text": replaced(b"binary_little_endian", b"ascii"),
    "big_endian": replaced(b"binary_little", b"binary_big"),
    "twice": replaced(b"float y\n", b"float x\n"),
    "type": replaced(b"float x\n", b"complex x\n"),
    "list": replaced(b"float x\n", b"list uchar float x\n"),
    "no_opacity": replaced(b"opacity", b"opacitY"),
    "coefficients": replaced(b"f_rest_8", b"f_rest_9"),
    "degree": replaced(b"f_rest_8", b"other_88"),
    "no_numbers": lambda data: data[: data.index(b"end_header\n") + 11] + b"\xff" * COUNT * 104,
}
COMPRESSED = {
    "packed_count": replaced(b"vertex 300", b"vertex 999999999"),
    "packed_type": replaced(b"uint packed_scale", b"float packed_scale"),
    "chunks": replaced(b"chunk 2\n", b"chunk 1\n"),
    "no_chunks": replaced(b"element chunk", b"element chunc"),
    "range": replaced(b"float min_x", b"float min_w"),
    "sh_count": replaced(b"sh 300", b"sh 299"),
    "sh_type": replaced(b"uchar f_rest_8", b"char f_rest_8"),
    "sh_names": replaced(b"f_rest_8", b"f_rest_9"),
    "packed_cut": lambda data: data[:-1],
}
SPZ = {
    "spz_none": lambda: spz(count=0),
    "spz_count": lambda: spz(count=2**32 - 1),
    "spz_count_of_more": lambda: spz(count=COUNT + 1),
    "spz_degree": lambda: spz(degree=5),
    "spz_bits": lambda: spz(bits=255),
    "spz_version": lambda: spz(version=5),
    "spz_version_of_zero": lambda: spz(version=0),
    "spz_magic": lambda: spz(magic=1),
    "spz_of_4_in_gzip": lambda: spz(version=4),
    "spz_cut": lambda: spz()[:-20],
    "spz_broken": lambda: spz()[:25] + b"\xff" * 40,
    "spz_head": lambda: spz()[:4],
    "spz_bomb": lambda: spz(count=50_000_000, content=bytes(100 << 20)),
    "spz4_table": lambda: spz4(*honest_frames(), table=10),
    "spz4_table_at_end": lambda: spz4(*honest_frames(), table=2**32 - 1),
    "spz4_streams": lambda: spz4(*honest_frames(), streams=6),
    "spz4_no_streams": lambda: spz4([], [], streams=0),
    "spz4_raw": lambda: spz4([(20, 2**63)] * 5, honest_frames()[1]),
    "spz4_packed": lambda: spz4([(2**63, COUNT * size) for size in (9, 1, 3, 3, 4)], []),
    "spz4_count": lambda: spz4(*honest_frames(), count=2**32 - 1),
    "spz4_degree": lambda: spz4(*honest_frames(), degree=9),
    "spz4_short_frame": lambda: spz4(*honest_frames(zstandard.compress(bytes(7)))),
    "spz4_no_frame": lambda: spz4(*honest_frames(b"\xff" * 30)),
    "spz4_wide_window": lambda: spz4(*honest_frames(b"\x28\xb5\x2f\xfd\x00\xff" + bytes(40))),
    "spz4_head": lambda: spz4(*honest_frames())[:20],
}
SOG = {
    "sog_cut": lambda: sog()[:-30],
    "sog_no_meta": lambda: sog(without=("meta.json",)),
    "sog_no_image": lambda: sog(without=("q",)),
    "sog_version": lambda: sog({"version": 1}),
    "sog_count": lambda: sog({"count": 10**9}),
    "sog_count_of_more": lambda: sog({"count": 321}),
    "sog_none": lambda: sog({"count": 0}),
    "sog_true": lambda: sog({"count": True}),
    "sog_no_range": lambda: sog(
        {"means": {"mins": [0, 0], "maxs": [1, 1, 1], "files": ["l", "u"]}}
    ),
    "sog_no_files": lambda: sog({"quats": {"files": []}}),
    "sog_file_of_number": lambda: sog({"quats": {"files": [7]}}),
    "sog_short_table": lambda: sog({"sh0": {"codebook": [1.0], "files": ["c"]}}),
    "sog_table_of_texts": lambda: sog({"sh0": {"codebook": ["1"] * 256, "files": ["c"]}}),
    "sog_part": lambda: sog({"scales": 3}),
    "sog_list_of_bands": lambda: sog({"shN": {"bands": [1], "count": 10}}),
    "sog_bands": lambda: sog({"shN": {"bands": 9, "count": 10}}),
    "sog_palette": lambda: sog({"shN": {"bands": 1, "count": 10**9}}),
    "sog_labels": lambda: sog(files={"n": webp(20, 16, 255, 200)}),
    "sog_centroids": lambda: sog(files={"p": webp(64, 1)}),
    "sog_quaternions": lambda: sog(files={"q": webp(20, 16, 255 - 100)}),
    "sog_huge_image": lambda: sog(files={"l": webp(8000, 8000)}),
    "sog_broken_image": lambda: sog(files={"l": webp(20, 16)[:20]}),
    "sog_no_webp": lambda: sog(files={"l": b"GIF89a" + bytes(100)}),
    "sog_long_meta": lambda: sog({"more": "x" * (2 << 20)}),
    "sog_many_values": lambda: sog({"more": [0] * 30_000}),
    "sog_deep_meta": lambda: sog({"more": json.loads("[" * 500 + "]" * 500)}),
    "sog_many_files": lambda: sog(files={f"x{i}": b"" for i in range(200)}),
}
GLB = {
    "glb_cut": lambda data, path: data[:-40],
    "glb_version": lambda data, path: data[:4] + struct.pack("<I", 1) + data[8:],
    "glb_json": lambda data, path: data[:12] + struct.pack("<I", 2**32 - 1) + data[16:],
    "glb_no_json": lambda data, path: data[:20] + b"\xff" * (len(data) - 20),
    "glb_head": lambda data, path: data[:12],
    "glb_count": accessor("count", 2**40),
    "glb_count_of_more": accessor("count", COUNT + 1),
    "glb_count_of_less": accessor("count", COUNT - 1),
    "glb_true": accessor("count", True),
    "glb_offset": accessor("byteOffset", -4),
    "glb_type": accessor("componentType", 5125),
    "glb_list": accessor("componentType", [1]),
    "glb_width": accessor("type", "VEC3"),
    "glb_view": accessor("bufferView", 99),
    "glb_sparse": accessor("sparse", {}),
    "glb_whole": accessor("componentType", 5122),
    "glb_stride": glb_with(lambda content: content["bufferViews"][2].update(byteStride=0)),
    "glb_view_end": glb_with(lambda content: content["bufferViews"][2].update(byteLength=2**50)),
    "glb_circle": nodes([{"mesh": 0, "children": [0]}]),
    "glb_many_clouds": nodes([{"children": list(range(1, 900))}, *[{"mesh": 0}] * 900]),
    "glb_many_copies": lambda data, path: copies(path),
    "glb_many_nodes": nodes([{"children": [1] * 5000}, {}]),
    "glb_no_node": nodes([]),
    "glb_matrix": nodes([{"mesh": 0, "matrix": ["a"] * 16}]),
    "glb_flat": nodes([{"mesh": 0, "scale": [1, 1, 0]}]),
    "glb_far": nodes([{"mesh": 0, "scale": [1e300, 1e300, 1e300]}]),
    "glb_turn": nodes([{"mesh": 0, "rotation": [0, 0, 0, 0]}]),
    "glb_no_mesh": nodes([{"mesh": 4}]),
    "glb_no_attributes": primitive("attributes", {}),
    "glb_no_splats": primitive("extensions", {}),
    "glb_compressed": primitive(
        "extensions", {"KHR_gaussian_splatting": {"extensions": {"spz": {}}}}
    ),
}
OTHER = {
    "splat_empty.splat": b"",
    "splat_odd.splat": bytes(33),
    "splat_no_numbers.splat": b"\xff" * 320,
    "ply_empty.ply": b"",
    "ply_noise.ply": bytes(range(256)),
    "spz_empty.spz": b"",
    "sog_empty.sog": b"",
    "glb_empty.glb": b"",
}


@pytest.fixture(scope="module")
def outcomes(sound, tmp_path_factory):
    folder, files = tmp_path_factory.mktemp("lies"), {}
    files |= {f"{name}.ply": make(sound["a.ply"]) for name, make in PLY.items()}
    files |= {f"{name}.ply": make(sound["a.compressed.ply"]) for name, make in COMPRESSED.items()}
    files |= {f"{name}.spz": make() for name, make in SPZ.items()}
    files |= {f"{name}.sog": make() for name, make in SOG.items()}
    files |= {
        f"{name}.glb": make(sound["a.glb"], folder / "sound.glb") for name, make in GLB.items()
    }
    files |= OTHER
    for name, data in files.items():
        (folder / name).write_bytes(data)
    assert not set(files.values()) & set(sound.values())
    return each_opened([folder / name for name in files])


CASES = [*PLY, *COMPRESSED, *SPZ, *SOG, *GLB, *(name.split(".")[0] for name in OTHER)]


@pytest.mark.skipif(sys.platform != "linux", reason="measures memory by getrusage")
@pytest.mark.parametrize("name", CASES)
def test_a_lie_is_one_sentence_in_little_time_and_memory(outcomes, name):
    told = outcomes[name]
    assert told["outcome"] != "opened" and "\n" not in told["outcome"], told
    assert told["outcome"].endswith(".") and len(told["outcome"]) < 400
    assert told["seconds"] < SECONDS and told["megabytes"] < MEGABYTES, told


def test_no_more_is_unpacked_than_the_count_needs(tmp_path):
    files = {
        "gzip.spz": spz(content=bytes(400 << 20)),
        "zstd.spz": spz4(*honest_frames(bomb(400))),
    }
    for name, data in files.items():
        assert len(data) < 2 << 20
        (tmp_path / name).write_bytes(data)
    for told in each_opened([tmp_path / name for name in files]).values():
        assert told["outcome"] == "opened", told
        assert told["seconds"] < SECONDS and told["megabytes"] < MEGABYTES, told


@pytest.mark.parametrize(
    "name", ["a.ply", "a.compressed.ply", "v3.spz", "v4.spz", "a.splat", "a.glb", "a.sog"]
)
def test_damage_anywhere_ends_with_a_sentence_or_with_splats(sound, tmp_path, name):
    random = np.random.default_rng(4)
    for _ in range(150):
        data = bytearray(sound[name])
        for at in random.integers(0, min(len(data), 3000), size=random.integers(1, 6)):
            data[at] = random.integers(256)
        if random.random() < 0.3:
            del data[random.integers(len(data)) :]
        (tmp_path / name).write_bytes(data)
        try:
            splats = read_splats(tmp_path / name).splats
        except UserError as error:
            assert str(error).endswith(".")
        else:
            assert bool(splats.sh.isfinite().all()) and bool((splats.scales >= 0).all())


HUGE = 3 << 30
"""Bytes of a file with holes, which takes no room on the disk."""


@pytest.mark.parametrize(
    ("name", "start"),
    [
        ("a.spz", spz(count=COUNT, content=b"")),
        ("a.spz", spz(magic=7)),
        ("a.spz", spz(count=1 << 31)),
        ("a.spz", spz4([(0, COUNT * 9)], [b""])),
        ("a.spz", b"no splats"),
        ("a.glb", b"glTF" + struct.pack("<III4s", 2, HUGE, 8, b"JSON") + b'{"a": 1}'),
        ("a.glb", b"glTF" + struct.pack("<III4s", 2, HUGE, HUGE - 20, b"JSON")),
        ("a.glb", b"glTF" + struct.pack("<III4s", 1, HUGE, 8, b"JSON")),
        ("a.ply", b"ply\nformat binary_little_endian 1.0\n"),
        ("a.sog", b"PK\x03\x04"),
    ],
    ids=range(10),
)
def test_of_a_huge_file_no_more_is_read_than_shows_that_it_is_damaged(tmp_path, name, start):
    with (tmp_path / name).open("wb") as file:
        file.write(start)
        file.truncate(HUGE)
    tracemalloc.start()
    try:
        with pytest.raises(UserError):
            read_splats(tmp_path / name)
        assert tracemalloc.get_traced_memory()[1] < 32 << 20
    finally:
        tracemalloc.stop()


def test_what_follows_the_splats_of_an_spz_is_not_read(sound, tmp_path):
    for name in ("v3.spz", "v4.spz"):
        with (tmp_path / name).open("wb") as file:
            file.write(sound[name])
            file.truncate(HUGE)
        tracemalloc.start()
        splats = read_splats(tmp_path / name).splats
        assert tracemalloc.get_traced_memory()[1] < 32 << 20
        tracemalloc.stop()
        assert len(splats) == COUNT


def test_a_sound_file_of_each_format_opens(sound, tmp_path):
    for name, data in sound.items():
        (tmp_path / name).write_bytes(data)
        assert len(read_splats(tmp_path / name).splats) == COUNT


def test_a_pipe_and_a_missing_file_are_refused(tmp_path):
    os.mkfifo(tmp_path / "a.ply")
    for name in ("a.ply", "b.ply"):
        with pytest.raises(UserError):
            read_splats(tmp_path / name)
