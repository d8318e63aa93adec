"""Every key of a transforms.json is used, noted, refused or harmless, as its table says.

The right values follow from what the formats' own programs do with the keys (the sources are named
in the table), computed here from the numbers that each test writes.
"""

import json
import math

import numpy as np
import pytest
from capture_files import look_at, ring, write_image, write_json, write_transforms
from PIL import Image

from pvd_engine.data.formats.transforms_keys import KEYS
from pvd_engine.data.geometry.points import write_ply
from pvd_engine.data.images.downscale import load_view
from pvd_engine.data.images.masks import load_mask
from pvd_engine.data.readers import open_capture
from pvd_engine.data.writers.writers import write_capture
from pvd_engine.errors import UserError

COUNT = 10
TURNED = {"from_na": True, "camera_convention": "opencv"}


def opened(folder, shared=None, first=None, entries=None, size=(8, 6), without=(), picture=None):
    """Read a capture whose file, first entry or entries state more than the plain one."""
    content = write_transforms(folder, COUNT, size=size, picture=picture)
    content |= shared or {}
    for key in without:
        del content[key]
    content["frames"][0] |= first or {}
    for entry, more in zip(content["frames"], entries or [], strict=bool(entries)):
        entry |= more
    write_json(folder / "transforms.json", content)
    return open_capture(folder)


def camera_with(folder, **shared):
    without = ["fl_x"] if {*FOCAL_KEYS} & {*shared} and "fl_x" not in shared else []
    return opened(folder, shared, without=without).views[0].camera


FOCAL_KEYS = ("camera_angle_x", "camera_angle_y", "x_fov", "y_fov")


def names(capture):
    return [view.name for view in capture.views]


def splits(capture):
    return {view.name[-1]: view.split for view in capture.views}


def frames(folder):
    content = write_transforms(folder, COUNT)
    by_path = {frame["file_path"]: frame for frame in content["frames"]}
    for path, frame in by_path.items():
        assert frame.pop("file_path") == path
    write_json(folder / "transforms.json", {**content, "frames": by_path})
    capture = open_capture(folder)
    assert names(capture) == [f"images/{index:03d}" for index in range(COUNT)]
    assert any("frames of transforms.json is an object" in note for note in capture.notes)


def test_frames(folder):
    content = write_transforms(folder, COUNT)
    content["test_frames"] = [content["frames"].pop(index) for index in (6, 4)]
    write_json(folder / "transforms.json", content)
    assert [view.name[-1] for view in open_capture(folder).split("test")] == ["6", "4"]


def file_path(folder):
    write_image(folder / "other.png")
    assert names(opened(folder, first={"file_path": "other.png"}))[0] == "other"


def transform_matrix(folder):
    pose = look_at((1, 2, 3))
    view = opened(folder, first={"transform_matrix": pose.tolist()}).views[0]
    np.testing.assert_array_equal(view.camera.camera_to_world, pose)


def about_z(degrees, x):
    cos, sin = math.cos(math.radians(degrees)), math.sin(math.radians(degrees))
    return np.array([[cos, -sin, 0, x], [sin, cos, 0, 1], [0, 0, 1, 2], [0, 0, 0, 1]])


def moving(folder):
    start, end = about_z(0, 0).tolist(), about_z(60, 3).tolist()
    poses = {"transform_matrix_start": start, "transform_matrix_end": end}
    for shutter, time in ((None, 0), ([0, 0, 1, 0], 0.5), ([0.1, 0.2, 0.3, 0.4], 0.55)):
        shared = {} if shutter is None else {"rolling_shutter": shutter}
        capture = opened(folder, shared, poses)
        pose = capture.views[0].camera.camera_to_world
        np.testing.assert_allclose(pose, about_z(60 * time, 3 * time), atol=1e-12)
        assert any("1 camera moves while the image is taken" in note for note in capture.notes)
    own = {**poses, "rolling_shutter": [1, 0, 0]}
    pose = opened(folder, None, own).views[0].camera.camera_to_world
    np.testing.assert_allclose(pose, about_z(60, 3), atol=1e-12)


