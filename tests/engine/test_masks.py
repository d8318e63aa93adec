"""Masks: what is black in them is neither learned from nor measured, and is written again."""

import json
import re

import imageio.v3 as iio
import numpy as np
import pytest
import torch
from ball_capture import write_ball_capture
from capture_files import write_json, write_transforms
from colmap_files import write_colmap
from PIL import Image
from short_teachers import run_convert, run_train

from pvd_engine.data.formats.cameras_json import capture_to_dict
from pvd_engine.data.images.downscale import load_view
from pvd_engine.data.images.masks import load_mask
from pvd_engine.data.readers import open_capture
from pvd_engine.data.writers.writers import write_capture
from pvd_engine.errors import UserError
from pvd_engine.jobs.job import Job
from pvd_engine.measure.image_metrics import leaves_something, psnr, ssim
from pvd_engine.train.pixels import PixelTable
from pvd_engine.verbs import eval as evaluate
from pvd_engine.verbs.eval import EvalArguments

SIDE = 40
HIDDEN = (slice(24, None), slice(None))
"""The lower part of every picture, where something is that is not in the scene."""


def hide(folder, spoil=True, splits=("train", "val", "test"), mode="L"):
    """Give each image of the ball a mask, and pink where it hides something."""
    for split in splits:
        path = folder / f"transforms_{split}.json"
        content = json.loads(path.read_text())
        for frame in content["frames"]:
            image = folder / f"{frame['file_path']}.png"
            pixels = iio.imread(image)
            if spoil:
                pixels[HIDDEN] = (255, 0, 255, 255)
            iio.imwrite(image, pixels)
            mask = np.full((SIDE, SIDE), 255, np.uint8)
            mask[HIDDEN] = 0
            frame["mask_path"] = f"masks/{split}_{image.stem}.png"
            target = folder / frame["mask_path"]
            target.parent.mkdir(exist_ok=True)
            Image.fromarray(mask).convert(mode).save(target)
        write_json(path, content)
    return folder


@pytest.fixture
def ball(tmp_path):
    return write_ball_capture(tmp_path / "ball", SIDE)


def test_a_camera_entrys_mask_path_becomes_its_views_mask(ball):
    capture = open_capture(hide(ball))
    counts = load_mask(capture.views[0])
    assert counts.shape == (SIDE, SIDE) and counts[:24].all() and not counts[24:].any()
    told = capture_to_dict(capture)
    assert told["masks"] == len(capture.views)
    assert all(view["mask_path"].endswith(".png") for view in told["views"])
    assert any("images have a mask" in note for note in capture.notes)


@pytest.mark.parametrize("mode", ["1", "RGB", "RGBA", "P"])
def test_a_mask_may_be_an_image_of_any_kind(ball, mode):
    counts = load_mask(open_capture(hide(ball, mode=mode)).views[0])
    assert counts[:24].all() and not counts[24:].any()


def test_a_mask_that_does_not_exist_is_reported_and_its_image_counts_whole(ball):
    hide(ball)
    (ball / "masks" / "train_r_3.png").unlink()
    capture = open_capture(ball)
    assert capture.split("train")[3].mask_path is None
    assert any(
        note.startswith("1 listed mask does not exist, so all pixels of its image")
        for note in capture.notes
    )


@pytest.mark.parametrize(
    ("listed", "note"),
    [
        ("../secret.png", "1 listed mask does not exist"),
        ("/etc/passwd", "1 listed mask does not exist"),
        (3, "1 of .* left out.* mask_path must be text"),
    ],
)
def test_a_mask_path_that_is_none_is_reported(ball, listed, note):
    path = ball / "transforms_train.json"
    content = json.loads(path.read_text())
    content["frames"][0]["mask_path"] = listed
    write_json(path, content)
    assert any(re.search(note, text) for text in open_capture(ball).notes)


def test_colmaps_folder_of_masks_is_read(tmp_path):
    write_colmap(tmp_path)
    capture = open_capture(tmp_path)
    first = capture.views[0]
    mask = tmp_path / "masks" / f"{first.image_path.relative_to(tmp_path / 'images')}.png"
    mask.parent.mkdir(parents=True, exist_ok=True)
    size = (first.camera.width, first.camera.height)
    Image.new("L", size).save(mask)
    masked = open_capture(tmp_path)
    assert [view.mask_path for view in masked.views] == [mask] + [None] * (len(masked.views) - 1)
    assert not load_mask(masked.views[0]).any()


def test_a_mask_of_another_size_is_stretched_and_one_of_another_shape_refused(ball):
    view = open_capture(hide(ball)).views[0]
    Image.open(view.mask_path).resize((5, 5), Image.Resampling.NEAREST).save(view.mask_path)
    counts = load_mask(view)
    assert counts.shape == (SIDE, SIDE) and counts[:24].all() and not counts[24:].any()
    Image.new("L", (40, 30), 255).save(view.mask_path)
    with pytest.raises(UserError, match="another shape"):
        load_mask(view)


def test_a_smaller_pixel_counts_when_all_that_it_covers_does(ball):
    counts = load_mask(open_capture(hide(ball), 5).views[0])
    assert counts.shape == (8, 8)
    assert counts[:4].all() and not counts[4:].any(), "row 4 covers the pixels 20 to 24"


