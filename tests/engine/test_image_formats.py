"""Formats of images beside 8-bit PNG: deep, linear, and those of optional readers."""

import builtins
import io
import json
import struct
import sys

import cv2
import imageio.v3 as iio
import numpy as np
import OpenEXR
import pytest
import tifffile
from ball_capture import write_ball_capture
from engine_process import pvd

from pvd_engine.data.images.image_size import trained_exposure
from pvd_engine.data.readers import open_capture
from pvd_engine.errors import UserError
from pvd_engine.files import images
from pvd_engine.files.images import load_image, read_header, shows_through, write_png
from pvd_engine.files.resize import resized

RANDOM = np.random.default_rng(0)
DEEP = RANDOM.integers(0, 65536, (9, 13, 4), dtype=np.uint16)
CHROMATICITIES_ACES = (0.7347, 0.2653, 0.0, 1.0, 0.0001, -0.077, 0.32168, 0.33767)


def bgr(rgb):
    return rgb[..., [2, 1, 0, *range(3, rgb.shape[-1])]]


def srgb(linear):
    """The curve of IEC 61966-2-1, of values that are clipped to [0, 1]."""
    value = np.clip(linear, 0, 1)
    return np.where(value <= 0.0031308, value * 12.92, 1.055 * value ** (1 / 2.4) - 0.055)


def write_exr(path, channels, **header):
    values = {"compression": OpenEXR.ZIP_COMPRESSION, "type": OpenEXR.scanlineimage, **header}
    planes = {name: np.ascontiguousarray(plane) for name, plane in channels.items()}
    OpenEXR.File(values, planes).write(str(path))
    return path


def planes(rgba, names="RGBA"):
    return {name: rgba[..., index] for index, name in enumerate(names[: rgba.shape[-1]])}


def write_hdr(path, rgb):
    assert cv2.imwrite(str(path), bgr(rgb))
    return path


@pytest.mark.parametrize("suffix", [".png", ".webp", ".tif", ".bmp"])
def test_lossless_formats_come_exactly(tmp_path, suffix):
    picture = RANDOM.integers(0, 256, (9, 13, 3), dtype=np.uint8)
    path = tmp_path / f"a{suffix}"
    iio.imwrite(path, picture, plugin="pillow", **({"lossless": True} if suffix == ".webp" else {}))
    loaded = load_image(path)
    np.testing.assert_array_equal(loaded[..., :3], picture)
    assert (loaded[..., 3] == 255).all()
    assert not read_header(path).deep


@pytest.mark.parametrize("suffix", [".jpg", ".webp", ".avif"])
def test_lossy_formats_come_closely(tmp_path, suffix):
    x, y = np.meshgrid(np.linspace(0, 1, 48), np.linspace(0, 1, 32))
    picture = (np.stack([x, y, 0.5 * np.ones_like(x)], axis=-1) * 255).astype(np.uint8)
    path = tmp_path / f"a{suffix}"
    iio.imwrite(path, picture, plugin="pillow", quality=95)
    assert read_header(path).width == 48
    assert np.abs(load_image(path)[..., :3].astype(int) - picture).max() < 12


@pytest.mark.parametrize("channels", [3, 4])
@pytest.mark.parametrize("suffix", [".png", ".tif"])
def test_16_bits_of_colour_are_kept(tmp_path, suffix, channels):
    path = tmp_path / f"a{suffix}"
    assert cv2.imwrite(str(path), bgr(DEEP[..., :channels]))  # TIFF: LZW with a predictor
    loaded = load_image(path)
    assert loaded.dtype == np.uint16
    assert read_header(path).deep
    np.testing.assert_array_equal(loaded[..., :channels], DEEP[..., :channels])
    if channels == 3:
        assert (loaded[..., 3] == 65535).all()
        assert not shows_through(path)
    else:
        assert shows_through(path)