def axes(folder):
    for key, value in TURNED.items():
        entries = []
        for pose in ring(COUNT):
            right, up, back, position = pose[:3].T
            opencv = np.eye(4)
            opencv[:3] = np.stack([right, -up, -back, position], axis=1)
            entries.append({"transform_matrix": opencv.tolist()})
        for view, pose in zip(
            opened(folder, {key: value}, None, entries).views, ring(COUNT), strict=True
        ):
            np.testing.assert_array_equal(view.camera.camera_to_world, pose)
    opengl = opened(folder, {"camera_convention": "opengl"}).views[0].camera
    np.testing.assert_array_equal(opengl.camera_to_world, ring(COUNT)[0])
    with pytest.raises(UserError, match="camera_convention must be opencv or opengl"):
        opened(folder, {"camera_convention": "blender"})


def focal(folder):
    for values, fx, fy in (
        ({"fl_x": 9.0, "fl_y": 7.0}, 9, 7),
        ({"camera_angle_x": 0.8, "camera_angle_y": 0.6}, 4 / math.tan(0.4), 3 / math.tan(0.3)),
        ({"x_fov": 90.0, "y_fov": 60.0}, 4, 3 / math.tan(math.radians(30))),
    ):
        camera = camera_with(folder, **values)
        assert (camera.fx, camera.fy) == (pytest.approx(fx), pytest.approx(fy))


def intrinsic_matrix(folder):
    """Of each entry, or of the file."""
    entry = {"intrinsic_matrix": [[11, 0, 3.5, 0], [0, 12, 2.5, 0], [0, 0, 1, 0], [0, 0, 0, 1]]}
    for shared, entries in ((None, [entry] * COUNT), (entry, None)):
        camera = opened(folder, shared, None, entries, without=["fl_x"]).views[0].camera
        assert (camera.fx, camera.fy, camera.cx, camera.cy) == (11, 12, 3.5, 2.5)


def center(folder):
    camera = camera_with(folder, cx=3.25, cy=2.75)
    assert (camera.cx, camera.cy) == (3.25, 2.75)


def image_size(folder):
    """The intrinsics are those of an image of twice the size; one side is enough."""
    for stated in ({"w": 16, "h": 12}, {"w": 16}, {"h": 12}):
        capture = opened(folder, {"fl_x": 20.0, "cx": 7.0, "cy": 5.0, **stated})
        camera = capture.views[0].camera
        assert (camera.fx, camera.fy, camera.cx, camera.cy) == (10, 10, 3.5, 2.5)
        measured = any("that the file does not state; it was measured" in n for n in capture.notes)
        assert measured == (len(stated) == 1)


MODELS = {
    "PINHOLE": ({}, "none"),
    "OPENCV": ({"k1": 0.1, "k2": 0.2, "k3": 0.3, "k4": 0.4, "p1": 0.01, "p2": 0.02}, "opencv"),
    "OPENCV_FISHEYE": ({"k1": 0.1, "k2": 0.2, "k3": 0.3, "k4": 0.4}, "opencv_fisheye"),
    "FULL_OPENCV": ({"k1": 0.1, "k3": 0.3, "k5": 0.5, "k6": 0.6, "p2": 0.02}, "full_opencv"),
    "THIN_PRISM_FISHEYE": ({"k1": 0.1, "sx1": 0.01, "sy1": 0.02}, "thin_prism_fisheye"),
    "RAD_TAN_THIN_PRISM_FISHEYE": (
        {"k0": 0.1, "k5": 0.2, "p0": 0.3, "s0": 0.4, "s1": 0.5, "s2": 0.6, "s3": 0.7},
        "rad_tan_thin_prism_fisheye",
    ),
    "FOV": ({"omega": 0.9}, "fov"),
    "DIVISION": ({"k": 0.1}, "division"),
    "EUCM": ({"alpha": 0.6, "beta": 1.1}, "eucm"),
}


EIGHT = [0.01, 0.02, 0.03, 0.04, 0.05, 0.06, 0.07, 0.08]


def lens(folder):
    for model, (coefficients, kind) in MODELS.items():
        camera = camera_with(folder, camera_model=model, **coefficients)
        assert (camera.distortion_model, camera.distortion) == (kind, coefficients)
    camera = camera_with(folder, is_fisheye=True, k1=0.1)
    assert (camera.distortion_model, camera.distortion) == ("opencv_fisheye", {"k1": 0.1})
    # Spectacular AI writes OpenCV's eight coefficients as OPENCV.
    eight = dict(zip(("k1", "k2", "p1", "p2", "k3", "k4", "k5", "k6"), EIGHT, strict=True))
    camera = camera_with(folder, camera_model="OPENCV", **eight)
    assert (camera.distortion_model, camera.distortion) == ("full_opencv", eight)


