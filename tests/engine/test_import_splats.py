"""Files of splats become fields that render, convert and are exported like any other."""

import json

import numpy as np
import pytest
import torch
from capture_files import write_json
from engine_process import write_disc_capture
from short_teachers import run_convert
from splat_clouds import ball_of_splats
from splat_samples import REAL, TRAINED, cloud, largest_error
from tiny_fields import tiny_fields

from pvd_engine.data.capture import Camera
from pvd_engine.data.geometry.poses import PoseDistribution, look_at
from pvd_engine.data.readers import open_capture
from pvd_engine.errors import UserError
from pvd_engine.exchange.splats import cloud_scene
from pvd_engine.exchange.splats.contract import SplatOptions
from pvd_engine.exchange.splats.splat_files import read_splats, write_splats
from pvd_engine.fields.splats import Splats, concatenated
from pvd_engine.fields.storage import load_any_field, load_field
from pvd_engine.jobs.job import Job
from pvd_engine.measure.image_metrics import psnr
from pvd_engine.render.render import render_image
from pvd_engine.verbs import export, import_splats
from pvd_engine.verbs.export import ExportArguments
from pvd_engine.verbs.import_splats import ImportArguments

from_others = pytest.mark.skipif(
    not (TRAINED.exists() and REAL.exists()), reason="the public splat files are not here"
)


def imported(tmp_path, path, **options):
    """The field that the verb makes, and what it returns."""
    out = tmp_path / "field.safetensors"
    told = import_splats.run(
        ImportArguments(cloud=path, out=out, device="cpu", **options), Job(tmp_path / "job")
    )
    return load_field(out), told


def written(path, splats, options=None):
    write_splats(splats, path, options)
    return path


def moved(splats, shift):
    return Splats(
        (splats.centers.double() + torch.as_tensor(shift)).float(),
        splats.scales,
        splats.rotations,
        splats.opacities,
        splats.sh,
    )


def inria_cameras(count=12, distance=3.0):
    """Cameras around the origin, and the entries of INRIA's cameras.json for them."""
    cameras, entries = [], []
    for number in range(count):
        turn = 2 * np.pi * number / count
        origin = distance * np.array([np.cos(turn), np.sin(turn), 0.3])
        matrix = look_at(origin, np.zeros(3), np.array([0.0, 0.0, 1.0]))
        cameras.append(Camera(matrix, 64, 48, 60.0, 62.0, 32.0, 24.0))
        opencv = matrix[:3, :3] * [1, -1, -1]  # y down, z forward
        entries.append(
            {
                "id": number,
                "img_name": f"{number:05d}",
                "width": 64,
                "height": 48,
                "position": origin.tolist(),
                "rotation": opencv.tolist(),
                "fx": 60.0,
                "fy": 62.0,
            }
        )
    return cameras, entries


def viewpoints(field):
    return PoseDistribution.from_json(field.header["provenance"]["viewpoints"])


@pytest.mark.parametrize("target", ["hash", "vm", "light_field"])
def test_a_cloud_converts_without_a_capture_and_its_student_is_exported(
    tmp_path, monkeypatch, target
):
    monkeypatch.setattr(cloud_scene, "WIDTH", 64)
    monkeypatch.setattr(cloud_scene, "FOCAL", 76.8)
    splats = ball_of_splats(count=1000, size=0.08, flat=0.2, smooth=True)
    teacher, told = imported(tmp_path, written(tmp_path / "ball.ply", splats))
    assert any("No cameras" in sentence for sentence in told["warnings"])
    options = {"steps": 60, "ray_pool": 1 << 13} if target == "light_field" else {"steps": 40}
    run_convert(tmp_path, tmp_path, "field", to=target, capture=None, **options)
    student = load_any_field(tmp_path / "student.safetensors")
    camera = viewpoints(teacher).sample(1, np.random.default_rng(5))[0]
    shown, truth = (render_image(field, camera).on_white() for field in (student, teacher))
    assert psnr(shown, truth) > psnr(np.ones_like(truth), truth) + 6
    if target == "light_field":
        return
    out = tmp_path / "student.ply"
    arguments = ExportArguments(
        field=tmp_path / "student.safetensors", to="ply", out=out, device="cpu", splats=2000
    )
    with tiny_fields():
        assert export.run(arguments, Job(tmp_path / "export"))["splats"] > 500
    distance = read_splats(out).splats.centers.norm(dim=1)
    assert abs(float(distance.median()) - 0.6) < 0.1


