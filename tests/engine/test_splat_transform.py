"""Another program reads the splat files that are written here: splat-transform, by npm."""

import shutil
import subprocess

import pytest
import torch
from splat_clouds import ball_of_splats

from pvd_engine.exchange.splats.contract import SplatOptions
from pvd_engine.exchange.splats.splat_files import read_splats, write_splats

PACKAGE = "@playcanvas/splat-transform@3.7.0"

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(shutil.which("npm") is None, reason="npm is not here"),
]


@pytest.fixture(scope="module")
def splat_transform(tmp_path_factory):
    """The path of the program, installed for the tests of this file."""
    folder = tmp_path_factory.mktemp("npm")
    installed = subprocess.run(
        ["npm", "install", "--no-audit", "--no-fund", "--prefix", str(folder), PACKAGE],
        capture_output=True,
        text=True,
        timeout=200,
    )
    if installed.returncode:
        pytest.skip("npm cannot install splat-transform here")
    return folder / "node_modules" / ".bin" / "splat-transform"


@pytest.mark.parametrize(
    ("name", "most"),
    [
        ("a.ply", (0, 1e-6, 1e-6, 1e-6)),
        ("a.compressed.ply", (4e-4, 2e-2, 1e-2, 2e-2)),
        ("v3.spz", (1.3e-4, 0.1, 2e-3, 0.07)),
        ("v4.spz", (1.3e-4, 0.1, 2e-3, 0.07)),
        ("a.splat", (1e-6, 2e-2, 2e-3, None)),
    ],
)
def test_splat_transform_reads_what_is_written(splat_transform, tmp_path, name, most):
    splats = ball_of_splats(500, degree=3)
    splats.sh.mul_(0.5)  # an .spz holds coefficients up to 1
    # It takes an .spz to hold the axes of a .ply.
    options = SplatOptions(turn_axes=False, spz_version=4 if name == "v4.spz" else 3)
    write_splats(splats, tmp_path / name, options)
    out = tmp_path / "back.ply"
    subprocess.run([splat_transform, tmp_path / name, out], check=True, timeout=60)
    read = read_splats(out).splats
    distances, nearest = torch.cdist(splats.centers.double(), read.centers.double()).min(dim=1)
    assert len(read) == len(nearest.unique()) == 500
    found = read.chosen(nearest)
    size = splats.covariances().norm(dim=(1, 2))
    covariances = (found.covariances() - splats.covariances()).norm(dim=(1, 2)) / size
    centers, shapes, opacities, sh = most
    assert float(distances.mean()) <= centers
    assert float(covariances.mean()) <= shapes
    assert float((found.opacities - splats.opacities).abs().max()) <= opacities + 1e-7
    if sh is not None:
        assert float((found.sh - splats.sh).abs().max()) <= sh