def distortion_params(folder):
    listed = [0.1, 0.2, 0.3, 0.4, 0.01, 0.02]
    camera = camera_with(folder, distortion_params=listed, k1=9.0, camera_model="OPENCV")
    stated = dict(zip(("k1", "k2", "k3", "k4", "p1", "p2"), listed, strict=True))
    assert (camera.distortion_model, camera.distortion) == ("opencv", stated)
    twelve = (np.arange(1, 13) / 100).tolist()
    camera = camera_with(folder, distortion_params=twelve, camera_model="FISHEYE624")
    order = ("k0", "k1", "k2", "k3", "k4", "k5", "p0", "p1", "s0", "s1", "s2", "s3")
    assert camera.distortion == dict(zip(order, twelve, strict=True))
    with pytest.raises(UserError, match="distortion_params must be a list of k1 to k4"):
        camera_with(folder, distortion_params=[1.0], camera_model="OPENCV")


def ftheta(folder):
    values = {f"ftheta_p{power}": value for power, value in enumerate((0, 0.1, 0.002, 0, 0))}
    camera = camera_with(folder, **values)
    assert (camera.distortion_model, camera.fx) == ("ftheta", pytest.approx(10))
    assert camera.distortion["a2"] == pytest.approx(0.002 / 0.1**2)


def latlong(folder):
    camera = camera_with(folder, latlong=True)
    assert (camera.distortion_model, camera.fx) == ("equirectangular", pytest.approx(8 / math.tau))


def mask_path(folder):
    mask = np.full((6, 8), 255, np.uint8)
    mask[:2, :3] = 0
    folder.mkdir(exist_ok=True)
    Image.fromarray(mask).save(folder / "m.png")
    stated = {"mask_path": "m.png"}
    np.testing.assert_array_equal(load_mask(opened(folder, first=stated).views[0]), mask > 0)
    for view in opened(folder, stated).views:
        np.testing.assert_array_equal(load_mask(view), mask > 0)


def fisheye_crop_radius(folder):
    size, radius = (40, 30), 12
    across, down = np.meshgrid(np.arange(40) + 0.5 - 20, np.arange(30) + 0.5 - 15)
    inside = np.hypot(across, down) <= radius
    stated = {"fisheye_crop_radius": radius, "camera_model": "OPENCV_FISHEYE"}
    capture = opened(folder, stated, size=size)
    np.testing.assert_array_equal(load_mask(capture.views[0]), inside)
    assert any("10 images have a circle (fisheye_crop_radius)" in note for note in capture.notes)
    half = open_capture(folder, downscale=2)
    whole = inside.reshape(15, 2, 20, 2).all(axis=(1, 3))
    np.testing.assert_array_equal(load_mask(half.views[0]), whole)
    stated |= {"fisheye_crop_radius": 2 * radius, "w": 80, "h": 60}
    np.testing.assert_array_equal(load_mask(opened(folder, stated, size=size).views[0]), inside)
    assert load_mask(opened(folder, {"fisheye_crop_radius": radius}).views[0]) is None, "no fisheye"


def transparent(folder):
    pixels = np.full((6, 8, 3), 120, np.uint8)
    pixels[0, :4], pixels[1, :4], pixels[2, 0] = 255, 0, (255, 255, 254)
    for stated, rows in (
        ({"white_transparent": True}, (0,)),
        ({"black_transparent": True}, (1,)),
        ({"white_transparent": True, "black_transparent": True}, (0, 1)),
    ):
        capture = opened(folder, stated, picture=Image.fromarray(pixels))
        alpha = np.full((6, 8), 255)
        for row in rows:
            alpha[row, :4] = 0
        np.testing.assert_array_equal(load_view(capture.views[0])[..., 3], alpha)
        assert capture.has_alpha
    off = opened(folder, {"white_transparent": False}, picture=Image.fromarray(pixels))
    assert load_view(off.views[0])[..., 3].min() == 255 and not off.has_alpha


def filenames(folder):
    path = "images/{:03d}.png".format
    stated = {
        "train_filenames": [path(index) for index in range(6)],
        "val_filenames": [path(index) for index in (6, 7)],
        "test_filenames": [path(index) for index in (8, 9)],
    }
    capture = opened(folder, stated)
    assert [len(capture.split(split)) for split in ("train", "val", "test")] == [6, 2, 2]


def split(folder):
    stated = [{"split": "val" if index == 3 else "train"} for index in range(COUNT)]
    capture = opened(folder, None, None, stated)
    assert splits(capture) == {str(i): "val" if i == 3 else "train" for i in range(COUNT)}
    assert not any("every 8th" in note for note in capture.notes)


