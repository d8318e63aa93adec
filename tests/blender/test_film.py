"""Cameras that move, and films that a real engine renders through them."""

import json
import math
import subprocess

import bpy
import numpy as np
import pytest
from in_window import in_a_window

OPERATORS = bpy.ops.convert_field


@pytest.fixture
def frame(api, capture):
    return api.import_capture(capture)


def at(number):
    """The evaluated camera of the scene at a frame: its matrix in the world."""
    bpy.context.scene.frame_set(number)
    depsgraph = bpy.context.evaluated_depsgraph_get()
    return np.array(bpy.context.scene.camera.evaluated_get(depsgraph).matrix_world)


def poses(step=1):
    scene = bpy.context.scene
    return np.stack([at(n) for n in range(scene.frame_start, scene.frame_end + 1, step)])


def passes(matrix, point):
    """The distance by which a camera's axis passes a point."""
    return np.linalg.norm(np.cross(matrix[:3, 2], point - matrix[:3, 3]))


def why_not(name):
    from pvd_blender.ui import operators

    cls = next(cls for cls in operators.CLASSES if cls.bl_idname == f"convert_field.{name}")
    return cls.why_not(bpy.context)


# Turntable --------------------------------------------------------------------------------------


def test_a_turntable_turns_evenly_once_around_the_middle(api, frame):
    scene = bpy.context.scene
    scene.render.fps = 10
    camera = api.turntable(frame, seconds=2)
    assert (scene.frame_start, scene.frame_end, scene.camera) == (1, 20, camera)
    matrices = np.concatenate([poses(), at(21)[None]])
    away = matrices[:, :3, 3]
    assert np.allclose(np.linalg.norm(away, axis=1), 4.0, atol=1e-3)
    assert np.allclose(away[:, 2], away[0, 2], atol=1e-4)
    turns = np.diff(np.unwrap(np.arctan2(away[:, 1], away[:, 0])))
    assert np.allclose(turns, 2 * math.pi / 20, atol=1e-4)
    assert np.allclose(matrices[-1], matrices[0], atol=1e-4)
    for matrix in matrices:
        assert passes(matrix, np.zeros(3)) < 1e-4
        assert matrix[:3, 2] @ away[0] / 4 > -1 and abs(matrix[2, 0]) < 1e-5


def test_a_turntable_stands_where_it_is_told_to(api, frame):
    api.turntable(frame, seconds=1, distance=6.0, elevation=math.radians(30))
    place = at(1)[:3, 3]
    assert np.linalg.norm(place) == pytest.approx(6.0, abs=1e-4)
    assert place[2] == pytest.approx(3.0, abs=1e-4)


def test_a_turntable_moves_with_the_capture(api, frame):
    frame.location, frame.scale = (5.0, 1.0, 0.0), (2.0, 2.0, 2.0)
    api.turntable(frame, seconds=1)
    matrix = at(7)
    assert np.linalg.norm(matrix[:3, 3] - (5.0, 1.0, 0.0)) == pytest.approx(8.0, abs=1e-2)
    assert passes(matrix / [2, 2, 2, 1], np.array([5.0, 1.0, 0.0])) < 1e-3


def test_a_turntable_of_a_field_takes_its_viewpoints(api, trained, teacher):
    from pvd_blender.state.field_file import field_viewpoints

    seen = field_viewpoints(teacher)
    assert seen.distance == pytest.approx(4.0, abs=0.1) and seen.all_round
    api.turntable(trained, seconds=1)
    assert np.linalg.norm(at(1)[:3, 3] - seen.center) == pytest.approx(seen.distance, abs=1e-3)