def test_values_that_differ_in_the_low_byte_stay_different(tmp_path):
    picture = np.full((1, 2, 3), 0x1234, np.uint16)
    picture[0, 1] = 0x1235
    assert cv2.imwrite(str(tmp_path / "a.png"), picture)
    left, right = load_image(tmp_path / "a.png")[0]
    assert (left[:3] == 0x1234).all()
    assert (right[:3] == 0x1235).all()


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("compression", [None, "zlib"])
def test_tiffs_of_either_byte_order_keep_16_bits(tmp_path, order, compression):
    path = tmp_path / "a.tif"
    options = {"photometric": "rgb", "compression": compression, "byteorder": order}
    tifffile.imwrite(path, DEEP, extrasamples=["unassalpha"], **options)
    np.testing.assert_array_equal(load_image(path), DEEP)


def test_premultiplied_tiffs_become_straight(tmp_path):
    straight = DEEP.copy()
    straight[..., 3] = RANDOM.integers(20000, 65536, DEEP.shape[:2])
    straight[0, 0] = 0
    alpha = straight[..., 3:].astype(np.float64) / 65535
    premultiplied = np.dstack([straight[..., :3] * alpha + 0.5, straight[..., 3]]).astype(np.uint16)
    path = tmp_path / "a.tif"
    tifffile.imwrite(path, premultiplied, photometric="rgb", extrasamples=["assocalpha"])
    difference = np.abs(load_image(path).astype(int) - straight)
    assert difference.max() <= 3  # half a level, divided by the least alpha


def test_a_transparent_key_colour_of_16_bits_is_not_its_8_bit_neighbour(tmp_path):
    picture = np.full((1, 2, 3), 0x1234, np.uint16)
    picture[0, 1] = 0x1235
    data = bytearray(images._png_of_16_bits(picture))
    body = b"tRNS" + struct.pack(">3H", 0x1234, 0x1234, 0x1234)
    chunk = struct.pack(">I", 6) + body + struct.pack(">I", images.zlib.crc32(body))
    at = data.index(b"IDAT") - 4
    (tmp_path / "a.png").write_bytes(data[:at] + chunk + data[at:])
    assert load_image(tmp_path / "a.png")[0, :, 3].tolist() == [0, 65535]
    assert shows_through(tmp_path / "a.png")


@pytest.mark.parametrize("channels", [3, 4])
def test_16_bit_pngs_are_written(tmp_path, channels):
    path = write_png(tmp_path / "a.png", DEEP[..., :channels])
    read = cv2.imread(str(path), cv2.IMREAD_UNCHANGED)
    np.testing.assert_array_equal(bgr(read), DEEP[..., :channels])


def test_16_bits_are_reduced_by_area_with_colours_weighted_by_alpha():
    rgba = RANDOM.integers(0, 65536, (8, 12, 4), dtype=np.uint16)
    values = rgba.astype(np.float64).reshape(4, 2, 6, 2, 4)
    alpha = values[..., 3].mean(axis=(1, 3))
    color = (values[..., :3] * values[..., 3:]).mean(axis=(1, 3)) / alpha[..., None]
    reduced = resized(rgba, (6, 4))
    np.testing.assert_allclose(reduced[..., :3], color, atol=1)
    np.testing.assert_allclose(reduced[..., 3], alpha, atol=1)


@pytest.mark.parametrize("kind", [np.float16, np.float32])
@pytest.mark.parametrize("exposure", [0.0, -1.5])
def test_linear_openexr_becomes_srgb(tmp_path, kind, exposure):
    linear = (RANDOM.random((9, 13, 3)) ** 3 * 2).astype(kind)
    linear[0, 0] = (0.002, -1, 50)
    path = write_exr(tmp_path / "a.exr", planes(linear))
    expected = srgb(linear.astype(np.float64) * 2**exposure) * 65535
    loaded = load_image(path, exposure=exposure)
    np.testing.assert_allclose(loaded[..., :3], expected, atol=0.51)
    assert (loaded[..., 3] == 65535).all()
    header = read_header(path)
    assert (header.width, header.height, header.linear, header.has_alpha) == (13, 9, True, False)


