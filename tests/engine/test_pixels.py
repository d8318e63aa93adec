"""The table of training pixels: whole where it fits, and else a part of every view, renewed."""

import json
import math
import threading
import time

import imageio.v3 as iio
import numpy as np
import pytest
import torch
from capture_files import ring
from stopping_job import StoppingJob

from pvd_engine.data.capture import Camera, View
from pvd_engine.errors import Cancelled, UserError
from pvd_engine.jobs.fraction import QUIET_SECONDS, count_reporter
from pvd_engine.jobs.job import Job
from pvd_engine.jobs.progress_bar import describe
from pvd_engine.train.pixels import COLOR_BYTES, FIRST_VIEWS, POSITION_BYTES, PixelTable, spread

CPU = torch.device("cpu")
COUNT, WIDTH, HEIGHT = 48, 10, 7
SMALL = 480 * (COLOR_BYTES + POSITION_BYTES)
"""Bytes for 480 of the 3360 pixels: 10 of each view, less one for rounding."""


@pytest.fixture(scope="module")
def views(tmp_path_factory):
    """Views whose pixels say where they are: red the view, green the column, blue the row."""
    folder = tmp_path_factory.mktemp("views")
    result = []
    for number, pose in enumerate(ring(COUNT)):
        y, x = np.mgrid[:HEIGHT, :WIDTH]
        pixels = np.stack([np.full_like(x, number), x, y], -1).astype(np.uint8)
        path = folder / f"{number:02d}.png"
        iio.imwrite(path, pixels)
        camera = Camera(pose, WIDTH, HEIGHT, 12.0, 12.0, WIDTH / 2, HEIGHT / 2)
        result.append(View(path.stem, camera, "train", path))
    return result


def draws(table, count, seed=0, rays=64):
    """Drawn pixels, (count * rays, 3) int: view, column, row; and their rays' origins."""
    generator = torch.Generator().manual_seed(seed)
    drawn = [table.draw(rays, generator) for _ in range(count)]
    pixels = torch.cat([rgba[:, :3] for _, rgba in drawn]) * 255
    return pixels.round().int(), torch.cat([rays.origins for rays, _ in drawn])


def reading_threads():
    return [thread for thread in threading.enumerate() if thread.name.startswith("read-ahead")]


def test_where_all_fits_all_is_there_and_no_thread_is_left(views):
    table = PixelTable.open(views, CPU)
    assert table.fraction == 1 and table.positions is None and not reading_threads()
    assert table.filled == COUNT * WIDTH * HEIGHT
    expected = np.concatenate([iio.imread(view.image_path) for view in views])
    assert np.array_equal(table.colors[:, :3].numpy(), expected.reshape(-1, 3))
    first, again = draws(table, 3), draws(table, 3)
    assert all(torch.equal(one, other) for one, other in zip(first, again, strict=True))
    generator = torch.Generator().manual_seed(0)
    index = torch.randint(table.filled, (64,), generator=generator)
    assert torch.equal(first[0][:64], table.colors[index, :3].int()), "one number for each pixel"


def test_every_pixel_of_every_view_is_drawn_in_the_end_and_none_beyond_the_limit_is_kept(views):
    with PixelTable.open(views, CPU, limit=SMALL) as table:
        kept = table.colors.numel() + table.positions.numel() * POSITION_BYTES
        assert kept <= SMALL
        assert len(draws(table, 1)[0][:, 0].unique()) <= FIRST_VIEWS
        pixels, _ = draws(table, 4 * COUNT * 120)
        assert table.filled <= SMALL // (COLOR_BYTES + POSITION_BYTES)
    counts = torch.zeros((COUNT, WIDTH, HEIGHT))
    counts.index_put_(tuple(pixels.long().T), torch.ones(len(pixels)), accumulate=True)
    assert counts.min() > 0
    by_view = counts.sum((1, 2))
    assert by_view.min() > 0.9 * by_view.mean() and by_view.max() < 1.2 * by_view.mean()
    by_pixel = counts.sum(0)
    assert by_pixel.min() > 0.8 * by_pixel.mean() and by_pixel.max() < 1.2 * by_pixel.mean()


@pytest.mark.parametrize("limit", [None, SMALL])
def test_a_pixels_ray_is_that_of_its_camera_and_position(views, limit):
    with PixelTable.open(views, CPU, limit=limit) as table:
        generator = torch.Generator().manual_seed(3)
        for _ in range(40):
            rays, rgba = table.draw(16, generator)
            number, x, y = (rgba[:, :3] * 255).round().double().T
            poses = torch.stack(
                [torch.as_tensor(views[int(n)].camera.camera_to_world) for n in number]
            )
            plane = torch.stack(
                [(x + 0.5 - WIDTH / 2) / 12, -(y + 0.5 - HEIGHT / 2) / 12, -torch.ones_like(x)], 1
            )
            expected = torch.nn.functional.normalize((poses[:, :3, :3] @ plane[..., None])[..., 0])
            assert torch.allclose(rays.directions.double(), expected, atol=1e-6)
            assert torch.allclose(rays.origins.double(), poses[:, :3, 3], atol=1e-6)


