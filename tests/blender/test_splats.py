"""Clouds of splats in numpy: transforms, spherical harmonics and the .ply, without Blender."""

import subprocess
import tracemalloc

import numpy as np
import pytest
from engine_run import printed
from splat_clouds import affine, cloud, directions, same_bits, turn

from pvd_blender.errors import ConvertFieldError
from pvd_blender.splats.axes import RIGHT_DOWN_FORWARD
from pvd_blender.splats.cloud import Splats, concatenated, transformed
from pvd_blender.splats.harmonics import spherical_harmonics, turned_coefficients
from pvd_blender.splats.ply import read_ply, write_ply
from pvd_blender.splats.ply_layout import header

TURNS = {
    "turn": turn(),
    "quarter": np.array([[0.0, -1, 0], [1, 0, 0], [0, 0, 1]]),
    "upright": RIGHT_DOWN_FORWARD[:3, :3],
    "mirror": np.diag([1.0, 1.0, -1.0]),
    "turned mirror": turn(3) @ np.diag([-1.0, 1.0, 1.0]),
}


# Spherical harmonics ----------------------------------------------------------------------------


@pytest.mark.parametrize("degree", range(5))
@pytest.mark.parametrize("name", TURNS)
def test_turned_harmonics_are_those_of_turned_directions(name, degree):
    sh, seen = cloud(20, degree).sh, directions()
    turned = turned_coefficients(sh, TURNS[name])
    # What is seen from d after the turn was seen from R^T d before it.
    before = np.einsum("dk,nkc->dnc", spherical_harmonics(seen @ TURNS[name], degree), sh)
    after = np.einsum("dk,nkc->dnc", spherical_harmonics(seen, degree), turned)
    assert np.abs(before - after).max() < 1e-5


def test_harmonics_are_orthonormal():
    points, weights = np.polynomial.legendre.leggauss(12)
    angles = np.arange(24) * np.pi / 12
    z, phi = np.meshgrid(points, angles, indexing="ij")
    r = np.sqrt(1 - z * z)
    seen = np.stack([r * np.cos(phi), r * np.sin(phi), z], axis=-1).reshape(-1, 3)
    area = np.repeat(weights * np.pi / 12, 24)
    basis = spherical_harmonics(seen, 4)
    assert np.abs(np.einsum("d,da,db->ab", area, basis, basis) - np.eye(25)).max() < 1e-12


# Transforms -------------------------------------------------------------------------------------


@pytest.mark.parametrize("scale", [1.0, 2.5e-3, 40.0])
@pytest.mark.parametrize("name", TURNS)
def test_moving_turning_mirroring_and_scaling_are_exact(name, scale):
    splats = cloud()
    linear = TURNS[name] * scale
    moved, notes = transformed(splats, affine(linear, (1, -2, 3)))
    assert notes == []
    assert np.allclose(moved.centers, splats.centers @ linear.T + [1, -2, 3], atol=1e-5 * scale)
    expected = linear @ splats.covariances() @ linear.T
    size = np.abs(expected).max(axis=(1, 2), keepdims=True)
    assert (np.abs(moved.covariances() - expected) / size).max() < 1e-5
    assert np.allclose(np.linalg.norm(moved.rotations, axis=1), 1, atol=1e-6)
    assert np.array_equal(moved.opacities, splats.opacities)
    assert np.array_equal(moved.sh, turned_coefficients(splats.sh, TURNS[name]))


@pytest.mark.parametrize(
    "linear", [np.diag([1.0, 2.0, 0.3]), np.array([[1.0, 0.7, 0], [0, 1, -0.4], [0.1, 0, 1]])]
)
def test_stretching_is_exact_for_the_gaussians_and_says_that_colours_are_not(linear):
    splats = cloud()
    stretched, notes = transformed(splats, affine(linear))
    expected = linear @ splats.covariances() @ linear.T
    size = np.abs(expected).max(axis=(1, 2), keepdims=True)
    assert (np.abs(stretched.covariances() - expected) / size).max() < 1e-5
    assert len(notes) == 1 and "colours" in notes[0]
    assert transformed(cloud(degree=0), affine(linear))[1] == []


def test_the_identity_changes_no_bit_and_what_flattens_is_refused():
    splats = cloud()
    assert same_bits(transformed(splats, np.eye(4))[0], splats)
    for linear in (np.diag([1.0, 1.0, 0.0]), np.full((3, 3), np.nan), np.eye(3) * 1e39):
        with pytest.raises(ConvertFieldError):
            transformed(splats, affine(linear))