def test_openexr_has_premultiplied_alpha(tmp_path):
    straight = RANDOM.random((9, 13, 4)).astype(np.float32) * 0.9 + 0.1
    straight[0, 0] = 0
    premultiplied = straight.copy()
    premultiplied[..., :3] *= straight[..., 3:]
    path = write_exr(tmp_path / "a.exr", planes(premultiplied))
    loaded = load_image(path)
    np.testing.assert_allclose(loaded[..., :3], srgb(straight[..., :3]) * 65535, atol=0.6)
    np.testing.assert_allclose(loaded[..., 3], straight[..., 3] * 65535, atol=0.51)
    assert shows_through(path)


def test_pixels_that_are_not_numbers_are_black(tmp_path):
    linear = np.full((2, 2, 3), 0.5, np.float32)
    linear[0, 0] = (np.nan, np.inf, -np.inf)
    assert load_image(write_exr(tmp_path / "a.exr", planes(linear)))[0, 0].tolist() == [
        *(0, 65535, 0),
        65535,
    ]


def test_a_grey_openexr_and_the_combined_pass_of_blender_are_read(tmp_path):
    plane = RANDOM.random((4, 5)).astype(np.float32)
    grey = load_image(write_exr(tmp_path / "grey.exr", {"Y": plane}))
    np.testing.assert_allclose(grey[..., 2], srgb(plane) * 65535, atol=0.6)
    names = {
        f"ViewLayer.Combined.{name}": plane * (index + 1) / 4 for index, name in enumerate("RGB")
    }
    layers = write_exr(tmp_path / "layers.exr", {**names, "ViewLayer.Depth.Z": plane * 100})
    np.testing.assert_allclose(load_image(layers)[..., 1], srgb(plane / 2) * 65535, atol=0.6)


def test_what_is_shown_of_an_openexr_is_its_display_window(tmp_path):
    linear = np.full((4, 6, 3), 0.25, np.float32)
    windows = {
        "dataWindow": (np.array([2, 1], np.int32), np.array([7, 4], np.int32)),
        "displayWindow": (np.array([0, 0], np.int32), np.array([5, 8], np.int32)),
    }
    path = write_exr(tmp_path / "a.exr", planes(linear), **windows)
    loaded = load_image(path)
    assert loaded.shape == (9, 6, 4)
    stored = np.zeros((9, 6), bool)
    stored[1:5, 2:] = True
    np.testing.assert_array_equal(loaded[..., 3] == 65535, stored)
    assert (loaded[~stored] == 0).all()
    np.testing.assert_allclose(loaded[stored][:, 0], srgb(0.25) * 65535, atol=0.51)


def test_openexr_of_other_colours_is_refused(tmp_path):
    plane = np.ones((4, 4), np.float32)
    depth = write_exr(tmp_path / "depth.exr", {"Z": plane})
    with pytest.raises(UserError, match="no channels R, G and B of full size, but Z"):
        load_image(depth)
    rgb = {name: plane for name in "RGB"}
    aces = write_exr(tmp_path / "aces.exr", rgb, chromaticities=CHROMATICITIES_ACES)
    with pytest.raises(UserError, match=r"other primary colours.*Linear Rec\.709"):
        read_header(aces)


def test_without_its_library_openexr_is_refused_with_what_to_install(tmp_path, monkeypatch):
    path = write_exr(tmp_path / "a.exr", {name: np.ones((4, 4), np.float32) for name in "RGB"})
    monkeypatch.setitem(sys.modules, "OpenEXR", None)
    with pytest.raises(UserError, match=r"a\.exr is an OpenEXR image.*pip install OpenEXR"):
        read_header(path)


@pytest.mark.parametrize("width", [5, 40])  # narrow rows are not encoded
def test_radiance_images_become_srgb(tmp_path, width):
    linear = (RANDOM.random((7, width, 3)) ** 3 * 1.5).astype(np.float32)
    linear[2] = 0.25  # long runs
    linear[3, 1] = 0
    path = write_hdr(tmp_path / "a.hdr", linear)
    decoded = bgr(cv2.imread(str(path), cv2.IMREAD_UNCHANGED)).astype(np.float64)
    np.testing.assert_allclose(decoded, linear, atol=0.01)
    np.testing.assert_allclose(load_image(path)[..., :3], srgb(decoded) * 65535, atol=0.6)
    assert read_header(path).linear


