"""Films of fields, read back frame by frame and compared with single pictures."""

import json
import sys
from dataclasses import replace

import imageio.v3 as iio
import numpy as np
import pytest
import torch
from capture_files import frames, look_at, write_image, write_json
from engine_process import files_below
from short_teachers import share_ball, share_field
from splat_clouds import ball_field

from pvd_engine.data.formats.cameras_json import write_cameras
from pvd_engine.data.geometry.poses import PoseDistribution
from pvd_engine.data.readers import open_capture
from pvd_engine.errors import Cancelled, UserError
from pvd_engine.fields.architectures import architecture, light_field, make_field
from pvd_engine.fields.light_field import LightField, Reach, bordered_occupancy
from pvd_engine.fields.storage import load_field, save_field
from pvd_engine.files.films import write_film
from pvd_engine.files.images import load_image
from pvd_engine.jobs.job import Job
from pvd_engine.measure.image_metrics import psnr
from pvd_engine.space.maps import make_map
from pvd_engine.verbs.render import RenderArguments, run

LEAST_PSNR = 35.0
"""PSNR in dB of a frame of a film to the picture that was rendered, both averaged over 2 x 2
pixels: films keep colour at half the resolution."""

SIZE = ("--size", 32, 24)


@pytest.fixture(scope="module")
def ball(shared):
    return share_ball(shared)


@pytest.fixture(scope="module")
def field(shared, ball):
    return share_field(shared, ball, arch="hash", steps=140)


def read_film(path):
    """The frames of a film (N, H, W, 3) uint8, and its frames per second."""
    return iio.imread(path, plugin="FFMPEG"), iio.immeta(path, plugin="FFMPEG")["fps"]


def on(background, picture):
    """A picture with straight alpha on a colour, in [0, 1]."""
    rgba = picture.astype(np.float32) / 255
    return rgba[..., :3] * rgba[..., 3:] + np.array(background) * (1 - rgba[..., 3:])