def n_frames(folder):
    """instant-ngp takes the first in natural order, in which 2 comes before 10."""
    stated = [{"file_path": f"images/{index:03d}.png"} for index in range(COUNT)]
    for index, name in enumerate(("10", "2", "1")):
        write_image(folder / f"{name}.png")
        stated[index]["file_path"] = f"{name}.png"
    capture = opened(folder, {"n_frames": 2}, None, stated)
    assert names(capture) == ["2", "1"]
    assert any("asks for 2 of 10 camera entries (n_frames)" in note for note in capture.notes)


def sharpness(folder):
    """The mean is that of three before and two after, as instant-ngp's loop runs."""
    values = [100, 100, 100, 40, 100, 100, 100, 100, 70, 100]
    stated = [{"sharpness": value} for value in values]
    capture = opened(folder, {"sharpness_discard_threshold": 0.5}, None, stated)
    assert "images/003" not in names(capture) and len(capture.views) == 9
    assert any("1 camera entry is not sharp enough" in note for note in capture.notes)
    # 70 against (100 + 100 + 100 + 70) / 4 = 92.5: below 0.8 of it, not below 0.75 of it.
    for threshold, kept in ((0.8, 8), (0.75, 9)):
        stricter = opened(folder, {"sharpness_discard_threshold": threshold}, None, stated)
        assert len(stricter.views) == kept
    assert len(opened(folder, None, None, stated).views) == COUNT


def box(folder):
    stated = {"aabb_scale": 2, "scale": 0.5, "offset": [0.5, 0.25, 0.0]}
    low = (-0.5 - np.array(stated["offset"])) / 0.5
    np.testing.assert_allclose(opened(folder, stated).box, [low, low + 4])
    corners = [[-1, -2, -3], [3, 2, 1]]
    np.testing.assert_allclose(opened(folder, {"aabb": corners}).box, corners)


def applied(folder):
    matrix = [[0, 1, 0, 1], [1, 0, 0, 2], [0, 0, -1, 3]]
    frame = opened(folder, {"applied_transform": matrix, "applied_scale": 0.25}).frame
    assert (frame.applied_transform.tolist(), frame.applied_scale) == (matrix, 0.25)


def ply_file_path(folder):
    folder.mkdir(exist_ok=True)
    write_ply(folder / "points.ply", np.eye(3), None)
    capture = opened(folder, {"ply_file_path": "points.ply"})
    points = capture.sparse_points()
    assert points is not None
    np.testing.assert_allclose(points.positions, np.eye(3))


USED = {
    frames: "frames",
    test_frames: "test_frames",
    file_path: "file_path",
    transform_matrix: "transform_matrix",
    moving: "transform_matrix_start transform_matrix_end rolling_shutter",
    axes: "from_na camera_convention",
    focal: "fl_x fl_y camera_angle_x camera_angle_y x_fov y_fov",
    intrinsic_matrix: "intrinsic_matrix",
    center: "cx cy",
    image_size: "w h",
    lens: (
        "camera_model is_fisheye k1 k2 k3 k4 k5 k6 p1 p2 k0 p0 s0 s1 s2 s3 sx1 sy1 omega k alpha "
        "beta"
    ),
    distortion_params: "distortion_params",
    ftheta: "ftheta_p0 ftheta_p1 ftheta_p2 ftheta_p3 ftheta_p4",
    latlong: "latlong",
    mask_path: "mask_path",
    fisheye_crop_radius: "fisheye_crop_radius",
    transparent: "white_transparent black_transparent",
    filenames: "train_filenames val_filenames test_filenames",
    split: "split",
    n_frames: "n_frames",
    sharpness: "sharpness sharpness_discard_threshold",
    box: "aabb_scale scale offset aabb",
    applied: "applied_transform applied_scale",
    ply_file_path: "ply_file_path",
}
del test_frames  # it is a case, not a test


def keys_of(treatment):
    return [name for keys in KEYS if keys.treatment == treatment for name in keys.names]


def test_every_used_key_has_a_case_and_no_key_stands_twice():
    assert sorted(keys_of("used")) == sorted(" ".join(USED.values()).split())
    every = [name for keys in KEYS for name in keys.names]
    assert len(every) == len(set(every))


@pytest.mark.parametrize("case", USED, ids=lambda case: case.__name__)
def test_a_used_key_changes_what_it_should(tmp_path, case):
    case(tmp_path / "capture")