def test_masked_pixels_are_never_drawn(ball):
    views = open_capture(hide(ball)).split("train")
    with PixelTable.open(views, torch.device("cpu")) as pixels:
        rays, rgba = pixels.draw(20_000, torch.Generator().manual_seed(0))
    pink = torch.tensor([1.0, 0.0, 1.0, 1.0])
    assert not (rgba == pink).all(dim=1).any()
    whole = open_capture(write_ball_capture(ball.parent / "whole", SIDE)).split("train")
    with PixelTable.open(whole, torch.device("cpu")) as pixels:
        everything = pixels.draw(20_000, torch.Generator().manual_seed(0))[0]
    assert len(rays.origins.unique(dim=0)) == len(everything.origins.unique(dim=0)) == len(views)


def test_a_capture_that_is_masked_whole_is_one_sentence(ball):
    for path in sorted((hide(ball) / "masks").iterdir()):
        Image.new("L", (SIDE, SIDE)).save(path)
    with pytest.raises(UserError, match="mask"):
        run_train(ball, ball.parent / "f.safetensors", steps=2)


def test_a_field_learns_and_is_measured_as_if_the_hidden_were_not_there(tmp_path, ball):
    out = tmp_path / "field.safetensors"
    run_train(hide(ball), out, arch="vm", steps=80)
    clean = write_ball_capture(tmp_path / "clean", SIDE)
    hide(clean, spoil=False)
    spoiled, truth = (
        evaluate.run(EvalArguments(field=out, capture=folder), Job(tmp_path / folder.name))
        for folder in (ball, clean)
    )
    assert spoiled["psnr"] == pytest.approx(truth["psnr"]) and spoiled["psnr"] > 22
    assert spoiled["ssim"] == pytest.approx(truth["ssim"])

    result = run_convert(tmp_path, tmp_path, "field", to="light_field", steps=12, fine_tune=0.5)
    assert result["fine_tuned"]


def test_eval_and_report_measure_the_same_views_where_a_mask_leaves_too_little(tmp_path, ball):
    field = tmp_path / "field.safetensors"
    run_train(hide(ball), field, arch="vm", steps=5)
    little = np.zeros((SIDE, SIDE), np.uint8)
    little[:3, :3] = 255
    Image.fromarray(little).save(next((ball / "masks").glob("test_*")))
    told = evaluate.run(EvalArguments(field=field, capture=ball), Job(tmp_path / "eval"))
    figures = run_convert(tmp_path, tmp_path, "field", steps=2, report=True)["figures"]
    assert figures["source_psnr_to_images"]["psnr"] == pytest.approx(told["psnr"], abs=1e-6)
    assert figures["source_psnr_to_images"]["measured_on"] == told["measured_on"]
    count = len(list((ball / "masks").glob("test_*")))
    assert told["measured_on"] == f"{count - 1} of {count} test views, {SIDE} px"


def test_pixels_that_do_not_count_change_no_measure():
    random = np.random.default_rng(0)
    target, image = random.random((30, 30, 3)), random.random((30, 30, 3))
    counts = np.ones((30, 30), bool)
    counts[3:7, 20:] = counts[28, 5] = False
    other = np.where(counts[..., None], image, 0.3)
    assert psnr(image, target, counts) == psnr(other, target, counts) != psnr(image, target)
    assert ssim(image, target, counts) == ssim(other, target, counts)
    everywhere = np.ones((30, 30), bool)
    assert psnr(image, target, everywhere) == pytest.approx(psnr(image, target))
    assert ssim(image, target, everywhere) == pytest.approx(ssim(image, target))
    counts[15] = False
    assert leaves_something(counts)
    counts[:, ::11] = False
    assert not leaves_something(counts) and leaves_something(None)


@pytest.mark.parametrize("to", ["nerfstudio", "colmap"])
@pytest.mark.parametrize("factor", [1, 2])
def test_masks_are_written_with_the_images(tmp_path, ball, to, factor):
    before = open_capture(hide(ball), factor)
    write_capture(before, to, tmp_path / "out")
    after = open_capture(tmp_path / "out")

    def masked(capture):
        pairs = [(load_view(v).tobytes(), load_mask(v).tobytes()) for v in capture.views]
        return sorted(pairs)

    assert masked(after) == masked(before)


def test_a_mask_of_instant_ngp_hides_what_it_shows(tmp_path):
    write_transforms(tmp_path / "in", 3)
    shown = np.zeros((6, 8), np.uint8)
    shown[2:4, 1:6] = 200
    iio.imwrite(tmp_path / "in" / "images" / "dynamic_mask_001.png", shown)
    capture = open_capture(tmp_path / "in")
    masks = [load_mask(view) for view in capture.views]
    assert masks[0] is None and masks[2] is None
    assert np.array_equal(masks[1], shown == 0)
    assert any("1 image has a dynamic_mask" in note for note in capture.notes)
    write_capture(capture, "nerfstudio", tmp_path / "out")
    assert np.array_equal(load_mask(open_capture(tmp_path / "out").views[1]), shown == 0)


def test_a_format_without_masks_says_so(tmp_path, ball):
    notes = write_capture(open_capture(hide(ball)), "nerf-synthetic", tmp_path / "out")
    assert any("masks" in note for note in notes)