def likeness(frame, expected):
    """PSNR in dB, see `LEAST_PSNR`."""

    def halved(picture):
        height, width, _ = picture.shape
        return picture.reshape(height // 2, 2, width // 2, 2, 3).mean(axis=(1, 3))

    return psnr(halved(frame / 255), halved(expected))


def told(result):
    assert result.returncode == 0, result.stderr
    return json.loads(result.stdout.splitlines()[-1])


def stopping_after(frames):
    """A kind of job that asks to stop once some frames were reported."""

    class Stopping(Job):
        def progress(self, **values):
            super().progress(**values)
            if values["step"] >= frames:
                self.cancel()

    return Stopping


@pytest.mark.parametrize("suffix", [".mp4", ".webm"])
def test_the_frames_of_a_film_are_the_pictures_that_are_rendered(
    run_here, field, ball, tmp_path, suffix
):
    views = ("--capture", ball, "--split", "train", "--size", 64, 48)
    film, background = tmp_path / f"film{suffix}", (0.1, 0.5, 0.9)
    made = told(
        run_here("render", field, *views, "--out", film, "--background", *background, "--json")
    )
    pictures = told(run_here("render", field, *views, "--out", tmp_path / "single", "--json"))
    shown, fps = read_film(film)
    assert (made["frames"], made["size"], fps) == (14, [64, 48], 24.0)
    assert made["seconds"] == pytest.approx(14 / 24)
    assert len(shown) == len(pictures["images"]) == 14
    for frame, name in zip(shown, pictures["images"], strict=True):
        expected = on(background, load_image(tmp_path / "single" / name))
        assert likeness(frame, expected) > LEAST_PSNR
        assert np.abs(frame[0, 0] / 255 - background).max() < 0.03


def test_an_orbit_takes_its_time_and_shows_the_ball_in_the_middle_of_each_frame(
    run_here, field, tmp_path
):
    film = tmp_path / "film.mp4"
    words = ("--orbit", "--seconds", 1.5, "--fps", 8, "--out", film, "--json")
    result = run_here("render", field, *words)
    assert "frame/s" in result.stderr and "left" in result.stderr
    made = told(result)
    shown, fps = read_film(film)
    assert (len(shown), fps, made["size"], made["warnings"]) == (12, 8.0, [40, 40], [])
    seen = (shown < 230).any(axis=-1)
    assert seen.any(axis=(1, 2)).all()
    y, x = np.nonzero(seen.any(axis=0))
    assert abs((x.min() + x.max()) / 2 - 19.5) < 3 and abs((y.min() + y.max()) / 2 - 19.5) < 3
    assert psnr(shown[0] / 255, shown[6] / 255) < psnr(shown[0] / 255, shown[1] / 255)


def test_an_orbit_as_pictures_keeps_their_alpha(run_here, field, tmp_path):
    words = ("--orbit", "--seconds", 0.25, "--fps", 8, "--out", tmp_path / "turn", "--json")
    made = told(run_here("render", field, *words))
    assert made["images"] == ["frame_0001.png", "frame_0002.png"]
    assert load_image(tmp_path / "turn" / "frame_0001.png")[0, 0, 3] == 0


def test_a_path_begins_and_ends_at_training_cameras(run_here, field, ball, tmp_path):
    film = tmp_path / "film.mp4"
    words = ("--path", "--capture", ball, "--seconds", 1, "--fps", 6, "--out", film, "--json")
    made = told(run_here("render", field, *words))
    assert made["frames"] == 6
    assert any("goes through 2 of 14 cameras" in one for one in made["warnings"])
    first = open_capture(ball).split("train")[0]
    cameras = write_cameras(tmp_path / "first.json", [replace(first, name="first")])
    run_here("render", field, "--cameras", cameras, "--out", tmp_path / "single")
    expected = on((1, 1, 1), load_image(tmp_path / "single" / "first.png"))
    assert likeness(read_film(film)[0][0], expected) > LEAST_PSNR


def test_a_film_goes_through_the_cameras_of_a_file(run_here, field, ball, tmp_path):
    views = [replace(view, name=view.name) for view in open_capture(ball).split("train")[:5]]
    cameras = write_cameras(tmp_path / "cameras.json", views)
    whole = told(
        run_here("render", field, "--cameras", cameras, "--out", tmp_path / "a.mp4", "--json")
    )
    words = ("--path", "--cameras", cameras, "--seconds", 3, "--fps", 4)
    smooth = told(run_here("render", field, *words, "--out", tmp_path / "b.mp4", "--json"))
    assert (whole["frames"], smooth["frames"]) == (5, 12)


def test_cameras_of_several_sizes_are_refused_unless_one_is_given(run_here, field, ball, tmp_path):
    first, second = open_capture(ball).split("train")[:2]
    second = replace(second, camera=replace(second.camera, width=60))
    cameras = write_cameras(tmp_path / "cameras.json", [first, second])
    words = ("render", field, "--cameras", cameras, "--out", tmp_path / "film.mp4")
    result = run_here(*words)
    assert result.returncode == 1 and "2 sizes" in result.stderr and "--size" in result.stderr
    assert not (tmp_path / "film.mp4").exists()
    assert told(run_here(*words, *SIZE, "--json"))["size"] == [32, 24]


def test_odd_sides_are_cut_and_this_is_told(run_here, field, tmp_path):
    film = tmp_path / "film.mp4"
    words = ("--orbit", "--seconds", 0.1, "--size", 33, 25, "--out", film, "--json")
    made = told(run_here("render", field, *words))
    assert made["size"] == [32, 24] and "32 x 24" in made["warnings"][0]
    assert read_film(film)[0].shape[1:] == (24, 32, 3)


def test_a_film_that_is_stopped_leaves_nothing_and_keeps_the_one_before(field, tmp_path):
    out = tmp_path / "films" / "film.mp4"
    arguments = RenderArguments(field=field, orbit=True, seconds=1, out=out, device="cpu")
    job = stopping_after(3)(tmp_path / "job")
    with pytest.raises(Cancelled):
        run(arguments, job)
    assert files_below(out.parent) == []
    out.write_bytes(b"the one before")
    with pytest.raises(Cancelled):
        run(arguments, stopping_after(3)(tmp_path / "job"))
    assert files_below(out.parent) == ["film.mp4"]
    assert out.read_bytes() == b"the one before"


def test_without_ffmpeg_a_film_is_one_sentence_before_any_work(run_here, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "imageio_ffmpeg", None)
    result = run_here("render", tmp_path / "none", "--orbit", "--out", tmp_path / "film.mp4")
    assert result.returncode == 1
    assert "pip install imageio-ffmpeg" in result.stderr and result.stderr.count("\n") == 1
    assert files_below(tmp_path) == []


@pytest.mark.skipif(sys.platform == "win32", reason="a program of two lines")
@pytest.mark.parametrize("words", ["exit 1", "cat > /dev/null; exit 1"])
def test_an_ffmpeg_that_fails_is_one_sentence_and_leaves_nothing(tmp_path, monkeypatch, words):
    program = tmp_path / "ffmpeg"
    program.write_text(f"#!/bin/sh\n{words}\n")
    program.chmod(0o755)
    monkeypatch.setenv("IMAGEIO_FFMPEG_EXE", str(program))
    pictures = (np.zeros((64, 64, 3), np.uint8) for _ in range(40))
    with pytest.raises(UserError, match="ffmpeg could not finish the film") as failure:
        write_film(tmp_path / "out" / "film.mp4", pictures, 24.0)
    assert "\n" not in str(failure.value)
    assert files_below(tmp_path / "out") == []


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--orbit", "--path", "--capture", "c"), "Give one of --orbit, --path and --cameras"),
        (("--orbit", "--cameras", "c"), "Give one of --orbit, --path and --cameras"),
        (("--path",), "either --capture or --cameras"),
        (("--orbit", "--out", "film.mov"), ".mp4 or .webm"),
        (("--orbit", "--out", "film.gif"), ".mp4 or .webm"),
        (("--orbit", "--format", "exr"), "--format is for single pictures"),
        (("--orbit", "--seconds", 0), "--seconds must be from"),
        (("--orbit", "--fps", 1000), "--fps must be from"),
        (("--orbit", "--size", 1, 40), "--size must be two numbers"),
        (("--orbit", "--size", 40000, 40), "--size must be two numbers"),
        (("--orbit", "--background", 0, 0, 2), "--background must be three numbers"),
    ],
)
def test_wrong_options_are_one_sentence(run_here, tmp_path, words, said):
    result = run_here("render", "f", "--out", "film.mp4", *words, cwd=tmp_path)
    assert result.returncode == 1 and said in result.stderr
    assert result.stderr.count("\n") == 1 and files_below(tmp_path) == []