@pytest.mark.parametrize("to", ["ply", "compressed.ply", "spz", "splat", "glb"])
def test_what_is_imported_is_exported_again(tmp_path, to):
    path = written(tmp_path / "a.ply", cloud(80, 1))
    field, _ = imported(tmp_path, path)
    out = tmp_path / f"b.{to}"
    arguments = ExportArguments(field=tmp_path / "field.safetensors", to=to, out=out, device="cpu")
    export.run(arguments, Job(tmp_path / "export"))
    again = written(tmp_path / f"c.{to}", read_splats(path).splats)
    if to == "ply":
        assert largest_error(read_splats(out).splats.centers, field.centers.detach()) == 0
    found, expected = (read_splats(one).splats for one in (out, again))
    assert largest_error(found.centers, expected.centers) < 1e-6
    assert largest_error(found.covariances(), expected.covariances()) < 2e-3
    assert largest_error(found.opacities, expected.opacities) <= 1.01 / 255


@pytest.mark.parametrize("suffix", [".spz", ".glb"])
def test_axes_of_a_format_are_turned_or_left(tmp_path, suffix):
    splats = ball_of_splats(50)
    path = written(tmp_path / f"a{suffix}", splats, SplatOptions(turn_axes=True))
    for turn in (True, False):
        field, _ = imported(tmp_path, path, turn_axes=turn)
        assert (largest_error(field.centers.detach(), splats.centers) < 2e-4) == turn


def test_rules_are_those_that_are_asked_for_or_that_the_file_states(tmp_path):
    path = written(tmp_path / "a.spz", ball_of_splats(50), SplatOptions(antialiased=True))
    field, _ = imported(tmp_path, path, rules="gsplat")
    assert field.header["architecture"]["rules"] == "gsplat"
    assert field.header["architecture"]["antialiased"] is True
    plain = written(tmp_path / "a.ply", ball_of_splats(50))
    assert imported(tmp_path, plain)[0].header["architecture"]["antialiased"] is False
    assert imported(tmp_path, plain, antialiased=True)[0].rules.antialiased


def test_an_objects_box_holds_it_without_what_strays(tmp_path):
    strays = ball_of_splats(5, radius=40.0)
    path = written(tmp_path / "a.ply", concatenated([ball_of_splats(2000), strays]))
    field, told = imported(tmp_path, path)
    assert told["scene"] == "object"
    assert (field.box[0] < -0.6).all() and (field.box[1] > 0.6).all()
    assert field.box.abs().max() < 1.5
    assert any("5 of 2005 splats lie outside" in sentence for sentence in told["warnings"])


def test_surroundings_make_a_scene_unbounded(tmp_path):
    around = ball_of_splats(400, radius=30.0, size=1.0)
    path = written(tmp_path / "a.ply", concatenated([ball_of_splats(2000), around]))
    field, told = imported(tmp_path, path)
    assert told["scene"] == "unbounded"
    assert field.space.contains(field.centers).all()


def test_cameras_cut_the_box_of_an_unbounded_cloud_to_what_they_look_at(tmp_path):
    around = ball_of_splats(1500, radius=30.0, size=1.0)
    path = written(tmp_path / "a.ply", concatenated([ball_of_splats(2000), around]))
    _, entries = inria_cameras()
    write_json(tmp_path / "cameras.json", entries)
    field, told = imported(tmp_path, path)
    assert told["scene"] == "unbounded"
    assert field.box.abs().max() < 5


def test_a_far_cloud_is_counted_from_an_origin_near_it(tmp_path):
    shift = np.array([4096.0, -65536.0, 128.0])
    splats = moved(ball_of_splats(300), shift)
    field, _ = imported(tmp_path, written(tmp_path / "a.ply", splats))
    assert np.abs(field.space.origin - shift).max() < 10
    out = tmp_path / "b.ply"
    arguments = ExportArguments(
        field=tmp_path / "field.safetensors", to="ply", out=out, device="cpu"
    )
    export.run(arguments, Job(tmp_path / "export"))
    assert torch.equal(read_splats(out).splats.centers, splats.centers)
    assert np.abs(np.array(viewpoints(field).center) - shift).max() < 1


def test_the_cameras_of_a_training_are_read_as_they_stand(tmp_path):
    cameras, entries = inria_cameras()
    write_json(tmp_path / "cams.json", entries)
    path = written(tmp_path / "a.ply", ball_of_splats(300))
    field, told = imported(tmp_path, path, cameras=tmp_path / "cams.json")
    expected, found = PoseDistribution.from_cameras(cameras), viewpoints(field)
    assert np.allclose(found.center, expected.center, atol=1e-9)
    assert np.allclose(found.distance, expected.distance) and found.camera == expected.camera
    assert not any("another frame" in sentence for sentence in told["warnings"])


@pytest.mark.parametrize("folder", [".", "point_cloud/iteration_30000"])
def test_cameras_in_the_folder_of_a_training_are_found_and_named(tmp_path, folder):
    _, entries = inria_cameras()
    (tmp_path / "model" / folder).mkdir(parents=True)
    write_json(tmp_path / "model" / "cameras.json", entries)
    path = written(tmp_path / "model" / folder / "point_cloud.ply", ball_of_splats(300))
    field, told = imported(tmp_path, path)
    assert any("12 cameras of" in sentence for sentence in told["warnings"])
    assert viewpoints(field).camera["fx"] == 60.0


