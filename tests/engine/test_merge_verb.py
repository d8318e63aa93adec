"""The verb merge: fields and placements in, one field out that other verbs take like any."""

import json

import numpy as np
import pytest
import torch
from ball_capture import RADIUS
from short_teachers import make_teachers, run_convert

from pvd_engine.data.capture import Camera
from pvd_engine.data.geometry.poses import PoseDistribution, look_at
from pvd_engine.edit.edited_field import EditedField
from pvd_engine.edit.merged_field import MergedField
from pvd_engine.edit.merged_viewpoints import merged_viewpoints
from pvd_engine.edit.placement import Placement
from pvd_engine.errors import UserError
from pvd_engine.fields.header import read_header
from pvd_engine.fields.storage import content_hash, load_field, save_field
from pvd_engine.jobs.arguments_json import from_json, to_json, with_absolute_paths
from pvd_engine.jobs.job import Job
from pvd_engine.measure.image_metrics import psnr
from pvd_engine.render.render import render_image
from pvd_engine.verbs import edit as apply
from pvd_engine.verbs import render as render_verb
from pvd_engine.verbs.edit import EditArguments
from pvd_engine.verbs.info import InfoArguments
from pvd_engine.verbs.info import run as run_info
from pvd_engine.verbs.merge import MergeArguments
from pvd_engine.verbs.merge import run as run_merge
from pvd_engine.verbs.render import RenderArguments

MOVED = [[0, -0.5, 0, 1.6], [0.5, 0, 0, 0], [0, 0, 0.5, 0], [0, 0, 0, 1]]
"""A quarter turn about z at half the size, next to the ball."""

STILL = np.eye(4).tolist()


@pytest.fixture(scope="module")
def folder(shared, tmp_path_factory):
    """The ball's capture, a field of it, and that field merged with a smaller one next to it."""
    folder = make_teachers(shared, tmp_path_factory.mktemp("merge"), ["hash"])
    (folder / "hash.safetensors").rename(folder / "ball.safetensors")
    (folder / "placements.json").write_text(json.dumps([STILL, MOVED]))
    merge(folder, folder / "two.safetensors", 2, folder / "placements.json")
    return folder


def merge(folder, out, count, placements=None):
    arguments = MergeArguments(
        fields=(folder / "ball.safetensors",) * count,
        placements=placements,
        out=out,
        device="cpu",
    )
    return run_merge(arguments, Job(out.parent / f"{out.stem}-job"))


def camera(position, target=(0, 0, 0)) -> Camera:
    pose = look_at(np.array(position, float), np.array(target, float), np.eye(3)[2])
    return Camera(pose, 40, 40, 70.0, 70.0, 20.0, 20.0)


def test_a_merged_file_names_its_parents_their_placements_and_its_viewpoints(folder):
    header = read_header(folder / "two.safetensors")
    provenance = header["provenance"]
    parent = {"file": "ball.safetensors", "hash": content_hash(folder / "ball.safetensors")}
    assert provenance["parents"] == [parent, parent]
    assert provenance["placements"] == header["placements"] == [STILL, MOVED]
    assert header["architecture"] == {"name": "merged", "parts": ["hash", "hash"]}
    poses = PoseDistribution.from_json(provenance["viewpoints"])
    assert poses.center == pytest.approx([0.8, 0, 0], abs=0.1)
    assert run_info(InfoArguments(path=folder / "two.safetensors"), Job(folder / "info"))["field"]


def test_each_part_looks_as_alone_to_a_camera_that_goes_with_it(folder):
    """Both balls at once, each against the picture of the field that it was."""
    merged, alone = load_field(folder / "two.safetensors"), load_field(folder / "ball.safetensors")
    assert isinstance(merged, MergedField)
    here = camera((0, -1.2, 0.4))
    matrix = np.array(MOVED)
    there_pose = matrix @ here.camera_to_world
    there_pose[:3, :3] /= 0.5
    there = Camera(there_pose, 40, 40, 70.0, 70.0, 20.0, 20.0)
    expected = render_image(alone, here)
    assert expected.alpha[20, 20] > 0.9
    middle = slice(10, 30)
    for view in (here, there):
        picture = render_image(merged, view).over(1.0)[middle, middle]
        assert psnr(picture, expected.over(1.0)[middle, middle]) > 35