def test_a_field_without_viewpoints_is_seen_as_a_whole_or_as_its_capture_is(
    run_here, field, ball, tmp_path
):
    bare = load_field(field)
    bare.header["provenance"] = {}
    path = tmp_path / "bare.safetensors"
    save_field(path, bare)
    film = tmp_path / "film.mp4"
    words = ("render", path, "--orbit", "--seconds", 0.1, "--out", film, "--json")
    made = told(run_here(*words))
    assert made["size"] == [800, 600] and "--capture names the cameras" in made["warnings"][0]
    seen = (read_film(film)[0][0] < 230).any(axis=-1)
    assert seen.any() and not seen[[0, -1]].any() and not seen[:, [0, -1]].any()
    made = told(run_here(*words, "--capture", ball))
    assert (made["size"], made["warnings"]) == ([40, 40], [])


def test_what_was_seen_from_one_side_is_swung_before_and_this_is_told(run_here, field, tmp_path):
    teacher = load_field(field)
    poses = PoseDistribution.from_json(teacher.header["provenance"]["viewpoints"])
    side = replace(poses, azimuth=[0.2, 1.2]).to_json()
    teacher.header["provenance"]["viewpoints"] = side
    save_field(tmp_path / "side.safetensors", teacher)
    words = ("--orbit", "--seconds", 0.1, *SIZE, "--out", tmp_path / "film.mp4", "--json")
    made = told(run_here("render", tmp_path / "side.safetensors", *words))
    assert "57 of 360 degrees" in made["warnings"][0]


