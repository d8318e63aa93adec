"""Splat files: what is written is what is read, to the step of each format."""

import numpy as np
import pytest
import torch
from splat_samples import cloud, glb_parts, largest_error

from pvd_engine.errors import UserError
from pvd_engine.exchange.splats.contract import SplatOptions
from pvd_engine.exchange.splats.glb_layout import glb_bytes
from pvd_engine.exchange.splats.splat_files import FORMATS, read_splats, write_splats
from pvd_engine.fields.splats import Splats, transformed

PARTS = ("centers", "scales", "rotations", "opacities", "sh")

STEPS = {
    # suffix: (file, options, highest degree, centers, relative scales, matrices, opacities, sh 0,
    # sh 1, sh above): half a step of each value, from the layouts. Chunks span at most 8 units.
    ".ply": (SplatOptions(), 4, 0, 1e-6, 1e-6, 1e-6, 0, 0, 0),
    ".glb": (SplatOptions(), 3, 0, 0, 1e-6, 0, 0, 0, 0),
    ".spz": (SplatOptions(), 4, 0.5 / 4096, 0.032, 5e-3, 0.00197, 0.0131, 1 / 32, 1 / 16),
    "v4.spz": (
        SplatOptions(spz_version=4),
        *(4, 0.5 / 4096, 0.032, 5e-3, 0.00197, 0.0131, 1 / 32, 1 / 16),
    ),
    ".compressed.ply": (SplatOptions(), 3, 4 / 1023, 0.004, 3e-3, 0.00197, 0.02, 1 / 64, 1 / 64),
    ".splat": (SplatOptions(), 0, 0, 0, 2e-2, 0.00197, 0.00696, 0, 0),
}


def same_bits(first, second):
    return all(torch.equal(getattr(first, part), getattr(second, part)) for part in PARTS)


def axes_of(splats):
    """Return the unit axes of splats with their scales, for clouds with one order of axes."""
    x, y, z = (splats.rotations[:, i] for i in (1, 2, 3))
    w = splats.rotations[:, 0]
    return torch.stack([1 - 2 * (y * y + z * z), 2 * (x * y + w * z), 2 * (x * z - w * y)], dim=1)


@pytest.mark.parametrize("count", [1, 300])
@pytest.mark.parametrize("degree", range(5))
@pytest.mark.parametrize("suffix", STEPS)
def test_every_value_comes_back_to_the_step_of_the_format(tmp_path, suffix, degree, count):
    options, highest, center, scale, axis, opacity, *bands = STEPS[suffix]
    splats = cloud(count, degree)
    notes = write_splats(splats, tmp_path / f"a{suffix}", options)
    back = read_splats(tmp_path / f"a{suffix}", options).splats
    if suffix == ".compressed.ply":  # it changes the order
        nearest = torch.cdist(splats.centers, back.centers).argmin(dim=1)
        back = back.chosen(nearest)
    assert len(back) == count and back.degree == min(degree, highest)
    cut = [note for note in notes if "was cut to that" in note]
    assert len(cut) == (degree > highest)
    assert largest_error(back.centers, splats.centers) <= center
    assert largest_error(back.scales / splats.scales, 1) <= scale
    assert largest_error(axes_of(back), axes_of(splats)) <= axis
    assert largest_error(back.opacities, splats.opacities) <= opacity
    inside = splats.sh.clamp(-1, 1) if suffix.endswith("spz") else splats.sh
    for band in range(back.degree + 1):
        rows = slice(band**2, (band + 1) ** 2)
        allowed = bands[min(band, 2)]
        assert largest_error(back.sh[:, rows], inside[:, rows]) <= allowed + 1 / 128 * (
            suffix.endswith("spz") and band > 0
        )


@pytest.mark.parametrize("suffix", [".ply", ".glb"])
def test_what_came_from_a_file_has_the_same_bits_again(tmp_path, suffix):
    splats = cloud(20_000, 3)
    splats.opacities[:2] = torch.tensor([0.0, 1.0])
    splats.scales[0] = 0
    write_splats(splats, tmp_path / f"a{suffix}")
    first = read_splats(tmp_path / f"a{suffix}").splats
    write_splats(first, tmp_path / f"b{suffix}")
    assert same_bits(read_splats(tmp_path / f"b{suffix}").splats, first)
    assert torch.equal(first.opacities[:2], splats.opacities[:2]) and not first.scales[0].any()