def test_merging_one_field_is_that_field(folder, tmp_path):
    merge(folder, tmp_path / "one.safetensors", 1)
    one, alone = load_field(tmp_path / "one.safetensors"), load_field(folder / "ball.safetensors")
    # The merged box is cut to what is occupied, so samples of a ray begin elsewhere in it.
    one.step = alone.step = alone.step / 8
    view = camera((1.5, -1.5, 1))
    picture, expected = render_image(one, view), render_image(alone, view)
    assert psnr(picture.over(1.0), expected.over(1.0)) > 50


def test_a_merged_field_is_distilled_without_a_capture(folder, tmp_path):
    result = run_convert(folder, tmp_path, "two", capture=None, steps=120)
    assert 1 not in result["stages"]
    assert result["figures"]["psnr_to_source"]["psnr"] > 15
    student = load_field(tmp_path / "student.safetensors")
    assert student.box[1, 0] > 1.6 + RADIUS / 4


def test_a_merged_field_is_edited_and_its_pictures_written(folder, tmp_path):
    edits = [{"op": "erase", "region": {"sphere": {"center": [0, 0, 0], "radius": 1.3}}}]
    (tmp_path / "edits.json").write_text(json.dumps(edits))
    out = tmp_path / "edited.safetensors"
    arguments = EditArguments(
        field=folder / "two.safetensors", edits=tmp_path / "edits.json", out=out, device="cpu"
    )
    result = apply.run(arguments, Job(tmp_path / "edit"))
    assert 0.5 < result["removed_fraction"] < 1
    edited = load_field(out)
    assert isinstance(edited, EditedField) and isinstance(edited.base, MergedField)
    assert render_image(edited, camera((0, -2, 0))).alpha.max() < 0.1
    assert render_image(edited, camera((1.6, -2, 0), (1.6, 0, 0))).alpha.max() > 0.8
    pictures = RenderArguments(
        field=out, capture=folder / "ball", out=tmp_path / "pictures", device="cpu"
    )
    assert len(render_verb.run(pictures, Job(tmp_path / "render"))["images"]) == 2


def test_an_edit_that_moves_something_out_of_sight_widens_the_viewpoints(folder, tmp_path):
    entries = [
        {
            "op": "duplicate",
            "region": {"sphere": {"center": [0, 0, 0], "radius": 1}},
            "to": MOVED,
            "soft": 0.05,
        }
    ]
    (tmp_path / "edits.json").write_text(json.dumps(entries))
    out = tmp_path / "edited.safetensors"
    arguments = EditArguments(
        field=folder / "ball.safetensors", edits=tmp_path / "edits.json", out=out, device="cpu"
    )
    result = apply.run(arguments, Job(tmp_path / "edit"))
    (warning,) = result["warnings"]
    assert "takes all of its part out of the scene's box" in warning
    assert result["removed_fraction"] == 0
    provenance = read_header(out)["provenance"]
    assert provenance["edits"] == entries
    assert provenance["viewpoints"]["center"] == pytest.approx([0.8, 0, 0], abs=0.1)
    view = camera((0.8, -5, 1), (0.8, 0, 0))
    picture = render_image(load_field(out), view).over(1.0)
    expected = render_image(load_field(folder / "two.safetensors"), view).over(1.0)
    assert psnr(picture, expected) > 35