def test_runs_of_old_radiance_images_are_read(tmp_path):
    pixels = bytes([128, 64, 32, 129]) + bytes([1, 1, 1, 44]) + bytes([1, 1, 1, 1])
    row = pixels + bytes([0, 0, 0, 0])  # 1 + 44 + (1 << 8) + 1 pixels
    start = b"#?RADIANCE\nFORMAT=32-bit_rle_rgbe\n\n-Y 1 +X 302\n"
    (tmp_path / "a.hdr").write_bytes(start + row)
    loaded = load_image(tmp_path / "a.hdr")[0, :, :3]
    np.testing.assert_allclose(
        loaded[:301], np.tile(srgb(np.array([1, 0.5, 0.25])), (301, 1)) * 65535, atol=0.6
    )
    assert loaded[301].tolist() == [0, 0, 0]


@pytest.mark.parametrize("suffix", [".exr", ".hdr", ".png"])
@pytest.mark.parametrize("part", [0.3, 0.6, 0.95])
def test_deep_images_that_are_cut_off_are_refused(tmp_path, suffix, part):
    rgb = RANDOM.random((40, 40, 3)).astype(np.float32)
    path = tmp_path / f"a{suffix}"
    if suffix == ".exr":
        write_exr(path, planes(rgb))
    elif suffix == ".hdr":
        write_hdr(path, rgb)
    else:
        write_png(path, (rgb * 65535).astype(np.uint16))
    data = path.read_bytes()
    path.write_bytes(data[: int(len(data) * part)])
    with pytest.raises(UserError, match=rf"a\{suffix} is damaged"):
        load_image(path)


def exr_bomb(folder):
    path = write_exr(folder / "a.exr", planes(np.ones((4, 4, 3), np.float32)))
    data = bytearray(path.read_bytes())
    for name in (b"dataWindow", b"displayWindow"):
        at = data.index(name + b"\0box2i\0") + len(name) + 11
        data[at : at + 16] = struct.pack("<4i", 0, 0, 199_999, 199_999)
    path.write_bytes(data)
    return path


def exr_with_hidden_pixels(folder):
    """A small picture, cut out of many stored pixels."""
    path = exr_bomb(folder)
    data = bytearray(path.read_bytes())
    at = data.index(b"displayWindow\0box2i\0") + 24
    data[at : at + 16] = struct.pack("<4i", 0, 0, 3, 3)
    path.write_bytes(data)
    return path


def hdr_bomb(folder):
    path = folder / "a.hdr"
    path.write_bytes(b"#?RADIANCE\nFORMAT=32-bit_rle_rgbe\n\n-Y 200000 +X 200000\n" + bytes(64))
    return path


def avif_bomb(folder):
    path = folder / "a.avif"
    iio.imwrite(path, np.zeros((16, 16, 3), np.uint8), plugin="pillow")
    data = bytearray(path.read_bytes())
    at = data.index(b"ispe") + 8
    data[at : at + 8] = struct.pack(">II", 200_000, 200_000)
    path.write_bytes(data)
    return path


@pytest.mark.parametrize("make", [exr_bomb, exr_with_hidden_pixels, hdr_bomb, avif_bomb])
def test_bombs_are_refused_before_anything_is_decoded(tmp_path, make, monkeypatch):
    path = make(tmp_path)
    asked = []
    reserve = np.zeros

    def zeros(shape, *rest, **more):
        asked.append(np.prod(shape))
        return reserve(shape, *rest, **more)

    monkeypatch.setattr(np, "zeros", zeros)
    with pytest.raises(UserError, match=r"too many|not an image that can be read"):
        load_image(path)
    assert not asked