@pytest.mark.parametrize("suffix", [".spz", ".splat"])
def test_values_on_the_steps_of_a_format_stay(tmp_path, suffix):
    write_splats(cloud(700, 3), tmp_path / f"a{suffix}")
    first = read_splats(tmp_path / f"a{suffix}").splats
    write_splats(first, tmp_path / f"b{suffix}")
    second = read_splats(tmp_path / f"b{suffix}").splats
    for part in ("centers", "scales", "opacities", "sh"):
        assert torch.equal(getattr(second, part), getattr(first, part))


@pytest.mark.parametrize(("suffix", "signs"), [(".spz", (1, -1, -1)), (".glb", (-1, -1, 1))])
def test_axes_are_turned_unless_asked_not_to(tmp_path, suffix, signs):
    splats, as_is = cloud(100, 3), SplatOptions(turn_axes=False)
    notes = write_splats(splats, tmp_path / f"a{suffix}")
    raw, turned = (read_splats(tmp_path / f"a{suffix}", options) for options in (as_is, None))
    matrix = torch.diag(torch.tensor([*signs, 1], dtype=torch.float64))
    expected, _ = transformed(raw.splats, matrix)
    assert torch.equal(turned.splats.centers, expected.centers)
    assert torch.equal(turned.splats.sh, expected.sh)
    assert largest_error(turned.splats.covariances(), expected.covariances()) < 1e-7
    assert largest_error(raw.splats.centers, splats.centers * torch.tensor(signs)) < 2e-4
    assert largest_error(turned.splats.centers, splats.centers) < 2e-4
    assert "negated" in notes[0] and "negated" in turned.notes[0]
    assert "as they are" in raw.notes[0]
    notes = write_splats(splats, tmp_path / f"b{suffix}", as_is)
    again = read_splats(tmp_path / f"b{suffix}", as_is).splats
    assert "as they are" in notes[0]
    assert largest_error(again.centers, splats.centers) < 2e-4


@pytest.mark.parametrize("version", [3, 4])
def test_an_spz_carries_that_its_splats_are_antialiased(tmp_path, version):
    for antialiased in (False, True):
        options = SplatOptions(antialiased=antialiased, spz_version=version)
        write_splats(cloud(10, 1), tmp_path / "a.spz", options)
        assert read_splats(tmp_path / "a.spz").antialiased is antialiased


def test_a_large_scene_takes_bits_from_the_step_of_an_spz(tmp_path):
    splats = cloud(10, 0)
    splats.centers[0, 0] = 50_000
    notes = write_splats(splats, tmp_path / "a.spz")
    back = read_splats(tmp_path / "a.spz").splats
    assert "0.0078" in notes[-1]
    assert 1e-4 < largest_error(back.centers, splats.centers) <= 0.5 / 128
    splats.centers[0, 0] = 1e7
    with pytest.raises(UserError, match="scale them down"):
        write_splats(splats, tmp_path / "b.spz")


def test_what_a_format_cannot_hold_is_counted(tmp_path):
    splats = cloud(10, 1)
    splats.scales[:3] = 1e-7
    splats.sh[:2, 0] = 9
    splats.sh[:4, 1] = -3
    notes = " ".join(write_splats(splats, tmp_path / "a.spz"))
    assert "9 of 30 logarithms of scales" in notes
    assert "6 of 30 colours" in notes and "12 of 90 coefficients" in notes
    back = read_splats(tmp_path / "a.spz").splats
    assert largest_error(back.scales[:3].log(), -10) < 1e-6
    assert largest_error(back.sh[:4, 1], -1) <= 1 / 128
    assert "6 of 30 colours" in " ".join(write_splats(splats, tmp_path / "a.splat"))


def test_a_ply_is_read_by_the_names_of_its_properties(tmp_path):
    splats = cloud(30, 1)
    write_splats(splats, tmp_path / "a.ply")
    stated, body = (tmp_path / "a.ply").read_bytes().split(b"end_header\n", 1)
    names = [line.split()[2] for line in stated.decode().splitlines() if "property" in line]
    values = np.frombuffer(body, "<f4").reshape(30, len(names)).astype("<f8")
    order = np.random.default_rng(3).permutation(len(names))
    lines = [f"property double {names[i]}" for i in order]
    head = ["ply", "format binary_little_endian 1.0", "comment a b", "element vertex 30"]
    head += ["property uchar red", *lines, "element face 0", "property list uchar int v"]
    rows = b"".join(b"\7" + row.tobytes() for row in values[:, order])
    (tmp_path / "b.ply").write_bytes("\r\n".join([*head, "end_header", ""]).encode() + rows)
    assert same_bits(*(read_splats(tmp_path / name).splats for name in ("a.ply", "b.ply")))


