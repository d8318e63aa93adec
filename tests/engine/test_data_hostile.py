"""Files that are not what they seem: pipes, looped links, counts that lie, other images."""

import io
import os
import struct
import zipfile
import zlib

import numpy as np
import pytest
import tifffile
from capture_files import frames, read_but_one, ring, write_image, write_json, write_transforms
from colmap_files import made_model, write_colmap
from format_files import promising, refuse, write_dtu, write_nsvf

from pvd_engine.data.formats.cameras_json import read_cameras
from pvd_engine.data.geometry.far_origin import capture_origin
from pvd_engine.data.geometry.points import read_points
from pvd_engine.data.readers import open_capture
from pvd_engine.edit.edits_json import parse_edits, read_edits
from pvd_engine.errors import UserError
from pvd_engine.files import json_input
from pvd_engine.files.array_input import read_npz
from pvd_engine.files.images import load_image, read_header, shows_through
from pvd_engine.files.json_input import read_json_object

needs_pipes = pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="this system has no pipes")


def read_all_arrays(path):
    return read_npz(path, lambda name: True, 1000)


@needs_pipes
@pytest.mark.timeout(20)
@pytest.mark.parametrize(
    "read", [read_json_object, read_cameras, read_points, load_image, read_edits, read_all_arrays]
)
def test_a_pipe_in_place_of_a_file_is_refused_without_waiting(tmp_path, read):
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(UserError, match="not a regular file"):
        read(tmp_path / "pipe")


@needs_pipes
@pytest.mark.timeout(20)
def test_pipes_and_devices_in_a_capture_are_refused(tmp_path):
    write_nsvf(tmp_path)
    pose = tmp_path / "pose" / "0_a.txt"
    pose.unlink()
    os.mkfifo(pose)
    refuse(tmp_path, "0_a.txt is not a regular file")
    pose.unlink()
    pose.symlink_to("/dev/zero")
    refuse(tmp_path, "0_a.txt is not a regular file")


def test_links_that_lead_to_themselves_are_missing_files(tmp_path):
    write_transforms(tmp_path, 3)
    image = tmp_path / "images" / "001.png"
    image.unlink()
    image.symlink_to(image)
    assert [view.name for view in open_capture(tmp_path).views] == ["images/000", "images/002"]
    loop = tmp_path / "loop"
    loop.symlink_to(loop)
    refuse(loop, "does not exist|cannot be read")
    (tmp_path / "transforms.json").unlink()
    (tmp_path / "transforms.json").symlink_to(tmp_path / "transforms.json")
    refuse(tmp_path, "photos without cameras")


def test_a_link_to_the_folder_that_holds_it_is_not_followed_without_end(tmp_path):
    write_colmap(tmp_path)
    (tmp_path / "images" / "again").symlink_to(tmp_path / "images")
    (tmp_path / "sparse" / "again").symlink_to(tmp_path)
    capture = open_capture(tmp_path)
    assert len(capture.views) == 9
    assert not any("no pose" in note for note in capture.notes)


@pytest.mark.parametrize(
    ("listed", "stored"),
    [
        ("IMG_1.JPG", "IMG_1.jpg"),
        ("img 1.jpg", "img 1.JPG"),
        ("Ünïcode 例/é.png", "Ünïcode 例/é.PNG"),
        ("b", "b.TIFF"),
    ],
)
def test_endings_are_found_in_capitals_and_without(tmp_path, listed, stored):
    write_image(tmp_path / stored)
    content = {"fl_x": 10, "frames": frames(ring(1), listed)}
    write_json(tmp_path / "transforms.json", content)
    (view,) = open_capture(tmp_path).views
    assert view.image_path == tmp_path / stored
    assert view.name == listed.rpartition(".")[0] or view.name == listed


def test_images_found_under_another_ending_are_not_counted_as_unposed(tmp_path):
    write_colmap(tmp_path)
    image = tmp_path / "images" / "003.png"
    image.rename(image.with_suffix(".PNG"))
    capture = open_capture(tmp_path)
    assert len(capture.views) == 9
    assert not any("no pose" in note for note in capture.notes)


@pytest.mark.parametrize("binary", [True, False])
def test_names_with_spaces_and_of_all_scripts_are_read(tmp_path, binary):
    cameras, images, points = made_model(3)
    names = ("a b 1.png", "Ünïcode 例.png", "ß.png")
    images = [(*image[:4], name, *image[5:]) for image, name in zip(images, names, strict=True)]
    write_colmap(tmp_path, (cameras, images, points), binary=binary)
    views = open_capture(tmp_path).views
    assert {view.image_path.name for view in views} == set(names)


@pytest.mark.parametrize(
    ("head", "kind"),
    [
        (b"GIF89a", "a GIF image"),
        (b"8BPS\0\1", "a Photoshop file"),
        (b"\xff\x0a", "a JPEG XL image"),
        (b"\0\0\0\x0cjP  \r\n", "a JPEG 2000 image"),
    ],
)
def test_images_of_known_other_kinds_are_named(tmp_path, head, kind):
    (tmp_path / "a.png").write_bytes(head + bytes(64))
    with pytest.raises(UserError, match=f"is {kind}, which cannot be read; save it as PNG"):
        load_image(tmp_path / "a.png")


def test_a_capture_of_images_that_cannot_be_read_names_their_kind(tmp_path):
    write_json(tmp_path / "transforms.json", {"fl_x": 10, "frames": frames(ring(2), "r_{}")})
    for index in range(2):
        (tmp_path / f"r_{index}.jxl").write_bytes(b"\xff\x0a" + bytes(64))
    refuse(tmp_path, r"r_0\.jxl is a JPEG XL image.* save it as PNG")


