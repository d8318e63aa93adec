import io
import zlib
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from pvd_engine.errors import UserError
from pvd_engine.files import images
from pvd_engine.files.images import has_alpha, image_size, load_image, write_png

RANDOM = np.random.default_rng(0)
RGBA = RANDOM.integers(0, 256, (5, 7, 4), dtype=np.uint8)


def test_a_png_comes_back_as_it_was_written(tmp_path):
    path = write_png(tmp_path / "deep" / "a.png", RGBA)
    np.testing.assert_array_equal(load_image(path), RGBA)
    assert image_size(path) == (7, 5)
    assert has_alpha(path)
    assert list(path.parent.iterdir()) == [path], "no temporary file stays"


@pytest.mark.parametrize("array", [RGBA[..., :3], RGBA[..., 0]])
def test_images_without_alpha_are_opaque(tmp_path, array):
    path = write_png(tmp_path / "a.png", array)
    loaded = load_image(path)
    assert loaded.shape == (5, 7, 4)
    assert (loaded[..., 3] == 255).all()
    np.testing.assert_array_equal(loaded[..., 1], array[..., 1] if array.ndim == 3 else array)
    assert not has_alpha(path)


def test_16_bit_grey_keeps_its_bits(tmp_path):
    values = np.array([[0, 128, 257 * 100, 65535]], dtype=np.uint16)
    Image.fromarray(values).save(tmp_path / "a.png")
    np.testing.assert_array_equal(load_image(tmp_path / "a.png")[0, :, 2], values[0])


def test_palette_with_transparency_keeps_its_alpha(tmp_path):
    image = Image.fromarray(np.array([[0, 1, 2]], dtype=np.uint8), mode=None).convert("P")
    image.putpalette([10, 20, 30, 40, 50, 60, 70, 80, 90])
    image.save(tmp_path / "a.png", transparency=bytes([0, 128, 255]))
    assert has_alpha(tmp_path / "a.png")
    expected = [[[10, 20, 30, 0], [40, 50, 60, 128], [70, 80, 90, 255]]]
    np.testing.assert_array_equal(load_image(tmp_path / "a.png"), expected)


def test_grey_with_alpha(tmp_path):
    Image.fromarray(RGBA[..., :2].copy(), mode="LA").save(tmp_path / "a.png")
    loaded = load_image(tmp_path / "a.png")
    np.testing.assert_array_equal(loaded[..., [0, 3]], RGBA[..., :2])


def test_cmyk_jpeg_is_converted(tmp_path):
    Image.new("CMYK", (16, 16), (0, 255, 255, 0)).save(tmp_path / "a.jpg", quality=95)
    red, green, blue, alpha = load_image(tmp_path / "a.jpg")[8, 8]
    assert red > 240
    assert green < 15
    assert blue < 15
    assert alpha == 255


def turned_jpeg(path, orientation):
    picture = np.zeros((16, 32, 3), dtype=np.uint8)
    picture[:, 16:] = 255
    exif = Image.Exif()
    exif[0x0112] = orientation
    Image.fromarray(picture).save(path, quality=95, exif=exif)


def test_pixels_come_as_stored_unless_only_the_turned_size_fits(tmp_path):
    path = tmp_path / "a.jpg"
    turned_jpeg(path, 6)
    assert image_size(path) == (32, 16)
    stored = load_image(path, expected_size=(32, 16))
    assert stored[8, 28, 0] > 240 > 15 > stored[8, 4, 0]
    np.testing.assert_array_equal(load_image(path), stored)
    turned = load_image(path, expected_size=(16, 32))
    assert turned.shape == (32, 16, 4)
    # Orientation 6 asks to be turned clockwise: the right half becomes the lower one.
    assert turned[28, 8, 0] > 240 > 15 > turned[4, 8, 0]


def test_another_size_than_expected_is_refused(tmp_path):
    path = write_png(tmp_path / "a.png", RGBA)
    with pytest.raises(UserError, match="7 x 5 pixels, but its camera has 5 x 7"):
        load_image(path, expected_size=(5, 7))