def test_quaternions_of_any_length_become_unit(tmp_path):
    splats = cloud(30, 0)
    longer = Splats(
        splats.centers, splats.scales, splats.rotations * 7, splats.opacities, splats.sh
    )
    write_splats(longer, tmp_path / "a.ply")
    assert largest_error(read_splats(tmp_path / "a.ply").splats.rotations, splats.rotations) < 1e-6


def test_nodes_of_a_glb_place_its_splats(tmp_path):
    splats = cloud(30, 2)
    write_splats(splats, tmp_path / "a.glb", SplatOptions(turn_axes=False))
    content, binary = glb_parts(tmp_path / "a.glb")
    half = 0.5**0.5
    nodes = [
        {"children": [1, 2], "translation": [1, 2, 3]},
        {"mesh": 0, "rotation": [0, 0, half, half], "scale": [2, 2, 2]},
        {"mesh": 0, "matrix": [*(1, 0, 0, 0), *(0, 1, 0, 0), *(0, 0, 1, 0), *(5, 0, 0, 1)]},
    ]
    (tmp_path / "b.glb").write_bytes(glb_bytes({**content, "nodes": nodes}, binary))
    placed = read_splats(tmp_path / "b.glb", SplatOptions(turn_axes=False)).splats
    x, y, z = splats.centers.T
    turned = torch.stack([1 - 2 * y, 2 + 2 * x, 3 + 2 * z], dim=1)
    moved = splats.centers + torch.tensor([6.0, 2.0, 3.0])
    both = {(round(float(a), 3), round(float(b), 3)) for a, b, _ in [*turned, *moved]}
    assert {(round(float(a), 3), round(float(b), 3)) for a, b, _ in placed.centers} == both


def test_a_file_is_recognised_by_its_content(tmp_path):
    splats = cloud(5, 1)
    for kind in FORMATS:
        if kind.write is None or not kind.signatures:
            continue
        kind.write(splats, tmp_path / "a", SplatOptions())
        (tmp_path / "a").rename(tmp_path / "a.dat")
        assert len(read_splats(tmp_path / "a.dat").splats) == 5


def test_a_splat_that_starts_like_another_format_is_read(tmp_path):
    splats = cloud(1, 0)
    splats.centers[0, 0] = float(np.frombuffer(b"\x1f\x8b\x00\x40", "<f4")[0])
    write_splats(splats, tmp_path / "a.splat")
    assert (tmp_path / "a.splat").read_bytes().startswith(b"\x1f\x8b")
    assert torch.equal(read_splats(tmp_path / "a.splat").splats.centers, splats.centers)


@pytest.mark.parametrize("name", ["a.ksplat", "a.sog", "a", "ply"])
def test_a_format_that_is_not_written_is_refused(tmp_path, name):
    with pytest.raises(UserError, match="end its name with one of"):
        write_splats(cloud(1, 0), tmp_path / name)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("suffix", [kind.suffix for kind in FORMATS if kind.write])
@pytest.mark.parametrize(
    ("part", "value"), [("sh", float("nan")), ("scales", -1.0), ("opacities", 1.5), ("none", 0)]
)
def test_nothing_is_written_of_splats_that_cannot_be_drawn(tmp_path, suffix, part, value):
    splats = cloud(0 if part == "none" else 5, 0)
    if part != "none":
        getattr(splats, part)[3] = value
    with pytest.raises(UserError):
        write_splats(splats, tmp_path / f"a{suffix}")
    assert list(tmp_path.iterdir()) == []


def test_splats_without_numbers_are_left_out_and_counted(tmp_path):
    splats = cloud(8, 1)
    write_splats(splats, tmp_path / "a.ply")
    head, body = (tmp_path / "a.ply").read_bytes().split(b"end_header\n", 1)
    values = np.frombuffer(body, "<f4").reshape(8, -1).copy()
    values[0, 0], values[1, 6], values[2, -5], values[3, -4:] = np.nan, np.inf, 1e4, 0
    (tmp_path / "a.ply").write_bytes(head + b"end_header\n" + values.tobytes())
    found = read_splats(tmp_path / "a.ply")
    assert torch.equal(found.splats.centers, splats.centers[4:])
    assert found.notes[1].startswith("4 of 8 splats were left out")
