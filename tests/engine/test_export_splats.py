"""Fields are exported as splats, and files of splats as files of other formats."""

import numpy as np
import pytest
import torch
from splat_clouds import BOX, ball_field, ball_of_splats
from splat_samples import cloud, largest_error

from pvd_engine.data.geometry.poses import PoseDistribution
from pvd_engine.distill import splat_projection
from pvd_engine.errors import UserError
from pvd_engine.exchange.splats.contract import SplatOptions
from pvd_engine.exchange.splats.splat_files import read_splats, write_splats
from pvd_engine.fields.architectures import splat_field
from pvd_engine.fields.base import Renderable
from pvd_engine.fields.gaussians import GaussianField
from pvd_engine.fields.storage import load_field, save_field
from pvd_engine.jobs.job import Job
from pvd_engine.measure.image_metrics import psnr
from pvd_engine.render.render import render_image
from pvd_engine.space.space_map import BoxMap
from pvd_engine.verbs import export
from pvd_engine.verbs.export import ExportArguments

FORMATS = ("ply", "compressed.ply", "spz", "splat", "glb")
POSES = PoseDistribution(
    [0.0, 0.0, 0.0],
    0.05,
    [2.0, 2.5],
    [-1.2, 1.2],
    [0.0, 6.28],
    [0.0, 0.0, 1.0],
    {"width": 96, "height": 96, "fx": 100.0, "fy": 100.0, "cx": 48.0, "cy": 48.0},
)


@pytest.fixture
def job(tmp_path):
    return Job(tmp_path / "job")


def exported(job, path, to, **options):
    """The file that the verb writes, and the sentences that it says."""
    out = job.folder / f"out.{to}"
    told = export.run(ExportArguments(field=path, to=to, out=out, **options), job)
    assert told["size"] == out.stat().st_size
    return out, told


def saved(path, field, **provenance):
    field.header["provenance"] = provenance
    save_field(path, field)
    return path


@pytest.mark.parametrize("to", FORMATS)
def test_the_splats_of_a_cloud_are_written_as_they_are(tmp_path, job, to):
    field = ball_field(degree=3)
    out, told = exported(job, saved(tmp_path / "a.safetensors", field), to)
    write_splats(field.as_splats()[0], tmp_path / f"b.{to}")
    assert out.read_bytes() == (tmp_path / f"b.{to}").read_bytes()
    assert told["splats"] == 600


@pytest.mark.parametrize("to", ["spz", "glb"])
def test_formats_with_axes_lie_as_the_ply_does_or_hold_the_axes_as_they_are(tmp_path, job, to):
    path = saved(tmp_path / "a.safetensors", ball_field(degree=1))
    ply = read_splats(exported(job, path, "ply")[0]).splats
    for turn in (True, False):
        out, told = exported(job, path, to, turn_axes=turn)
        assert (
            largest_error(read_splats(out, SplatOptions(turn)).splats.centers, ply.centers) < 3e-4
        )
        as_it_is = read_splats(out, SplatOptions(turn_axes=False)).splats.centers
        assert (largest_error(as_it_is, ply.centers) < 3e-4) == (not turn)
        assert any("axes" in sentence or "negated" in sentence for sentence in told["warnings"])


def test_centres_are_written_in_the_dataset_frame_with_all_digits(tmp_path, job):
    origin = np.array([500_000.0, 4_000_000.0, 100.0])
    splats = ball_of_splats()
    field = splat_field(splats, BoxMap(BOX, origin), "small")
    out, told = exported(job, saved(tmp_path / "a.safetensors", field), "ply")
    expected = (splats.centers.double() + torch.from_numpy(origin)).float()
    assert torch.equal(read_splats(out).splats.centers, expected)
    assert any("steps of 0.25" in sentence for sentence in told["warnings"])


def test_what_a_file_does_not_say_of_the_drawing_is_told(tmp_path):
    plain = saved(tmp_path / "plain.safetensors", ball_field())
    made = saved(tmp_path / "made.safetensors", ball_field(antialiased=True, rules="gsplat"))
    for path, expected in ((plain, False), (made, True)):
        told = " ".join(exported(Job(tmp_path / path.stem), path, "ply")[1]["warnings"])
        assert ("drawn antialiased" in told) is ("rules of gsplat" in told) is expected
    told = exported(Job(tmp_path / "spz"), made, "spz")[1]["warnings"]
    assert "drawn antialiased" not in " ".join(told)


def test_an_spz_says_that_its_splats_are_for_antialiased_pictures(tmp_path, job):
    for on in (False, True):
        path = saved(tmp_path / "a.safetensors", ball_field(antialiased=on))
        assert read_splats(exported(job, path, "spz")[0]).antialiased is on


def test_a_field_without_splats_is_projected_and_shows_the_same(tmp_path, job, monkeypatch):
    monkeypatch.setattr(splat_projection, "FEWEST_RAYS", 24 * 64 * 64)
    monkeypatch.setattr(GaussianField, "as_splats", Renderable.as_splats)
    field = ball_field(count=3000, size=0.05, flat=0.2, smooth=True)
    path = saved(tmp_path / "a.safetensors", field, viewpoints=POSES.to_json())
    out, told = exported(job, path, "ply", splats=5000)
    splats = read_splats(out).splats
    assert 1000 < len(splats) <= 5000
    assert any("direct projection" in sentence for sentence in told["warnings"])
    projected = splat_field(splats, field.space, "small")
    camera = POSES.sample(1, np.random.default_rng(3))[0]
    shown = [render_image(one, camera).on_white() for one in (projected, load_field(path))]
    assert psnr(*shown) > 22


def test_a_field_without_viewpoints_asks_for_its_capture(tmp_path, job, monkeypatch):
    monkeypatch.setattr(GaussianField, "as_splats", Renderable.as_splats)
    path = saved(tmp_path / "a.safetensors", ball_field())
    with pytest.raises(UserError, match="--capture"):
        exported(job, path, "ply")


def test_all_splats_of_a_cloud_are_written_whatever_their_number_is_to_be(tmp_path, job):
    _, told = exported(job, saved(tmp_path / "a.safetensors", ball_field()), "ply", splats=10)
    assert told["splats"] == 600
    assert any("all 600" in sentence for sentence in told["warnings"])


@pytest.mark.parametrize("to", FORMATS)
def test_a_file_of_splats_becomes_one_of_another_format(tmp_path, job, to):
    splats = cloud(50, 2)
    write_splats(splats, tmp_path / "a.ply")
    out, told = exported(job, tmp_path / "a.ply", to)
    found = read_splats(out).splats.centers
    distances = torch.cdist(splats.centers.double(), found.double()).min(dim=1).values
    assert float(distances.max()) < 5e-3
    assert told["splats"] == 50


@pytest.mark.parametrize(
    ("to", "name"),
    [("ply", "a.spz"), ("ply", "a.compressed.ply"), ("compressed.ply", "a.ply"), ("onnx", "a.ply")],
)
def test_the_name_of_the_file_must_end_as_the_format_does(tmp_path, to, name):
    with pytest.raises(UserError, match=f"ends in .{to}"):
        ExportArguments(field=tmp_path / "a.safetensors", to=to, out=tmp_path / name)


def test_what_cannot_be_written_leaves_no_file(tmp_path, job):
    empty = ball_of_splats(count=1)
    empty.opacities[:] = 0
    path = saved(tmp_path / "a.safetensors", splat_field(empty, BoxMap(BOX), "small"))
    with pytest.raises(UserError, match="empty"):
        exported(job, path, "ply")
    assert not (job.folder / "out.ply").exists()