@pytest.mark.parametrize(
    "spoil",
    [
        {"up": [0, 0, 0]},
        {"distance": [-1, 0]},
        {"center": "here"},
        {"azimuth": [0]},
        {"camera": {"width": 1e9}},
        {"camera": 7},
    ],
)
def test_viewpoints_of_strangers_are_one_sentence(api, tmp_path, spoil):
    from pvd_blender.state.field_file import field_viewpoints

    path = tmp_path / "stranger.safetensors"
    lens = {"width": 40, "height": 40, "fx": 50.0, "fy": 50.0, "cx": 20.0, "cy": 20.0}
    seen = {"center": [0, 0, 0], "distance": [3, 4], "elevation": [0, 1], "azimuth": [0, 6]}
    seen |= {"up": [0, 0, 1], "camera": lens, "spread": 0.1}

    def written(values):
        header = {"kind": "radiance_field", "provenance": {"viewpoints": values}}
        text = json.dumps({"__metadata__": {"pvd_field": json.dumps(header)}}).encode()
        path.write_bytes(len(text).to_bytes(8, "little") + text)
        return path

    assert field_viewpoints(written(seen)).distance == 3.5
    with pytest.raises(api.ConvertFieldError, match="viewpoints"):
        field_viewpoints(written(seen | spoil))


def test_a_turntable_without_cameras_shows_the_whole_box(api, frame):
    for item in [item for item in frame.children if item.type == "CAMERA"]:
        bpy.data.objects.remove(item)
    camera = api.turntable(frame, seconds=1)
    box = np.array(frame["pvd_box"]).reshape(2, 3)
    matrix, lens = np.linalg.inv(at(4)), math.tan(camera.data.angle_x / 2)
    for corner in np.stack(np.meshgrid(*box.T), axis=-1).reshape(-1, 3):
        x, y, z = (matrix @ [*corner, 1])[:3]
        assert z < 0 and max(abs(x) / lens, abs(y) / lens * 16 / 9) < -z


def test_what_was_seen_from_one_side_is_swung_before(api, frame, monkeypatch):
    from dataclasses import replace

    from pvd_blender.api import film

    seen = replace(film.viewpoints_of(frame), azimuth=(1.0, 2.0))
    monkeypatch.setattr(film, "viewpoints_of", lambda _frame: seen)
    bpy.context.scene.render.fps = 10
    api.turntable(frame, seconds=2)
    away = np.concatenate([poses(), at(21)[None]])[:, :3, 3]
    angles = np.arctan2(away[:, 1], away[:, 0])  # 90 degrees less: azimuth 0 is in front
    assert np.ptp(angles) == pytest.approx(1.0, abs=1e-3)
    assert angles[0] == pytest.approx(angles[20], abs=1e-4)
    assert abs(angles[1] - angles[0]) < 0.05


def test_a_new_camera_shows_all_that_those_of_the_capture_show(api, frame):
    render = bpy.context.scene.render
    render.resolution_x, render.resolution_y = 200, 100
    camera = api.turntable(frame, seconds=1)
    height = 2 * math.atan(math.tan(camera.data.angle_x / 2) / 2)
    assert height == pytest.approx(0.7, abs=1e-3)  # the angle of the capture's square pictures


# Path -------------------------------------------------------------------------------------------


def test_a_path_is_at_each_camera_when_it_passes_it(api, frame):
    from pvd_blender.scene.camera_path import training_cameras

    camera = api.path_through_cameras(frame, seconds=4)
    keys = [np.array(item.matrix_world) for item in training_cameras(frame)]
    assert len(keys) == 8
    scene = bpy.context.scene
    curve = next(iter(curves(camera, "rotation_quaternion")))
    numbers = [point.co.x for point in curve.keyframe_points]
    assert len(numbers) == 8 and numbers[0] == 1 and numbers[-1] == scene.frame_end == 96
    found = []
    for number in numbers:
        scene.frame_set(int(number), subframe=number % 1)
        depsgraph = bpy.context.evaluated_depsgraph_get()
        matrix = np.array(camera.evaluated_get(depsgraph).matrix_world)
        found.append(min(range(8), key=lambda one: np.abs(keys[one] - matrix).max()))
        assert np.abs(keys[found[-1]] - matrix).max() < 2e-3
    assert sorted(found) == list(range(8))


def curves(item, path):
    from pvd_blender.scene.keyframes import curves_of

    return [curve for curve in curves_of(item) if curve.data_path == path]


def test_a_path_keeps_the_ball_in_the_picture_and_moves_without_jumps(api, frame):
    api.path_through_cameras(frame, seconds=4)
    matrices = poses()
    assert max(passes(matrix, np.zeros(3)) for matrix in matrices) < 0.3
    assert np.abs(np.linalg.norm(matrices[:, :3, 3], axis=1) - 4).max() < 0.2
    steps = np.linalg.norm(np.diff(matrices[:, :3, 3], axis=0), axis=1)
    assert steps.max() < 2 * np.median(steps)