def test_cameras_of_another_frame_are_noticed(tmp_path):
    _, entries = inria_cameras()
    write_json(tmp_path / "cameras.json", entries)
    path = written(tmp_path / "a.ply", moved(ball_of_splats(300), [0.0, 0.0, 20.0]))
    _, told = imported(tmp_path, path)
    assert any("another frame" in sentence for sentence in told["warnings"])


@pytest.mark.parametrize(
    "change",
    [
        {"rotation": [[1, 0, 0], [0, 1, 0]]},
        {"rotation": [[1, 0, 0], [0, 1, 0], [0, 0, -1]]},
        {"position": [0, 0, "x"]},
        {"position": None},
        {"fx": 0},
        {"width": -3},
        {"height": 1e9},
    ],
)
def test_a_wrong_camera_is_refused_and_one_that_was_found_is_left_out(tmp_path, change):
    _, entries = inria_cameras()
    write_json(tmp_path / "cameras.json", [entries[0], {**entries[1], **change}])
    path = written(tmp_path / "a.ply", ball_of_splats(300))
    with pytest.raises(UserError, match="camera 1"):
        imported(tmp_path, path, cameras=tmp_path / "cameras.json")
    _, told = imported(tmp_path, path)
    assert any("were not used" in sentence for sentence in told["warnings"])


def test_a_capture_gives_scene_and_viewpoints(tmp_path):
    capture = open_capture(write_disc_capture(tmp_path / "disc"))
    path = written(tmp_path / "a.ply", ball_of_splats(300))
    field, told = imported(tmp_path, path, capture=tmp_path / "disc")
    assert np.allclose(field.space.dataset_box(), capture.box, atol=1e-5)
    cameras = [view.camera for view in capture.split("train")]
    assert viewpoints(field) == PoseDistribution.from_cameras(cameras)
    assert told["scene"] == "object"


def test_a_capture_and_cameras_are_too_much(tmp_path):
    with pytest.raises(UserError, match="not both"):
        ImportArguments(
            cloud=tmp_path / "a.ply",
            out=tmp_path / "a.safetensors",
            capture=tmp_path,
            cameras=tmp_path,
        )


def test_clouds_without_size_and_clouds_beyond_all_bounds(tmp_path):
    one = ball_of_splats(1)
    field, _ = imported(tmp_path, written(tmp_path / "a.ply", one))
    assert field.space.contains(field.centers).all()
    with pytest.raises(UserError, match="scale them down"):
        imported(tmp_path, written(tmp_path / "b.ply", moved(one, [1e30, 0.0, 0.0])))


@from_others
def test_an_imported_cloud_renders_as_its_program_did(tmp_path):
    field, _ = imported(tmp_path, TRAINED / "point_cloud.ply")
    for entry in json.loads((TRAINED / "truth.json").read_text())["cameras"]:
        camera = Camera(
            np.array(entry["c2w_opengl"]),
            entry["w"],
            entry["h"],
            entry["fl"],
            entry["fl"],
            entry["cx"],
            entry["cy"],
        )
        truth = np.load(TRAINED / entry["floats"])["rgb"]
        assert largest_error(render_image(field, camera).on_white(), truth.clip(0, 1)) < 1e-4


@from_others
@pytest.mark.parametrize(
    "path",
    [
        *(REAL / f"minimal-v{version}.spz" for version in (2, 3, 4)),
        *(REAL / name for name in ("minimal.splat", "test.ply")),
        *(TRAINED / "by_splat-transform_3.7.0" / f"lego.{s}" for s in ("spz", "sog", "glb")),
        TRAINED / "by_splat-transform_3.7.0" / "lego.compressed.ply",
    ],
    ids=lambda path: path.name,
)
def test_files_of_others_become_fields_of_the_same_splats(tmp_path, path):
    field, told = imported(tmp_path, path)
    read = read_splats(path).splats
    splats, _ = field.as_splats()
    assert told["splats"] == len(read) and told["degree"] == read.degree
    origin = torch.from_numpy(field.space.origin)
    assert largest_error(splats.centers.double() + origin, read.centers) < 1e-6
    assert largest_error(splats.covariances(), read.covariances()) < 1e-6
    assert largest_error(splats.opacities, read.opacities) < 1e-6
    assert largest_error(splats.sh, read.sh) == 0


@from_others
def test_an_spz_without_its_compression_is_refused_and_nothing_is_written(tmp_path):
    with pytest.raises(UserError, match="without its compression"):
        imported(tmp_path, REAL / "minimal-raw.spz")
    assert not (tmp_path / "field.safetensors").exists()