def test_the_same_seed_gives_the_same_draws_and_another_others(views):
    drawn = []
    for seed in (1, 1, 2):
        with PixelTable.open(views, CPU, seed=seed, limit=SMALL) as table:
            drawn.append(draws(table, 300)[0])
    assert torch.equal(drawn[0], drawn[1])
    assert not torch.equal(drawn[0], drawn[2])


def test_pixels_are_renewed_without_waiting_where_time_counts(views):
    with PixelTable.open(views, CPU, limit=SMALL, wait=False) as table:
        seen = set()
        for number in range(20_000):
            seen |= set(draws(table, 1, seed=number)[0][:, 0].tolist())
            if len(seen) == COUNT:
                break
        assert len(seen) == COUNT


def test_masked_pixels_take_no_room_and_are_never_drawn(views, tmp_path):
    masked = []
    for number, view in enumerate(views):
        mask = np.full((HEIGHT, WIDTH), 255, np.uint8)
        mask[:, : 5 if number % 2 else 10] = 0
        path = tmp_path / f"{number}.png"
        iio.imwrite(path, mask)
        masked.append(View(view.name, view.camera, "train", view.image_path, mask_path=path))
    for limit in (None, SMALL):
        with PixelTable.open(masked, CPU, limit=limit) as table:
            pixels, _ = draws(table, 4 * COUNT * 3)
            assert set(pixels[:, 0].tolist()) == set(range(1, COUNT, 2))
            assert pixels[:, 1].min() == 5
            assert table.filled <= table.fraction * COUNT * WIDTH * HEIGHT / 4 + COUNT


def test_reading_reports_each_image_and_can_be_stopped(views, tmp_path):
    told = []
    PixelTable.open(views, CPU, report=lambda number, count: told.append((number, count)))
    assert told == [(number, COUNT) for number in range(1, COUNT + 1)]
    report = count_reporter(StoppingJob(tmp_path / "job", after=5), "Reading images")
    time.sleep(QUIET_SECONDS)
    with pytest.raises(Cancelled):
        PixelTable.open(views, CPU, report=report)
    assert not reading_threads()
    events = (tmp_path / "job" / "events.jsonl").read_text()
    assert f"Reading images 1 of {COUNT}" in events


def test_an_image_that_cannot_be_read_is_reported_even_while_training_goes_on(views, tmp_path):
    damaged = tmp_path / "damaged.png"
    damaged.write_bytes(views[0].image_path.read_bytes()[:60])
    spoiled = [*views[1:], View("damaged", views[0].camera, "train", damaged)]
    for limit in (None, SMALL):
        with (
            pytest.raises(UserError, match="damaged"),
            PixelTable.open(spoiled, CPU, limit=limit) as table,
        ):
            draws(table, 4 * COUNT)
        assert not reading_threads()


def test_images_that_the_time_does_not_suffice_for_are_read_during_training(views):
    with PixelTable.open(views, CPU, wait=False, deadline=-math.inf) as table:
        assert table.filled == WIDTH * HEIGHT, "one image, at random"
        first = draws(table, 1)[0][:, 0].unique()
        assert len(first) == 1
        deadline = time.monotonic() + 60
        while table.filled < COUNT * WIDTH * HEIGHT and time.monotonic() < deadline:
            table.draw(64, torch.Generator())
        seen = draws(table, 200)[0]
    assert len(seen[:, 0].unique()) == COUNT
    assert len({tuple(pixel) for pixel in seen.tolist()}) > 0.9 * COUNT * WIDTH * HEIGHT
    assert not reading_threads()


@pytest.mark.parametrize("fraction", [0.01, 0.37, 0.999, 1.0])
def test_a_spread_takes_each_number_as_often_as_any_other(fraction):
    random = np.random.default_rng(0)
    taken = np.zeros(50)
    for _ in range(4000):
        chosen = spread(50, fraction, random)
        assert len(chosen) == np.ceil(50 * fraction) and (np.diff(chosen) >= 0).all()
        np.add.at(taken, chosen, 1)
    expected = 4000 * np.ceil(50 * fraction) / 50
    assert np.abs(taken - expected).max() < 6 * np.sqrt(expected)


def test_the_bar_shows_that_images_are_read(tmp_path):
    job = Job(tmp_path)
    report = count_reporter(job, "Reading images")
    report(36, 300)
    time.sleep(QUIET_SECONDS)
    report(37, 300)
    event = json.loads((tmp_path / "events.jsonl").read_text())
    assert event["payload"]["fraction"] == 36 / 300
    assert describe(event["payload"]).startswith("Reading images 37 of 300")