@pytest.mark.parametrize("keys", [k for k in KEYS if k.treatment == "noted"], ids=lambda k: k.names)
def test_a_noted_key_changes_nothing_and_is_told_once(tmp_path, keys):
    plain = opened(tmp_path)
    for value in (False, 0, [0, 0, 0], None):
        stated = opened(tmp_path, dict.fromkeys(keys.names, value)).notes
        assert stated == plain.notes, "it says nothing"
    entries = [{name: index + 1 for name in keys.names} for index in range(COUNT)]
    capture = opened(tmp_path, None, None, entries)
    (note,) = set(capture.notes) - set(plain.notes)
    named = ", ".join(keys.names[:4])
    assert note.startswith(f"transforms.json has {named}") and note.endswith(f"{keys.meaning}.")
    np.testing.assert_array_equal(
        capture.views[0].camera.camera_to_world, plain.views[0].camera.camera_to_world
    )


def test_images_of_one_moment_need_no_note(tmp_path):
    entries = [{"time": 0.5, "exposure": 2.0} for _ in range(COUNT)]
    assert opened(tmp_path, None, None, entries).notes == opened(tmp_path).notes


@pytest.mark.parametrize("key", keys_of("refused"))
@pytest.mark.parametrize("level", ["the file", "one entry"])
def test_a_refused_key_is_refused_where_it_stands(tmp_path, key, level):
    if level == "the file":
        with pytest.raises(UserError, match=rf"transforms\.json: {key} cannot be read: "):
            opened(tmp_path, {key: {"a": 1}})
    else:
        capture = opened(tmp_path, first={key: {"a": 1}})
        assert len(capture.views) == COUNT - 1
        assert any(f"{key} cannot be read: " in note for note in capture.notes)


def test_harmless_keys_are_silent(tmp_path):
    stated = dict.fromkeys(keys_of("harmless"), 1)
    assert opened(tmp_path, stated, stated).notes == opened(tmp_path).notes


def test_unknown_keys_are_named_once(tmp_path):
    entries = [{"wobble": 1, "bounce": 2} for _ in range(COUNT)]
    stated = {f"key{index}": 1 for index in range(4)}
    notes = [note for note in opened(tmp_path, stated, None, entries).notes if "not known" in note]
    assert notes == [
        "transforms.json has key0, key1, key2, key3 and 2 more, which are not known and not used."
    ]
    hostile = opened(tmp_path, {"\x1b[2J" + "x" * 500: 1}).notes
    (note,) = [note for note in hostile if "not known" in note]
    assert note.isprintable() and len(note) < 150


@pytest.mark.parametrize(
    ("name", "level"), [(name, keys.level) for keys in KEYS if keys.level for name in keys.names]
)
def test_a_key_that_stands_where_it_is_not_used_is_named(tmp_path, name, level):
    entries = [{name: "x"} for _ in range(COUNT)] if level == "file" else None
    capture = opened(tmp_path, {name: "x"} if level == "entry" else None, None, entries)
    assert any(f"has {name}, which is not known and not used" in note for note in capture.notes)


def test_the_split_files_say_once_what_is_not_used(tmp_path):
    for name in ("train", "test"):
        content = write_transforms(tmp_path / "x", 3)
        for frame in content["frames"]:
            frame["time"] = float(frame["file_path"][-5])
            frame["file_path"] = f"x/{frame['file_path']}"
        write_json(tmp_path / f"transforms_{name}.json", content)
    notes = [note for note in open_capture(tmp_path).notes if "time" in note]
    assert notes == [
        "transforms_*.json has time, but a field is still: what moves between the images blurs."
    ]


def test_instant_ngps_alpha_images_are_transparency(tmp_path):
    opened(tmp_path)
    red = np.zeros((6, 8), np.uint8)
    red[:3], red[0, 0] = 255, 128
    Image.fromarray(red).save(tmp_path / "images" / "000.png.alpha.png")
    capture = open_capture(tmp_path)
    alpha = load_view(capture.views[0])[..., 3]
    middle = ((128 / 255 + 0.055) / 1.055) ** 2.4 * 255
    assert alpha[0, 0] == pytest.approx(middle, abs=1)
    assert (alpha[:3, 1:] == 255).all() and (alpha[3:] == 0).all()
    assert any("1 image has transparency that the camera file" in note for note in capture.notes)
    Image.fromarray(red[:2]).save(tmp_path / "images" / "000.png.alpha.png")
    with pytest.raises(UserError, match="another size than its image"):
        load_view(open_capture(tmp_path).views[0])