def test_a_size_beyond_the_limit_is_refused_from_the_header(tmp_path, monkeypatch):
    monkeypatch.setattr(images, "MAX_PIXELS", 100)
    for path in (
        write_exr(tmp_path / "a.exr", planes(np.ones((11, 10, 3), np.float32))),
        write_hdr(tmp_path / "a.hdr", np.ones((11, 10, 3), np.float32)),
        write_png(tmp_path / "a.png", np.ones((11, 10, 3), np.uint16)),
    ):
        with pytest.raises(UserError, match="10 x 11 pixels, too many"):
            read_header(path)


def heic_bytes():
    pillow_heif = pytest.importorskip("pillow_heif")
    buffer = io.BytesIO()
    picture = np.full((32, 48, 3), (200, 100, 50), np.uint8)
    pillow_heif.from_bytes("RGB", (48, 32), picture.tobytes()).save(buffer, quality=90)
    return buffer.getvalue()


def test_heic_is_read_where_its_reader_is_installed(tmp_path):
    (tmp_path / "a.heic").write_bytes(heic_bytes())
    header = read_header(tmp_path / "a.heic")
    assert (header.width, header.height, header.turned) == (48, 32, False)
    color = load_image(tmp_path / "a.heic")[16, 24]
    assert np.abs(color.astype(int) - (200, 100, 50, 255)).max() < 8


def test_heic_is_refused_with_what_to_install(tmp_path, monkeypatch):
    (tmp_path / "a.jpg").write_bytes(b"\0\0\0\x18ftypheic" + bytes(64))
    imported = builtins.__import__

    def without_heif(name, *rest, **more):
        if name == "pillow_heif":
            raise ImportError(name)
        return imported(name, *rest, **more)

    monkeypatch.setattr(builtins, "__import__", without_heif)
    with pytest.raises(UserError, match=r"a\.jpg is a HEIC image.*pip install pillow-heif"):
        read_header(tmp_path / "a.jpg")


def test_a_film_is_no_image(tmp_path):
    (tmp_path / "a.heic").write_bytes(b"\0\0\0\x18ftypisom" + bytes(64))
    with pytest.raises(UserError, match="a film"):
        read_header(tmp_path / "a.heic")


def test_broken_exif_data_does_not_spoil_an_image(tmp_path):
    picture = np.full((16, 24, 3), 120, np.uint8)
    exif = b"Exif\0\0II*\0\xff\xff\xff\x7f" + bytes(8)
    iio.imwrite(tmp_path / "a.jpg", picture, plugin="pillow", exif=exif)
    assert load_image(tmp_path / "a.jpg").shape == (16, 24, 4)


def linear_ball(folder):
    """The ball's capture with linear OpenEXR images, premultiplied, in place of its PNGs."""
    write_ball_capture(folder, size=24, counts=(("train", 6), ("test", 2)))
    for path in folder.glob("*/*.png"):
        rgba = load_image(path).astype(np.float64) / 255
        color = rgba[..., :3]
        linear = np.where(color <= 0.04045, color / 12.92, ((color + 0.055) / 1.055) ** 2.4)
        pixels = np.dstack([linear * rgba[..., 3:], rgba[..., 3]]).astype(np.float32)
        write_exr(path.with_suffix(".exr"), planes(pixels))
        path.unlink()
    return folder


def test_a_capture_of_linear_light_looks_like_that_of_display_colour(tmp_path):
    write_ball_capture(tmp_path / "png", size=24, counts=(("train", 6), ("test", 2)))
    capture = open_capture(linear_ball(tmp_path / "exr"))
    assert capture.has_alpha
    assert capture.exposure == 0
    for shown, view in zip(open_capture(tmp_path / "png").views, capture.views, strict=True):
        assert view.image_path.suffix == ".exr"
        wanted, found = load_image(shown.image_path), load_image(view.image_path)
        seen = wanted[..., 3] > 0
        assert np.abs(found[seen] / 257 - wanted[seen]).max() < 0.02
    assert any(
        note == "8 images hold linear light; it is shown by the curve of sRGB."
        for note in capture.notes
    )