def test_viewpoints_of_a_merged_field_come_no_nearer_to_a_part_than_its_own_did():
    ring = [camera((3 * np.cos(a), 3 * np.sin(a), 1.5)) for a in np.arange(12) * np.pi / 6]
    poses = PoseDistribution.from_cameras(ring)
    places = [Placement.identity(), Placement(np.array(MOVED) + np.eye(4, k=3) * 3)]
    merged = merged_viewpoints([poses, poses], places)
    cameras = merged.sample(200, np.random.default_rng(1))
    origins = np.stack([view.camera_to_world[:3, 3] for view in cameras])
    for place in places:
        center = place.place(np.array([poses.center]))[0]
        nearest = np.linalg.norm(origins - center, axis=1).min()
        assert nearest > poses.distance[0] * place.scale * 0.999
        seen = 0
        for view in cameras:
            x, y, z, _ = np.linalg.inv(view.camera_to_world) @ (*center, 1)
            seen += z < 0 and abs(70 * x / z) < 20 and abs(70 * y / z) < 20
        assert seen > 100
    assert merged.azimuth == [0.0, 2 * np.pi]
    assert merged.elevation == pytest.approx([np.arcsin(1.5 / np.hypot(3, 1.5))] * 2, abs=1e-3)


WRONG = {
    "too few": ([STILL], "2"),
    "too many": ([STILL] * 3, "2"),
    "no list": ({"a": STILL}, "list"),
    "no matrix": ([STILL, [1, 2, 3]], "Placement 2"),
    "text": ([STILL, [["1", 0, 0, 0]] * 4], "Placement 2"),
    "NaN": ([[[float("nan")] * 4] * 4, STILL], "Placement 1"),
    "mirrored": ([STILL, np.diag((-1, 1, 1, 1)).tolist()], "mirrors"),
    "uneven": ([STILL, np.diag((1, 2, 1, 1)).tolist()], "unevenly"),
    "projective": ([STILL, [*STILL[:3], [0, 0, 1, 1]]], "last row"),
}


@pytest.mark.parametrize("case", WRONG)
def test_wrong_placements_are_refused_in_one_sentence_and_nothing_is_written(
    folder, tmp_path, case
):
    content, word = WRONG[case]
    (tmp_path / "p.json").write_text(json.dumps(content))
    with pytest.raises(UserError, match=word) as caught:
        merge(folder, tmp_path / "out.safetensors", 2, tmp_path / "p.json")
    assert str(caught.value).endswith(".") and "\n" not in str(caught.value)
    assert not (tmp_path / "out.safetensors").exists()


def test_parts_without_viewpoints_leave_the_question_to_the_capture(folder, tmp_path):
    field = load_field(folder / "ball.safetensors")
    for provenance in ({}, {"viewpoints": {"some": 1}}):
        field.header["provenance"] = provenance
        save_field(tmp_path / "ball.safetensors", field)
        merge(tmp_path, tmp_path / "two.safetensors", 2)
        assert "viewpoints" not in read_header(tmp_path / "two.safetensors")["provenance"]


def test_several_paths_travel_through_request_json(tmp_path):
    values = {"fields": ["a.safetensors", "b.safetensors"], "out": "m.safetensors"}
    arguments = from_json(MergeArguments, values, "request.json")
    absolute = with_absolute_paths(arguments, tmp_path)
    assert absolute.fields == (tmp_path / "a.safetensors", tmp_path / "b.safetensors")
    again = json.loads(json.dumps(to_json(absolute)))
    assert from_json(MergeArguments, again, "request.json") == absolute
    for wrong in ([], "a.safetensors", [1]):
        with pytest.raises(UserError, match="fields"):
            from_json(MergeArguments, {**values, "fields": wrong}, "request.json")


def test_a_merge_of_the_same_files_has_the_same_viewpoints():
    poses = PoseDistribution.from_cameras([camera((3, 0, 1)), camera((0, 3, 1))])
    torch.manual_seed(0)
    first = merged_viewpoints([poses], [Placement.identity()])
    torch.manual_seed(1)
    assert merged_viewpoints([poses], [Placement.identity()]) == first