@pytest.mark.parametrize("to", ["nerfstudio", "colmap", "nerf-synthetic"])
def test_transparent_colours_are_written_as_alpha(tmp_path, to):
    pixels = np.full((6, 8, 3), 120, np.uint8)
    pixels[1, 2:5] = 255
    stated = {"white_transparent": True}
    before = opened(tmp_path / "in", stated, picture=Image.fromarray(pixels))
    write_capture(before, to, tmp_path / "out")
    after = open_capture(tmp_path / "out")
    for one, other in zip(before.views, after.views, strict=True):
        np.testing.assert_array_equal(load_view(other)[..., 3], load_view(one)[..., 3])
    assert after.has_alpha


@pytest.mark.parametrize("to", ["nerfstudio", "colmap"])
def test_a_circle_that_counts_is_written_as_a_mask(tmp_path, to):
    stated = {"fisheye_crop_radius": 5, "camera_model": "OPENCV_FISHEYE"}
    before = opened(tmp_path / "in", stated, size=(20, 14))
    write_capture(before, to, tmp_path / "out")
    after = open_capture(tmp_path / "out")
    for one, other in zip(before.views, after.views, strict=True):
        np.testing.assert_array_equal(load_mask(other), load_mask(one))


def test_files_of_rays_are_noted_unless_the_file_turns_them_off(tmp_path):
    opened(tmp_path)
    (tmp_path / "images" / "rays_000.dat").write_bytes(b"rays")
    assert any("1 image has a file of rays" in note for note in open_capture(tmp_path).notes)
    off = opened(tmp_path, {"enable_ray_loading": False})
    assert not any("rays" in note for note in off.notes)


def test_numbers_that_are_text_and_flat_matrices_are_read(tmp_path):
    pose = look_at((3, 2, 1))
    rows = [[repr(float(number)) for number in row] for row in pose]
    entries = [{"transform_matrix": rows} for _ in range(COUNT)]
    capture = opened(tmp_path, {"fl_x": "12.5", "w": "8", "h": "6"}, None, entries)
    camera = capture.views[0].camera
    assert (camera.fx, camera.width, camera.height) == (12.5, 8, 6)
    np.testing.assert_array_equal(camera.camera_to_world, pose)
    assert any("13 numbers are written as text" in note for note in capture.notes)
    flat = opened(tmp_path, first={"transform_matrix": pose.ravel().tolist()})
    np.testing.assert_array_equal(flat.views[0].camera.camera_to_world, pose)
    assert any("1 matrix is written without rows" in note for note in flat.notes)


def test_a_lens_that_is_stated_twice_and_differently_is_told(tmp_path):
    both = opened(tmp_path, {"w": 8}, first={"fl_x": 12.0})
    assert [view.camera.fx for view in both.views[:2]] == [12, 10]
    told = "1 of 10 camera entries states another fl_x than transforms.json does for all"
    assert any(told in note for note in both.notes)
    for angle, told in ((2 * math.atan(4 / 10), False), (0.9, True)):
        for stated in ({"camera_angle_x": angle}, {"x_fov": math.degrees(angle)}):
            capture = opened(tmp_path, {"w": 8, "h": 6, **stated})
            assert capture.views[0].camera.fx == 10
            assert any("not that of the stated angle" in note for note in capture.notes) == told


def test_an_entry_of_both_lists_is_tested_and_does_not_train(tmp_path):
    content = write_transforms(tmp_path, COUNT)
    content["test_frames"] = content["frames"][2:3]
    write_json(tmp_path / "transforms.json", content)
    capture = open_capture(tmp_path)
    assert len(capture.views) == COUNT and splits(capture)["2"] == "test"


def test_comments_and_last_commas_are_skipped_with_a_note(tmp_path):
    write_transforms(tmp_path, COUNT)
    path = tmp_path / "transforms.json"
    text = json.dumps({**json.loads(path.read_text()), "name": "a // b /* c */ ,]"}, indent=1)
    lines = ["// by hand", text[:-2] + ", /* the\nlast */", "}"]
    path.write_text("\r\n".join(lines), encoding="utf-8-sig", newline="")
    capture = open_capture(tmp_path)
    assert len(capture.views) == COUNT
    assert any("has comments or commas that JSON has not" in note for note in capture.notes)
    path.write_text("// no more\n{1,}")
    with pytest.raises(UserError, match="not valid JSON"):
        open_capture(tmp_path)
