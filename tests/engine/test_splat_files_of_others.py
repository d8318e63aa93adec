"""Splat files that other programs wrote, with the values that those programs give."""

import numpy as np
import pytest
import torch
from splat_samples import REAL, TRAINED, colors, largest_error

from pvd_engine.errors import UserError
from pvd_engine.exchange.splats.contract import SplatOptions
from pvd_engine.exchange.splats.splat_files import read_splats, write_splats

pytestmark = pytest.mark.skipif(
    not (TRAINED.exists() and REAL.exists()), reason="the public splat files are not here"
)

AS_IS = SplatOptions(turn_axes=False)
PEER = TRAINED / "by_splat-transform_3.7.0"


@pytest.fixture(scope="module")
def trained():
    return read_splats(TRAINED / "point_cloud.ply").splats


def losses(splats, reference):
    """Return the mean errors of splats, each compared with the one at its centre."""
    distances, nearest = torch.cdist(reference.centers.double(), splats.centers.double()).min(1)
    assert len(nearest.unique()) == len(reference) == len(splats)
    found = splats.chosen(nearest)
    size = reference.covariances().norm(dim=(1, 2))
    return {
        "centers": float(distances.mean()),
        "covariances": float(
            ((found.covariances() - reference.covariances()).norm(dim=(1, 2)) / size).mean()
        ),
        "opacities": float((found.opacities - reference.opacities).abs().mean()),
        "sh 0": float((found.sh - reference.sh)[:, 0].abs().mean()),
        "sh": float((found.sh - reference.sh)[:, 1:].abs().mean()),
    }


def test_a_trained_ply_has_the_values_of_its_program(trained):
    truth = np.load(TRAINED / "gaussians.npz")
    some = trained.chosen(torch.tensor(truth["index"]))
    assert (len(trained), trained.degree) == (2500, 3)
    assert largest_error(some.centers, truth["xyz"]) == 0
    assert largest_error(some.scales.sort(1).values, np.sort(truth["sigma"], axis=1)) < 1e-6
    assert largest_error(some.opacities, truth["opacity"]) < 1e-6
    assert largest_error(some.covariances(), truth["covariance"]) < 1e-8
    seen = colors(some, truth["dir"])[np.arange(256), np.arange(256)]
    assert largest_error(seen, truth["rgb"]) < 1e-6


@pytest.mark.parametrize(
    ("name", "options", "most"),
    [
        ("lego.compressed.ply", None, (4e-4, 1e-3, 0.001, 0.0033, 0.0079)),
        ("lego.spz", AS_IS, (1.3e-4, 0.036, 0.001, 0.0066, 0.0195)),
        ("lego.sog", None, (3e-5, 0.0031, 0.002, 0.0034, 0.0019)),
        ("lego.glb", None, (0, 1e-6, 0, 0, 0)),
    ],
)
def test_the_same_cloud_in_other_formats_differs_by_their_steps(trained, name, options, most):
    found = losses(read_splats(PEER / name, options).splats, trained)
    assert all(found[key] <= limit for key, limit in zip(found, most, strict=True)), found


@pytest.mark.parametrize("name", ["lego.compressed.ply", "lego.spz", "lego.glb"])
def test_what_is_written_loses_no_more_than_what_the_other_program_wrote(tmp_path, trained, name):
    options = SplatOptions(turn_axes=name == "lego.glb", spz_version=4)
    write_splats(trained, tmp_path / name, options)
    ours = losses(read_splats(tmp_path / name, options).splats, trained)
    theirs = losses(read_splats(PEER / name, options).splats, trained)
    assert all(ours[key] <= 1.02 * theirs[key] + 1e-9 for key in ours), (ours, theirs)
    assert (tmp_path / name).stat().st_size <= 1.1 * (PEER / name).stat().st_size


@pytest.mark.parametrize(
    "name",
    [
        *("biker.compressed.ply", "biker.spz", "test.ply"),
        *("minimal-v2.spz", "minimal-v3.spz", "minimal-v4.spz"),
    ],
)
def test_public_files_have_the_values_that_their_programs_give(name):
    expected = np.load(REAL / f"{name}.expected.npz")
    splats = read_splats(REAL / name, AS_IS).splats
    some = splats.chosen(torch.arange(len(expected["xyz"])))
    assert len(splats) == expected["count"]
    assert largest_error(some.centers, expected["xyz"]) < 1e-6
    assert largest_error(some.sh[:, 0], expected["f_dc"]) < 1e-6
    if expected["f_rest"].size:
        assert largest_error(some.sh[:, 1:], expected["f_rest"]) < 1e-6
    assert largest_error(some.opacities, expected["alpha"]) < 1e-6
    assert largest_error(some.scales.log(), expected["ln_sigma"]) < 2e-6
    assert largest_error(some.covariances(), expected["covariance"]) < 1e-8
    assert largest_error(splats.centers.double().mean(0), expected["mean_xyz"]) < 1e-6
    assert largest_error(splats.scales.double().mean(0), expected["mean_sigma"]) < 1e-7
    assert largest_error(splats.opacities.double().mean(), expected["mean_alpha"]) < 1e-7


def test_one_capture_as_spz_and_as_ply_lands_in_one_place():
    spz, ply = (read_splats(REAL / name).splats for name in ("biker.spz", "biker.compressed.ply"))
    assert largest_error(spz.centers, ply.centers) <= 0.5 / 4096 * 1.01
    size = ply.covariances().norm(dim=(1, 2))
    error = (spz.covariances() - ply.covariances()).norm(dim=(1, 2)) / size
    assert float(error.median()) < 0.05


def test_a_minimal_splat_has_its_four_corners():
    splats = read_splats(REAL / "minimal.splat").splats
    corners = [[-1, 0, -1], [0, 0, -1], [-1, 0, 0], [0, 0, 0]]
    assert splats.centers.tolist() == corners
    assert largest_error(splats.scales, 0.1) < 1e-8
    assert largest_error(splats.opacities, 230 / 255) < 1e-7


def test_an_spz_without_its_compression_is_refused():
    with pytest.raises(UserError, match="version 2, without its compression"):
        read_splats(REAL / "minimal-raw.spz")


def test_a_format_that_is_not_read_names_what_converts_it():
    with pytest.raises(UserError, match="splat-transform"):
        read_splats(REAL / "minimal.ksplat")