def test_clouds_of_several_degrees_become_one_of_the_highest():
    first, second = cloud(5, 1), cloud(7, 3, seed=1)
    both = concatenated([first, second])
    assert len(both) == 12 and both.degree == 3
    assert np.array_equal(both.sh[:5, :4], first.sh) and not both.sh[:5, 4:].any()
    assert np.array_equal(both.sh[5:], second.sh)


# The .ply ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("degree", range(5))
def test_a_ply_comes_back_bit_by_bit(tmp_path, degree):
    write_ply(cloud(3000, degree), tmp_path / "a.ply")
    first, notes = read_ply(tmp_path / "a.ply")
    assert notes == [] and first.degree == degree
    write_ply(first, tmp_path / "b.ply")
    second, _ = read_ply(tmp_path / "b.ply")
    assert same_bits(first, second)
    exact = cloud(3000, degree)
    assert np.array_equal(first.centers, exact.centers) and np.array_equal(first.sh, exact.sh)
    assert np.abs(first.scales / exact.scales - 1).max() < 1e-6
    assert np.abs(first.opacities - exact.opacities).max() < 1e-6
    assert np.abs(first.rotations - exact.rotations).max() < 1e-6


def test_columns_of_other_types_and_names_are_read_by_name(tmp_path):
    splats = cloud(20, 1)
    write_ply(splats, tmp_path / "a.ply")
    plain, _ = read_ply(tmp_path / "a.ply")
    head, _, rows = (tmp_path / "a.ply").read_bytes().partition(b"end_header\n")
    names = [line.split()[2].decode() for line in head.splitlines() if line.startswith(b"property")]
    old = np.frombuffer(rows, [(name, "<f4") for name in names])
    new = np.zeros(20, [("red", "u1"), *((name, "<f8") for name in reversed(names))])
    for name in names:
        new[name] = old[name]
    lines = ["ply", "format binary_little_endian 1.0", "comment of another program"]
    lines += ["element vertex 20", "property uchar red"]
    lines += [f"property double {name}" for name in reversed(names)]
    lines += ["element face 0", "property list uchar int vertex_indices", "end_header"]
    text = "\r\n".join(lines).encode() + b"\r\n"
    (tmp_path / "b.ply").write_bytes(text + new.tobytes())
    assert same_bits(read_ply(tmp_path / "b.ply")[0], plain)


def test_opacities_and_scales_at_their_ends_come_back(tmp_path):
    splats = cloud(4, 0)
    splats.opacities[:] = 0, 1, 1e-30, 1 - 2.0**-24
    splats.scales[0] = 0, 1e-38, 1e38
    write_ply(splats, tmp_path / "a.ply")
    back, _ = read_ply(tmp_path / "a.ply")
    assert np.allclose(back.opacities, splats.opacities, rtol=1e-5, atol=0)
    assert np.allclose(back.scales, splats.scales, rtol=2e-5, atol=0)


def test_what_no_program_can_draw_is_left_out_and_counted(tmp_path):
    splats = cloud(10, 1)
    splats.centers[2, 1] = np.nan
    splats.rotations[5] = 0
    splats.sh[7, 1, 2] = np.inf
    with np.errstate(all="ignore"):
        write_ply(splats, tmp_path / "a.ply")
    back, notes = read_ply(tmp_path / "a.ply")
    assert len(back) == 7 and notes[0].startswith("3 of 10 splats were left out")


