import numpy as np
import pytest
from capture_files import look_at, real_capture, ring

from pvd_engine.data.capture import Camera, Frame
from pvd_engine.data.geometry.bounds import common_center, find_box
from pvd_engine.data.geometry.projection import project
from pvd_engine.data.readers import open_capture
from pvd_engine.files.images import load_image


def cameras_of(matrices, focal=100.0, size=(100, 100)):
    return [
        Camera(matrix, size[0], size[1], focal, focal, size[0] / 2, size[1] / 2)
        for matrix in matrices
    ]


def test_lego_gets_the_usual_box_of_half_side_one_and_a_half():
    capture = open_capture(real_capture("nerf_synthetic_lego_200"))
    np.testing.assert_allclose(capture.box, [[-1.5] * 3, [1.5] * 3], atol=0.05)
    assert "look at" in capture.box_source


def test_nothing_that_lego_shows_lies_outside_of_its_box():
    """Carve a grid that is larger than the box by the images' alpha: what stays lies inside."""
    capture = open_capture(real_capture("nerf_synthetic_lego_200"))
    axis = np.linspace(-3, 3, 61)
    points = np.stack(np.meshgrid(axis, axis, axis), axis=-1).reshape(-1, 3)
    views = capture.split("train")
    watched = np.zeros(len(points), dtype=int)
    empty = np.zeros(len(points), dtype=bool)
    for view in views:
        alpha = load_image(view.image_path)[..., 3]
        x, y = np.floor(project(view.camera, points)).T
        inside = (x >= 0) & (x < 200) & (y >= 0) & (y < 200)
        watched += inside
        empty[inside] |= alpha[y[inside].astype(int), x[inside].astype(int)] == 0
    # What only a few views show (the far corners above the cameras) cannot be judged.
    seen = points[~empty & (watched >= 0.3 * len(views))]
    assert len(seen) > 500
    assert (seen > capture.box[0]).all()
    assert (seen < capture.box[1]).all()


def ngp_of_dataset(points, scale=0.33, offset=(0.5, 0.5, 0.5)):
    """instant-ngp's nerf_position_to_ngp: scale, add the offset, then cycle xyz <- yzx."""
    return (points * scale + np.array(offset))[:, [1, 2, 0]]


@pytest.mark.parametrize(
    ("frame", "mapping"),
    [
        (Frame(aabb_scale=4), {}),
        (Frame(aabb_scale=1, scale=0.5), {"scale": 0.5}),
        (
            Frame(aabb_scale=16, scale=0.2, offset=(0.1, 0.5, 0.9)),
            {"scale": 0.2, "offset": (0.1, 0.5, 0.9)},
        ),
    ],
)
def test_an_ngp_box_maps_to_the_unit_cube_grown_by_aabb_scale(frame, mapping):
    box, source = find_box(cameras_of(ring(5)), frame, has_alpha=False)
    half = 0.5 * (frame.aabb_scale or 1)
    np.testing.assert_allclose(
        ngp_of_dataset(box, **mapping), [[0.5 - half] * 3, [0.5 + half] * 3], atol=1e-12
    )
    assert "instant-ngp" in source


def test_an_explicit_aabb_becomes_a_cube_around_the_same_centre():
    frame = Frame(aabb=np.array([[0.0, 0, 0], [4.0, 2, 2]]))
    box, _ = find_box(cameras_of(ring(5)), frame, has_alpha=False)
    np.testing.assert_allclose(box, [[0, -1, -1], [4, 3, 3]])


def test_the_common_centre_is_where_the_axes_meet():
    target = np.array([1.0, -2.0, 0.5])
    matrices = np.array(ring(7, target=target))
    center = common_center(matrices[:, :3, 3], -matrices[:, :3, 2])
    np.testing.assert_allclose(center, target, atol=1e-12)


def test_an_object_on_transparent_ground_gets_what_the_cameras_frame():
    target = np.array([1.0, -2.0, 0.5])
    cameras = cameras_of(ring(9, radius=3.0, height=4.0, target=target))
    box, _ = find_box(cameras, Frame(), has_alpha=True)
    # Distance 5, half the image over the focal length 0.5, and 5 % to spare.
    np.testing.assert_allclose(box, [target - 2.625, target + 2.625], atol=1e-9)


def test_opaque_images_get_room_for_surroundings_and_every_camera():
    matrices = [*ring(9, radius=4.0, height=0.5), look_at((0, 10, 0.5))]
    box, source = find_box(cameras_of(matrices), Frame(), has_alpha=False)
    positions = np.array(matrices)[:, :3, 3]
    assert (positions > box[0]).all()
    assert (positions < box[1]).all()
    assert "surroundings" in source


def test_forward_facing_cameras_get_a_box_ahead_of_them():
    matrices = [look_at((x, 0, z), (x, 100, z)) for x in (-0.5, 0.5) for z in (0.0, 1.0)]
    box, source = find_box(cameras_of(matrices), Frame(), has_alpha=False)
    assert "same way" in source
    np.testing.assert_allclose(box[0][1], 0, atol=1e-9)
    assert box[1][1] == pytest.approx(10 * np.sqrt(2))
    # At that depth each camera sees half the depth to either side.
    assert box[1][0] == pytest.approx(0.5 + 5 * np.sqrt(2))


def test_cameras_that_look_outwards_get_a_box_about_them():
    matrices = [look_at(0.2 * m[:3, 3], 5 * m[:3, 3]) for m in ring(8, radius=2.0, height=0.01)]
    box, source = find_box(cameras_of(matrices), Frame(), has_alpha=False)
    assert "outwards" in source
    positions = np.array(matrices)[:, :3, 3]
    assert (positions - 0.5 > box[0]).all()
    assert (positions + 0.5 < box[1]).all()


@pytest.mark.parametrize("count", [1, 3])
def test_cameras_at_one_point_still_get_a_box_with_volume(count):
    matrices = [look_at((1, 2, 3), (2, 3, 3))] * count
    box, _ = find_box(cameras_of(matrices), Frame(), has_alpha=False)
    assert np.isfinite(box).all()
    assert (box[1] > box[0]).all()
