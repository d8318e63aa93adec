"""Kinds of scenes: how they are told, and that all that is done with fields works in each."""

import json
import shutil
from dataclasses import replace

import numpy as np
import pytest
import torch
from ball_capture import wall_color
from capture_files import look_at, real_capture, ring
from short_teachers import run_convert, share_ball, share_field

from pvd_engine.data.capture import Camera, Capture, Frame, View
from pvd_engine.data.geometry.points import SparsePoints
from pvd_engine.data.geometry.scene import find_scene
from pvd_engine.data.images.downscale import view_on_white
from pvd_engine.data.readers import open_capture
from pvd_engine.errors import UserError
from pvd_engine.fields.storage import load_any_field, load_field
from pvd_engine.jobs.job import Job
from pvd_engine.measure.image_metrics import psnr
from pvd_engine.render.render import render_image
from pvd_engine.space.maps import make_map
from pvd_engine.space.rays import Rays
from pvd_engine.verbs import edit as apply
from pvd_engine.verbs import merge
from pvd_engine.verbs.edit import EditArguments
from pvd_engine.verbs.merge import MergeArguments
from pvd_engine.verbs.volume import VolumeArguments
from pvd_engine.verbs.volume import run as run_volume

BALL = {"sphere": {"center": [0, 0, 0], "radius": 0.62}}
ASIDE = [[1, 0, 0, 0.9], [0, 1, 0, 0], [0, 0, 1, 0], [0, 0, 0, 1]]


def capture_of(poses, has_alpha=False, **values):
    cameras = [Camera(pose, 40, 30, 40.0, 40.0, 20.0, 15.0) for pose in poses]
    views = [View(f"{i}", camera, "train", None) for i, camera in enumerate(cameras)]
    box = np.array([[-1.0] * 3, [1.0] * 3])
    return Capture("scene", None, "transforms", tuple(views), box, "", Frame(), has_alpha, **values)