def test_the_engine_reads_the_same_splats(engine_python, tmp_path):
    """The engine's own reader, and its rules for turning, against those of numpy."""
    splats = cloud(50, 3)
    write_ply(splats, tmp_path / "a.ply")
    matrix = affine(turn(1) * 0.5, (1, 2, 3))
    program = (
        "import sys, numpy as np, torch\n"
        "from pathlib import Path\n"
        "from pvd_engine.exchange.splats.splat_files import read_splats\n"
        "from pvd_engine.fields.splats import transformed\n"
        "cloud = read_splats(Path(sys.argv[1])).splats\n"
        "matrix = torch.from_numpy(np.load(sys.argv[2]))\n"
        "moved, _ = transformed(cloud, matrix)\n"
        "np.savez(sys.argv[3], centers=moved.centers, covariances=moved.covariances(),\n"
        "         opacities=moved.opacities, sh=moved.sh)\n"
    )
    np.save(tmp_path / "matrix.npy", matrix)
    printed(engine_python, "-c", program, *(tmp_path / n for n in ("a.ply", "matrix.npy", "b.npz")))
    mine, _ = transformed(splats, matrix)
    with np.load(tmp_path / "b.npz") as theirs:
        assert np.allclose(mine.centers, theirs["centers"], atol=1e-6)
        assert np.allclose(mine.covariances(), theirs["covariances"], rtol=1e-4, atol=1e-9)
        assert np.allclose(mine.opacities, theirs["opacities"], atol=1e-6)
        assert np.allclose(mine.sh, theirs["sh"], atol=1e-5)


NAMES = [*"xyz", *(f"f_dc_{i}" for i in range(3)), "opacity"]
NAMES += [f"scale_{i}" for i in range(3)] + [f"rot_{i}" for i in range(4)]
ROW = np.zeros(len(NAMES), "<f4")
ROW[-4] = 1
HOSTILE = {
    "nothing": (b"", "complete .ply header"),
    "no end": (b"ply\nformat binary_little_endian 1.0\n", "complete .ply header"),
    "text": (b"ply\nformat ascii 1.0\nelement vertex 1\nend_header\n", "binary little-endian"),
    "a mesh": (header(1, ["x", "y", "z"]) + bytes(12), "holds no splats"),
    "a billion": (header(10**9, NAMES) + ROW.tobytes(), "shorter than its header"),
    "cut off": (header(2, NAMES) + ROW.tobytes(), "shorter than its header"),
    "none": (header(0, NAMES), "holds no splats"),
    "no whole degree": (header(1, [*NAMES, "f_rest_0"]) + bytes(200), "degree"),
    "twice": (header(1, [*NAMES, "x"]) + bytes(200), "damaged header"),
    "digits of others": (
        header(1, NAMES).replace(b"vertex 1", "vertex ²".encode("latin-1")) + ROW.tobytes(),
        "damaged header",
    ),
    "escape": (header(1, NAMES).replace(b"float x", b"flo\x1b[2J\xad x"), "damaged header"),
    "not finite": (header(1, NAMES) + np.full_like(ROW, np.nan).tobytes(), "no splat with finite"),
    "no rotation": (header(1, NAMES) + bytes(ROW.nbytes), "no splat with finite"),
    "compressed": (header(1, ["packed_position"]) + bytes(4), "compressed .ply"),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_a_broken_or_hostile_file_is_one_sentence(tmp_path, name):
    content, reason = HOSTILE[name]
    path = tmp_path / "a.ply"
    path.write_bytes(content)
    tracemalloc.start()
    try:
        with pytest.raises(ConvertFieldError, match=reason) as caught:
            read_ply(path)
        assert tracemalloc.get_traced_memory()[1] < 1_000_000
    finally:
        tracemalloc.stop()
    assert str(caught.value).isprintable()


def test_a_pipe_is_not_waited_for_and_a_missing_file_is_named(tmp_path):
    subprocess.run(["mkfifo", str(tmp_path / "pipe.ply")], check=True)
    for name in ("pipe.ply", "missing.ply"):
        with pytest.raises(ConvertFieldError, match=name):
            read_ply(tmp_path / name)


def test_a_file_is_written_whole_or_not_at_all(tmp_path):
    write_ply(cloud(3), tmp_path / "a.ply")
    before = (tmp_path / "a.ply").read_bytes()
    broken = cloud(3)
    object.__setattr__(broken, "sh", broken.sh[:2])
    with pytest.raises(ValueError):
        write_ply(broken, tmp_path / "a.ply")
    with pytest.raises(ConvertFieldError, match="cannot be written"):
        write_ply(cloud(3), tmp_path / "no folder" / "a.ply")
    assert (tmp_path / "a.ply").read_bytes() == before
    assert [path.name for path in tmp_path.iterdir()] == ["a.ply"]


def test_the_value_keeps_its_parts_in_order():
    splats = cloud(4, 2)
    some = splats.chosen(np.array([True, False, True, False]))
    assert isinstance(some, Splats) and len(some) == 2 and some.degree == 2
    assert np.array_equal(some.centers, splats.centers[[0, 2]])