def test_a_truncated_png_is_named(tmp_path):
    path = write_png(tmp_path / "cut.png", RANDOM.integers(0, 256, (64, 64, 4), dtype=np.uint8))
    path.write_bytes(path.read_bytes()[:4000])
    with pytest.raises(UserError, match=r"cut\.png is damaged"):
        load_image(path)


@pytest.mark.parametrize("content", [b"", b"%!PS-Adobe-3.0 EPSF-3.0\n", b"BM"])
def test_files_of_other_kinds_are_refused(tmp_path, content):
    (tmp_path / "a.png").write_bytes(content)
    with pytest.raises(UserError, match="not an image"):
        load_image(tmp_path / "a.png")


def test_missing_files_and_folders_are_refused(tmp_path):
    with pytest.raises(UserError, match="does not exist"):
        load_image(tmp_path / "a.png")
    with pytest.raises(UserError):
        load_image(tmp_path)


def test_too_many_pixels_are_refused_before_decoding(tmp_path, monkeypatch):
    path = write_png(tmp_path / "a.png", RGBA)
    monkeypatch.setattr(images, "MAX_PIXELS", 34)
    with pytest.raises(UserError, match="too many to read"):
        image_size(path)


def test_a_bomb_of_billions_of_pixels_is_refused(tmp_path):
    path = write_png(tmp_path / "a.png", RGBA)
    data = bytearray(path.read_bytes())
    data[16:24] = (200_000).to_bytes(4, "big") * 2
    # The header's checksum has to fit, or the file would be refused for that.
    data[29:33] = zlib.crc32(bytes(data[12:29])).to_bytes(4, "big")
    path.write_bytes(data)
    with pytest.raises(UserError, match="too many"):
        image_size(path)


def test_a_failed_write_leaves_the_old_image_and_no_rest(tmp_path):
    path = write_png(tmp_path / "a.png", RGBA)
    blocked = path / "b.png"
    with pytest.raises(UserError, match="cannot be written"):
        write_png(blocked, RGBA)
    np.testing.assert_array_equal(load_image(path), RGBA)
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="this system has no /dev/full")
def test_a_full_disk_is_one_sentence_and_leaves_the_old_image(tmp_path, monkeypatch):
    path = write_png(tmp_path / "a.png", RGBA)
    save = Image.Image.save

    def save_on_a_full_disk(image, _, **options):
        with Path("/dev/full").open("wb", buffering=0) as full:
            save(image, full, **options)

    monkeypatch.setattr(Image.Image, "save", save_on_a_full_disk)
    with pytest.raises(UserError, match="disk is full"):
        write_png(path, RGBA)
    np.testing.assert_array_equal(load_image(path), RGBA)
    assert list(tmp_path.iterdir()) == [path]


def test_only_8_bit_images_are_written(tmp_path):
    with pytest.raises(ValueError, match="8-bit"):
        write_png(tmp_path / "a.png", RGBA.astype(np.float32))


def encoded(kind):
    buffer = io.BytesIO()
    picture = RANDOM.integers(0, 256, (24, 24, 3), dtype=np.uint8)
    Image.fromarray(picture).save(buffer, format=kind)
    return buffer.getvalue()


ENCODED = {kind: encoded(kind) for kind in ("PNG", "JPEG", "WEBP", "TIFF", "BMP")}


@pytest.mark.filterwarnings("ignore::UserWarning:PIL")
@settings(
    max_examples=250,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(
    kind=st.sampled_from(sorted(ENCODED)),
    start=st.integers(0, 400),
    length=st.integers(0, 60),
    patch=st.binary(max_size=16),
    cut=st.one_of(st.none(), st.integers(0, 2000)),
)
def test_damaged_images_give_pixels_or_one_sentence(tmp_path, kind, start, length, patch, cut):
    data = ENCODED[kind]
    path = tmp_path / "a.img"
    path.write_bytes((data[:start] + patch + data[start + length :])[:cut])
    try:
        assert load_image(path).dtype == np.uint8
    except UserError as error:
        assert "a.img" in str(error)