def facing_capture(folder):
    """A capture whose cameras look the same way."""
    poses = [look_at((5.0, 0.4 * (i % 4) - 0.6, 0.3 * (i // 4)), (-5.0, 0, 0)) for i in range(12)]
    entries = frames(poses)
    for entry in entries:
        write_image(folder / entry["file_path"], (16, 12))
    write_json(folder / "transforms.json", {"fl_x": 16.0, "frames": entries})
    return folder


def test_a_scene_seen_from_one_side_has_a_spiral_and_no_orbit(run_here, tmp_path):
    capture = facing_capture(tmp_path / "facing")
    form = {"kind": "forward_facing", "reference": look_at((5.0, 0, 0), (0, 0, 0)).tolist()}
    space = make_map(
        form | {"tangents": [0.8, 0.8], "near": 1.0}, torch.tensor([[-3.0] * 3, [3.0] * 3])
    )
    torch.manual_seed(0)
    path = tmp_path / "facing.safetensors"
    save_field(path, make_field(architecture("hash", "small"), space))
    words = ("--capture", capture, "--seconds", 0.2, "--fps", 20)
    result = run_here("render", path, "--orbit", *words, "--out", tmp_path / "film.mp4")
    assert result.returncode == 1 and "use --path" in result.stderr
    made = told(
        run_here("render", path, "--path", *words, "--out", tmp_path / "film.mp4", "--json")
    )
    assert (made["frames"], made["size"], made["warnings"]) == (4, [16, 12], [])


def light(field, path):
    teacher = load_field(field)
    views = teacher.header["provenance"]["viewpoints"]
    spec = light_field("small", points=4, interval="occupied", skip_empty=True)
    spec["network"] = {"width": 16, "depth": 4}
    reach = Reach(0.5, 4.0, teacher.box.tolist(), views)
    student = LightField(spec, bordered_occupancy(teacher.occupancy), reach)
    student.header["provenance"] = {"viewpoints": views}
    save_field(path, student)


def splats(field, path):
    cloud = ball_field()
    cloud.header["provenance"] = load_field(field).header["provenance"]
    save_field(path, cloud)


@pytest.mark.parametrize("make", [light, splats, "edit", "merge"])
def test_every_kind_of_field_has_films(run_here, field, tmp_path, make):
    path = tmp_path / "made.safetensors"
    if make == "edit":
        region = {"sphere": {"center": [0, 0, 0], "radius": 0.2}}
        edits = write_json(tmp_path / "edits.json", [{"op": "erase", "region": region}])
        run_here("edit", field, "--edits", edits, "--out", path)
    elif make == "merge":
        placements = write_json(tmp_path / "placements.json", [np.eye(4).tolist()] * 2)
        run_here("merge", field, field, "--placements", placements, "--out", path)
    else:
        make(field, path)
    film = tmp_path / "film.mp4"
    words = ("--orbit", "--seconds", 0.2, "--fps", 10, *SIZE, "--out", film, "--json")
    made = told(run_here("render", path, *words))
    assert (made["frames"], made["outside"]) == (2, [])
    shown, _ = read_film(film)
    assert len(shown) == 2 and (make is light or shown.min() < 200)