def test_values_above_one_are_counted_in_a_note(tmp_path):
    capture = open_capture(linear_ball(tmp_path / "exr"), exposure=3)
    (note,) = [note for note in capture.notes if "linear light" in note]
    assert "at +3 stops, with values above 1 clipped (about" in note


def test_light_of_transparent_pixels_is_counted_in_a_note(tmp_path):
    folder = linear_ball(tmp_path / "exr")
    for path in sorted(folder.glob("**/*.exr")):
        light = np.ones((24, 24, 4), np.float32)
        light[:6, :, 3] = 0  # a quarter glows without covering anything
        write_exr(path, planes(light))
    capture = open_capture(folder)
    assert any("light where alpha is 0 is left out (25.0 %" in note for note in capture.notes), (
        capture.notes
    )


def test_rendered_pictures_of_all_formats_are_the_same_picture(tmp_path):
    folder = linear_ball(tmp_path / "exr")
    field = tmp_path / "field.safetensors"
    done = pvd("train", folder, "--steps", "20", "--device", "cpu", "--out", field)
    assert done.returncode == 0, done.stderr
    for kind in ("png", "png16", "exr"):
        done = pvd(
            *("render", field, "--capture", folder, "--split", "train", "--device", "cpu"),
            *("--out", tmp_path / kind, "--format", kind),
        )
        assert done.returncode == 0, done.stderr
    for small in sorted((tmp_path / "png").glob("**/*.png")):
        below = small.relative_to(tmp_path / "png")
        eight = iio.imread(small).astype(int)
        sixteen = cv2.imread(str(tmp_path / "png16" / below), cv2.IMREAD_UNCHANGED)
        assert sixteen.dtype == np.uint16
        sixteen = bgr(sixteen).astype(np.float64) / 65535
        assert np.abs(eight / 255 - sixteen).max() <= 0.5 / 255 + 1e-4
        light = OpenEXR.File(str(tmp_path / "exr" / below.with_suffix(".exr"))).channels()
        light = light["RGBA"].pixels.astype(np.float64)
        alpha = light[..., 3:]
        np.testing.assert_allclose(alpha, sixteen[..., 3:], atol=1e-5)
        seen = alpha[..., 0] > 0.01
        shown = srgb(light[..., :3] / np.maximum(alpha, 1e-6))
        assert seen.any()
        np.testing.assert_allclose(shown[seen], sixteen[seen][:, :3], atol=2e-5)


def test_training_on_openexr_states_the_curve_and_the_exposure(tmp_path):
    folder = linear_ball(tmp_path / "exr")
    out = tmp_path / "field.safetensors"
    done = pvd(
        *("train", folder, "--steps", "20", "--device", "cpu", "--out", out),
        *("--exposure", "-0.5"),
    )
    assert done.returncode == 0, done.stderr
    described = pvd("info", out).stdout
    assert "curve: sRGB, clipped to [0, 1]" in described
    assert "exposure: -0.5" in described
    header = json.loads(pvd("info", out, "--json").stdout.splitlines()[-1])["field"]
    assert trained_exposure(header["provenance"]) == -0.5
    told = pvd("info", folder, "--json").stdout
    assert "8 images hold linear light" in told
    assert not list(tmp_path.glob("**/*.part"))
    measured = pvd("eval", out, "--capture", folder, "--device", "cpu", "--json")
    assert measured.returncode == 0, measured.stderr


def test_names_of_openexr_channels_that_are_no_text_end_in_a_sentence(tmp_path):
    path = write_exr(tmp_path / "a.exr", planes(np.ones((4, 4, 4), np.float32)))
    data = path.read_bytes()
    path.write_bytes(data.replace(b"chlist\0\x49\0\0\0A\0", b"chlist\0\x49\0\0\0\x8b\0", 1))
    assert path.read_bytes() != data
    with pytest.raises(UserError, match="is damaged"):
        load_image(path)