def side_by_side(count=12, turn=0.0):
    """Poses that look along -x from places about (5, 0, 0), each turned aside a little."""
    places = [(5.0, 0.4 * (i % 4) - 0.6, 0.3 * (i // 4)) for i in range(count)]
    aside = [turn * (-1) ** i for i in range(count)]
    return [look_at(p, (p[0] - 10, p[1] + a, p[2])) for p, a in zip(places, aside, strict=True)]


def test_images_with_transparency_show_an_object():
    assert find_scene(capture_of(ring(8), has_alpha=True)).kind == "object"


def test_opaque_images_around_a_point_show_an_unbounded_scene():
    assert find_scene(capture_of(ring(8))).kind == "unbounded"


def test_a_file_that_bounds_everything_shows_an_object():
    assert find_scene(capture_of(ring(8), bounded=True)).kind == "object"


def test_cameras_that_look_the_same_way_show_a_forward_facing_scene():
    scene = find_scene(capture_of(side_by_side(), nearest=4.0))
    assert scene.kind == "forward_facing"
    assert scene.form["near"] == pytest.approx(3.0, rel=0.1)
    back = np.array(scene.form["reference"])[:3, 2]
    assert back == pytest.approx([1, 0, 0], abs=0.05)


def test_cameras_that_look_outwards_show_an_unbounded_scene():
    outwards = [look_at(-np.array(pose[:3, 3]) * 0.01, pose[:3, 3]) for pose in ring(8)]
    assert find_scene(capture_of(outwards)).kind == "unbounded"


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("nerf_synthetic_lego_200", "object"),
        ("fox_270x480", "unbounded"),
        ("llff_fern_504x378", "forward_facing"),
        ("colmap_toy", "unbounded"),
    ],
)
def test_kinds_of_real_captures(name, kind):
    assert find_scene(open_capture(real_capture(name))).kind == kind


def test_all_that_cameras_see_beyond_the_near_plane_is_in_a_forward_facing_map():
    capture = capture_of(side_by_side(turn=0.8), nearest=4.0)
    frame = make_map(find_scene(capture).form, torch.from_numpy(capture.box))
    for view in capture.views:
        pose = torch.from_numpy(view.camera.camera_to_world).float()
        corners = torch.tensor([[x, y, -1.0] for x in (-0.5, 0.5) for y in (-0.375, 0.375)])
        for depth in (4.0, 40.0, 4000.0):
            points = pose[:3, 3] + depth * corners @ pose[:3, :3].T
            assert frame.contains(points).all()


def test_near_plane_lies_before_the_sparse_points():
    depths = np.linspace(6.0, 60.0, 200)
    points = np.stack([5.0 - depths, np.zeros(200), np.zeros(200)], axis=-1)
    capture = capture_of(side_by_side(), points=SparsePoints(points, np.zeros((200, 3), np.uint8)))
    assert 3.0 < find_scene(capture).form["near"] < 6.0


def test_an_override_is_obeyed_and_one_that_cannot_be_is_refused():
    capture = capture_of(ring(8))
    assert find_scene(capture, "object").kind == "object"
    with pytest.raises(UserError, match="too many directions"):
        find_scene(capture, "forward_facing")
    lego = replace(capture, has_alpha=True)
    assert find_scene(lego, "unbounded").kind == "unbounded"


@pytest.fixture(scope="module")
def folder(shared, tmp_path_factory):
    """The ball before a wall that is far away, and two short teachers of it."""
    folder = tmp_path_factory.mktemp("wall")
    counts = (("train", 40), ("val", 1), ("test", 3))
    capture = share_ball(shared, counts=counts, wall=True)
    (folder / "ball").symlink_to(capture)
    for scene in ("auto", "object"):
        crop = (-0.8, -0.8, -0.8, 0.8, 0.8, 0.8)
        field = share_field(shared, capture, steps=120, scene=scene, crop=crop)
        shutil.copyfile(field, folder / f"{scene}.safetensors")
    return folder


def likeness(folder, name):
    """PSNR on the test views."""
    field = load_any_field(folder / name)
    views = open_capture(folder / "ball").split("test")
    values = [psnr(render_image(field, v.camera).over(1.0), view_on_white(v)) for v in views]
    return float(np.mean(values))


@torch.no_grad()
def wall_seen(field, count=64):
    """Mean error of the colours that rays find which leave the ball behind."""
    generator = torch.Generator().manual_seed(0)
    origins = torch.nn.functional.normalize(torch.randn((count, 3), generator=generator), dim=-1)
    directions = -origins
    result, _ = field.march(Rays(origins * 2.5, directions), torch.full((count,), 0.5))
    wanted = torch.from_numpy(wall_color(directions.double().numpy())).float()
    return float((result.color - wanted).abs().mean()), float(result.alpha.min())


def edited(folder, tmp_path, edits):
    (tmp_path / "edits.json").write_text(json.dumps(edits))
    arguments = EditArguments(
        field=folder / "auto.safetensors",
        edits=tmp_path / "edits.json",
        out=tmp_path / "edited.safetensors",
        device="cpu",
    )
    result = apply.run(arguments, Job(tmp_path / "job"))
    return load_field(tmp_path / "edited.safetensors"), result


def test_surroundings_are_learned_where_the_scene_is_unbounded(folder):
    assert load_field(folder / "auto.safetensors").space.kind == "unbounded"
    assert likeness(folder, "auto.safetensors") > 18
    assert likeness(folder, "auto.safetensors") > likeness(folder, "object.safetensors") + 5


def test_an_unbounded_teacher_teaches_its_surroundings_too(folder, tmp_path):
    run_convert(folder, tmp_path, "auto", to="vm", steps=40)
    assert load_field(tmp_path / "student.safetensors").space.kind == "unbounded"
    (tmp_path / "ball").symlink_to(folder / "ball")
    assert likeness(tmp_path, "student.safetensors") > likeness(folder, "auto.safetensors") - 3


def test_a_light_field_learns_the_surroundings_too(folder, tmp_path):
    result = run_convert(folder, tmp_path, "auto", to="light_field", steps=150)
    assert result["figures"]["psnr_to_source"]["psnr"] > 15


def test_what_is_erased_lets_the_surroundings_be_seen(folder, tmp_path):
    field, result = edited(folder, tmp_path, [{"op": "erase", "region": BALL}])
    error, alpha = wall_seen(field)
    assert error < 0.1
    assert alpha > 0.9
    assert 0 < result["removed_fraction"] < 0.5
    inside = 0.5 * torch.nn.functional.normalize(torch.randn((200, 3)), dim=-1)
    assert (field.log_density(inside) < -20).all()


def test_a_moved_part_leaves_the_surroundings_in_place(folder, tmp_path):
    move = {"op": "move", "region": BALL, "to": ASIDE}
    field, _ = edited(folder, tmp_path, [move])
    assert field.space.kind == "unbounded"
    error, alpha = wall_seen(field)
    assert error < 0.1
    assert alpha > 0.9
    base = load_field(folder / "auto.safetensors")
    points = 0.6 * torch.rand((500, 3)) - 0.3
    there = points + torch.tensor([0.9, 0.0, 0.0])
    dense = base.occupancy.contains(points) & (base.log_density(points) > 0)
    assert field.occupancy.contains(there)[dense].all()
    assert (field.log_density(there) >= base.log_density(points) - 1e-3)[dense].all()


def test_fields_merge_before_the_surroundings_of_the_one_that_stays(folder, tmp_path):
    arguments = MergeArguments(
        fields=(folder / "auto.safetensors", folder / "object.safetensors"),
        placements=tmp_path / "placements.json",
        out=tmp_path / "merged.safetensors",
        device="cpu",
    )
    rows = [np.eye(4).tolist(), [[0.5, 0, 0, 3], [0, 0.5, 0, 0], [0, 0, 0.5, 0], [0, 0, 0, 1]]]
    arguments.placements.write_text(json.dumps(rows))
    merge.run(arguments, Job(tmp_path / "job"))
    field = load_field(tmp_path / "merged.safetensors")
    assert field.space.kind == "unbounded"
    alone, _ = wall_seen(load_field(folder / "auto.safetensors"))
    assert wall_seen(field)[0] < alone + 0.05


def test_a_volume_covers_the_box_alone(folder, tmp_path):
    arguments = VolumeArguments(
        field=folder / "auto.safetensors",
        out=tmp_path / "volume.npz",
        resolution=24,
        device="cpu",
    )
    run_volume(arguments, Job(tmp_path / "job"))
    with np.load(tmp_path / "volume.npz") as volume:
        assert volume["box"] == pytest.approx(np.array([[-0.8] * 3, [0.8] * 3]), abs=0.07)
        inside = volume["density"][10:14, 10:14, 10:14]
    assert inside.max() > 0