def test_a_path_goes_through_as_many_cameras_as_it_may_and_through_chosen_ones(api, frame):
    from pvd_blender.scene.camera_path import training_cameras

    camera = api.path_through_cameras(frame, most=3)
    assert len(curves(camera, "rotation_quaternion")[0].keyframe_points) == 3
    two = training_cameras(frame)[:2]
    camera = api.path_through_cameras(frame, two, seconds=1)
    assert np.allclose(at(1), np.array(two[0].matrix_world), atol=2e-3)
    assert np.allclose(at(24), np.array(two[1].matrix_world), atol=2e-3)
    assert bpy.context.scene.camera == camera


def test_names_are_in_the_order_of_their_numbers(api, frame):
    from pvd_blender.scene.camera_path import _in_order

    names = ["train/r_10", "train/r_2", "a/1_x", "train/r_1"]
    assert sorted(names, key=_in_order) == ["a/1_x", "train/r_1", "train/r_2", "train/r_10"]


def test_ways_are_ordered_as_the_engine_orders_them(add_on):
    from pvd_blender.scene.camera_path import way_through

    line = np.stack([np.arange(40.0), np.zeros(40), np.zeros(40)], axis=1)
    assert (way_through(line) == np.arange(40)).all()
    mixed = np.concatenate([[0], np.random.default_rng(0).permutation(np.arange(1, 40))])
    assert (line[mixed][way_through(line[mixed])] == line).all()


def test_a_path_through_one_camera_is_refused_and_leaves_nothing(api, frame):
    from pvd_blender.scene.camera_path import training_cameras

    before = len(bpy.data.objects)
    for cameras in ([], training_cameras(frame)[:1]):
        with pytest.raises(api.SceneError, match="at least two"):
            api.path_through_cameras(frame, cameras)
    assert len(bpy.data.objects) == before


# Operators --------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["turntable", "path_through_cameras"])
def test_moves_are_made_by_buttons_and_undone(api, frame, name):
    assert not getattr(OPERATORS, name).poll() or why_not(name) is None
    scene = bpy.context.scene
    scene.render.fps = 10
    bpy.ops.ed.undo_push(message="before")
    names = {item.name for item in bpy.data.objects}
    assert getattr(OPERATORS, name)(seconds=3.0) == {"FINISHED"}
    bpy.ops.ed.undo_push(message=name)
    assert bpy.context.scene.frame_end == 30
    assert bpy.context.scene.camera.name not in names
    bpy.ops.ed.undo()
    assert {item.name for item in bpy.data.objects} == names
    assert bpy.context.scene.frame_end == 250


def test_without_a_capture_the_reason_is_said(add_on):
    for name in ("turntable", "path_through_cameras", "render_film"):
        assert not getattr(OPERATORS, name).poll()
    assert "import one first" in why_not("turntable")
    assert "import one first" in why_not("path_through_cameras")
    assert "no camera" in why_not("render_film")
    assert "No film" in why_not("open_film")


# Films ------------------------------------------------------------------------------------------


@pytest.fixture
def with_ffmpeg(engine_python):
    """Skip where the engine's environment has no ffmpeg."""
    found = subprocess.run([engine_python, "-c", "import imageio_ffmpeg"], capture_output=True)
    if found.returncode:
        pytest.skip("the engine's environment has no imageio-ffmpeg")


def small(scene, side=24, fps=8):
    scene.render.resolution_x = scene.render.resolution_y = side
    scene.render.resolution_percentage = 100
    scene.render.fps = fps


def read_film(engine_python, path):
    """The frames of a film, by the engine's libraries."""
    code = (
        "import sys, imageio.v3 as iio, numpy as np; "
        "np.save(sys.argv[2], iio.imread(sys.argv[1], plugin='FFMPEG'))"
    )
    out = path.with_suffix(".npy")
    subprocess.run([engine_python, "-c", code, str(path), str(out)], check=True)
    return np.load(out)