@pytest.mark.parametrize("kind", ["float32", "int32", "uint32", "int16"])
def test_numbers_that_no_image_of_8_or_16_bits_holds_are_refused_by_name(tmp_path, kind):
    tifffile.imwrite(tmp_path / "a.tif", np.arange(12).reshape(3, 4).astype(kind))
    name = "floating-point numbers" if kind == "float32" else "whole numbers that are signed or of"
    for read in (load_image, read_header, shows_through):
        with pytest.raises(UserError, match=f"a.tif holds {name}.* with 8 or 16 bits"):
            read(tmp_path / "a.tif")


def deep_png(pixels, color_type):
    """A PNG of 16 bits, which Pillow cannot write in colour."""

    def chunk(name, data):
        check = zlib.crc32(name + data)
        return struct.pack(">I", len(data)) + name + data + struct.pack(">I", check)

    height, width = pixels.shape[:2]
    rows = b"".join(b"\0" + row.astype(">u2").tobytes() for row in pixels)
    header = struct.pack(">IIBBBBB", width, height, 16, color_type, 0, 0, 0)
    start = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header)
    return start + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")


@pytest.mark.parametrize(("channels", "color_type"), [(2, 4), (3, 2), (4, 6)])
def test_16_bit_colour_comes_exactly(tmp_path, channels, color_type):
    pixels = np.random.default_rng(0).integers(0, 65536, (5, 7, channels), dtype=np.uint16)
    (tmp_path / "a.png").write_bytes(deep_png(pixels, color_type))
    loaded = load_image(tmp_path / "a.png")
    assert loaded.dtype == np.uint16
    color = pixels[..., [0, 0, 0]] if channels == 2 else pixels[..., :3]
    np.testing.assert_array_equal(loaded[..., :3], color)
    alpha = pixels[..., -1] if channels != 3 else 65535
    np.testing.assert_array_equal(loaded[..., 3], np.broadcast_to(alpha, (5, 7)))


@pytest.mark.parametrize(
    "values",
    [
        {"aabb_scale": 1e308},
        {"scale": 1e-300},
        {"offset": [0, 1e300, 0]},
        {"aabb": [[-1e308] * 3, [1e308] * 3]},
        {"scale": 1e-12, "aabb_scale": 1e12},
        {"offset": [1e11, 0, 0], "scale": 1, "aabb_scale": 1e-3},
    ],
)
def test_boxes_that_no_scene_has_are_refused(tmp_path, values):
    write_transforms(tmp_path, 3, **values)
    refuse(tmp_path, "for a scene|farther than|upper corner must lie above")


def test_cameras_at_one_position_still_have_a_box_with_volume(tmp_path):
    for place in ((0.0, 0.0, 0.0), (1e9, -1e9, 1e9)):
        content = write_transforms(tmp_path, 4)
        for frame in content["frames"]:
            for row, value in zip(frame["transform_matrix"], place, strict=False):
                row[3] = value
        write_json(tmp_path / "transforms.json", content)
        capture = open_capture(tmp_path)
        box = np.float32(capture.box - capture_origin(capture))
        assert (box[0] < box[1]).all()


def test_json_of_too_many_values_is_refused_before_it_is_parsed(tmp_path, monkeypatch):
    write_transforms(tmp_path, 3)
    monkeypatch.setattr(json_input, "MAX_VALUES", 50)
    refuse(tmp_path, "more than 50 values")


def test_a_long_name_is_shortened_in_sentences(tmp_path):
    content = write_transforms(tmp_path, 3)
    content["frames"][0]["file_path"] = "x" * 5000
    write_json(tmp_path / "transforms.json", content)
    assert max(map(len, open_capture(tmp_path).notes)) < 300
    content["frames"][1]["file_path"] = "y" * 5000
    content["frames"][1]["transform_matrix"] = 0
    write_json(tmp_path / "transforms.json", content)
    assert max(map(len, open_capture(tmp_path).notes)) < 300


@pytest.mark.parametrize("letter", ["\n", "\x7f", "\x85", "\u2028", "\udc80"])
def test_names_with_ends_of_lines_are_left_out(tmp_path, letter):
    content = write_transforms(tmp_path, 3)
    content["frames"][0]["file_path"] = f"a{letter}b.png"
    write_json(tmp_path / "transforms.json", content)
    read_but_one(tmp_path, "no file name can have")


def zipped(path, members):
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in members.items():
            archive.writestr(name, data)


def test_a_grid_that_promises_more_than_it_holds_is_refused_before_memory_is_taken(tmp_path):
    zipped(tmp_path / "grid.npz", {"density.npy": promising((1 << 14,) * 3) + bytes(800)})
    with pytest.raises(UserError, match="density is damaged"):
        parse_edits([{"op": "erase", "region": {"grid": "grid.npz"}}], tmp_path, "edits.json")


def test_an_archive_of_zeros_is_refused_before_it_is_unpacked(tmp_path):
    write_dtu(tmp_path)
    stream = io.BytesIO()
    np.save(stream, np.zeros(4_000_000))
    zipped(tmp_path / "cameras_sphere.npz", {"world_mat_0.npy": stream.getvalue()})
    assert (tmp_path / "cameras_sphere.npz").stat().st_size < 100_000
    refuse(tmp_path, "world_mat_0 is larger than 4 kB")