def test_a_film_shows_the_field_from_the_camera_at_each_frame(
    api, trained, teacher, engine_python, with_ffmpeg
):
    scene = bpy.context.scene
    small(scene)
    api.turntable(trained, seconds=1)
    scene.world = bpy.data.worlds.new("red")
    if scene.world.node_tree is None:
        scene.world.color = (0.5, 0.0, 0.0)
    else:
        node = next(n for n in scene.world.node_tree.nodes if n.type == "BACKGROUND")
        node.inputs["Color"].default_value = (0.5, 0.0, 0.0, 1.0)
    scene.frame_set(3)
    path = api.render_film(trained)
    assert path.suffix == ".mp4" and path.is_file()
    assert scene.frame_current == 3
    shown = read_film(engine_python, path)
    assert shown.shape == (8, 24, 24, 3)
    # sRGB of half the light is 188.
    assert np.abs(shown[:, 0, 0].astype(int) - (188, 0, 0)).max() < 8
    scene.frame_set(5)
    picture = np.array(api.render(trained).pixels[:]).reshape(24, 24, 4)[::-1]
    expected = picture[..., :3] * picture[..., 3:] + np.array([188, 0, 0]) / 255 * (
        1 - picture[..., 3:]
    )

    def halved(image):
        return image.reshape(12, 2, 12, 2, 3).mean(axis=(1, 3))

    error = [((halved(one / 255) - halved(expected)) ** 2).mean() for one in shown]
    assert int(np.argmin(error)) == 4
    assert -10 * math.log10(error[4]) > 30


def test_a_button_renders_a_film_to_a_chosen_file(
    api, trained, session, tmp_path, monkeypatch, with_ffmpeg
):
    small(bpy.context.scene)
    api.turntable(trained, seconds=0.5)
    film = tmp_path / "films" / "a film.webm"
    in_a_window(OPERATORS.render_film, session, monkeypatch, filepath=str(film))
    assert session.error is None, session.error
    assert film.is_file() and str(film) in session.message and "4 frames" in session.message
    assert why_not("open_film") is None
    assert not list(tmp_path.rglob("*.mp4"))


def test_a_film_that_is_cancelled_leaves_nothing(api, trained, session, tmp_path, monkeypatch):
    import time

    from pvd_blender.jobs import tasks
    from pvd_blender.scene.film_views import film_views

    scene = bpy.context.scene
    small(scene, side=96, fps=60)
    api.turntable(trained, seconds=60)
    scene.frame_end = 400
    film = tmp_path / "films" / "film.mp4"
    views = film_views(scene, trained)
    source = api.film.source(trained, None)
    computing = api.film.chosen_computing()
    session.start(tasks.filming(trained, source, views, 24.0, None, film, computing))
    end = time.monotonic() + 120
    while session.busy and session.job.progress.step < 2 and time.monotonic() < end:
        session.pump()
        time.sleep(0.02)
    assert session.busy, session.error
    session.job.cancel()
    while session.pump() and time.monotonic() < end:
        time.sleep(0.02)
    assert session.error is None and "cancelled" in session.message
    assert not film.exists() and not list(film.parent.iterdir())


def test_a_camera_that_stands_still_has_no_film(api, trained):
    scene = bpy.context.scene
    scene.camera = next(item for item in trained.children if item.type == "CAMERA")
    with pytest.raises(api.SceneError, match="does not move between the frames 1 and 250"):
        api.render_film(trained)
    assert scene.frame_current == 1


def test_a_film_of_another_kind_is_refused(api, trained):
    api.turntable(trained, seconds=0.5)
    with pytest.raises(api.ConvertFieldError, match=r"\.mp4 or \.webm"):
        api.render_film(trained, path="film.avi")


def test_edit_shapes_that_are_not_in_the_film_are_told(api, trained, session, with_ffmpeg):
    small(bpy.context.scene)
    api.turntable(trained, seconds=0.25)
    api.add_shape(trained, "erase", "box", location=(0, 0, 0))
    api.render_film(trained)
    assert "not applied are not in the film" in session.message


def test_light_is_encoded_as_srgb(add_on):
    from pvd_blender.volume.volume_file import linear_to_srgb, srgb_to_linear

    values = np.linspace(0, 1, 101)
    assert np.allclose(srgb_to_linear(linear_to_srgb(values)), values, atol=1e-9)
    assert linear_to_srgb(np.array([-1.0, 0.5, 2.0])).round(4).tolist() == [0.0, 0.7354, 1.0]
