"""Volumes absorb as their field does, lie where it lies, and show its visible colours."""

import math

import numpy as np
import pytest
import torch
from analytic_field import AnalyticField, block, gaussian_blob

from pvd_engine.edit.edit_list import Edit
from pvd_engine.edit.edited_field import EditedField
from pvd_engine.edit.regions import BoxRegion
from pvd_engine.errors import Cancelled, UserError
from pvd_engine.exchange.volume import DROPPED_OPACITY, Layout, sample_volume, save_volume

LONG_BOX = ((-1.0, -0.5, -2.0), (1.0, 0.5, 2.0))


def ray_transmittance(volume, axis: int) -> np.ndarray:
    """Along rays through the centres of the cells, as a grid without `axis`."""
    return np.exp(-volume.density.sum(axis=axis) * volume.cell)


def centers(volume, axis: int) -> np.ndarray:
    count = volume.density.shape[axis]
    return volume.box[0, axis] + (np.arange(count) + 0.5) * volume.cell


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_a_gaussian_blob_is_as_opaque_as_its_integral(axis):
    peak, sigma = 6.0, 0.25
    volume = sample_volume(AnalyticField(gaussian_blob(peak, sigma)), 48)
    a, b = (centers(volume, other) for other in range(3) if other != axis)
    across = np.exp(-(a[:, None] ** 2 + b[None] ** 2) / (2 * sigma**2))
    expected = np.exp(-peak * sigma * math.sqrt(2 * math.pi) * across)
    assert np.abs(ray_transmittance(volume, axis) - expected).max() < 0.01
    assert (volume.density == 0).any()


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_a_block_of_constant_density_transmits_as_beers_law_says(axis):
    low, high = (-0.5, -0.25, -1.0), (0.5, 0.25, 1.0)
    field = AnalyticField(block(3.0, low, high), box=LONG_BOX)
    volume = sample_volume(field, 64)
    assert volume.density.shape == (32, 16, 64)
    seen = ray_transmittance(volume, axis)
    expected = math.exp(-3.0 * (high[axis] - low[axis]))
    middle = tuple(size // 2 for size in seen.shape)
    assert seen[middle] == pytest.approx(expected, rel=1e-4)
    assert seen[0, 0] == 1


def test_a_block_lies_in_the_volume_where_it_lies_in_the_field():
    low, high = np.array([-0.31, -0.2, 0.4]), np.array([0.52, 0.37, 1.3])
    field = AnalyticField(block(5.0, tuple(low), tuple(high)), box=LONG_BOX)
    volume = sample_volume(field, 64, supersample=4)
    for axis in range(3):
        mass = volume.density.sum(axis=tuple(a for a in range(3) if a != axis))
        middle = (mass * centers(volume, axis)).sum() / mass.sum()
        assert abs(middle - (low + high)[axis] / 2) < 0.1 * volume.cell


def test_a_fine_pattern_keeps_its_mean_extinction():
    def stripes(points):
        return 10.0 * (torch.remainder(points[:, 0] * 16, 1) < 0.5).float()

    volume = sample_volume(AnalyticField(stripes), 32)
    assert volume.density.mean() == pytest.approx(5.0, rel=1e-3)
    assert volume.density.std() < 1e-3


def test_nothing_but_occupied_cells_is_evaluated():
    field = AnalyticField(gaussian_blob(50.0, 0.3))
    field.occupancy.binary[:16] = 0
    asked = []
    formula = field.density
    field.density = lambda points: asked.append(points) or formula(points)
    volume = sample_volume(field, 32)
    assert torch.cat(asked)[:, 0].min() >= 0
    assert (volume.density[:16] == 0).all() and (volume.density[16:] > 0).any()


def test_thin_haze_becomes_exactly_nothing_and_the_rest_stays():
    volume = sample_volume(AnalyticField(gaussian_blob(20.0, 0.3)), 32)
    assert (volume.density == 0).any()
    assert volume.density[volume.density > 0].min() * volume.cell >= DROPPED_OPACITY / 32
    assert (volume.color[volume.density == 0] == 0).all()


def test_a_solid_shows_on_each_side_the_colour_seen_from_there():
    def sided(points, directions):
        """White to who looks along +x, from the side of low x; black from behind."""
        return (directions[:, :1] > 0.5).float().expand(-1, 3)

    field = AnalyticField(block(500.0, (-0.5, -0.5, -0.5), (0.5, 0.5, 0.5)), sided)
    volume = sample_volume(field, 32)
    assert volume.color[8, 16, 16].min() > 0.99
    assert volume.color[23, 16, 16].max() < 0.01


def test_linear_colour_is_shown_as_srgb():
    field = AnalyticField(
        gaussian_blob(50.0, 0.3), lambda points, directions: torch.full_like(points, 0.21404114)
    )
    assert sample_volume(field, 16).color.max() == pytest.approx(0.21404114, abs=1e-5)
    field.header["color_space"] = "linear"
    assert sample_volume(field, 16).color.max() == pytest.approx(0.5, abs=1e-5)


def test_an_edit_is_gone_from_the_volume():
    base = AnalyticField(gaussian_blob(50.0, 0.5))
    half = BoxRegion(np.array([-1.0, -1, -1]), np.array([0.0, 1, 1]))
    volume = sample_volume(EditedField(base, [Edit("erase", half)]), 32)
    whole = sample_volume(base, 32)
    assert (volume.density[:16] == 0).all()
    assert np.array_equal(volume.density[16:], whole.density[16:])


def test_a_crop_is_sampled_finer_and_lies_where_it_should():
    field = AnalyticField(gaussian_blob(20.0, 0.3))
    volume = sample_volume(field, 40, crop=np.array([[0.0, -0.25, -5], [0.5, 0.25, 5.0]]))
    assert volume.density.shape == (10, 10, 40)
    assert np.allclose(volume.box, [[0, -0.25, -1], [0.5, 0.25, 1]])
    point = centers(volume, 0)[1], centers(volume, 1)[6], centers(volume, 2)[20]
    expected = 20 * math.exp(-sum(x * x for x in point) / (2 * 0.09))
    assert volume.density[1, 6, 20] == pytest.approx(expected, rel=0.01)


def test_cells_are_cubic_and_cover_the_box():
    layout = Layout.over(np.array([[0.0, 0, 0], [1.0, 0.33, 0.5]]), 10)
    assert layout.shape == (10, 4, 5)
    assert np.allclose(layout.box, [[0, -0.035, 0], [1, 0.365, 0.5]])


@pytest.mark.parametrize(
    ("options", "part"),
    [
        ({"resolution": 0}, "at least 1"),
        ({"resolution": 5000}, "too large"),
        ({"supersample": 0}, "samples"),
        ({"crop": np.array([[2.0, 2, 2], [3, 3, 3]])}, "outside"),
        ({"crop": np.array([[0.5, 0, 0], [0.5, 1, 1]])}, "minimum"),
        ({"crop": np.array([[0.5, 0, 0], [np.nan, 1, 1]])}, "minimum"),
    ],
)
def test_what_cannot_be_sampled_is_one_sentence(options, part):
    with pytest.raises(UserError, match=part):
        sample_volume(AnalyticField(gaussian_blob(1.0, 0.3)), **options)


def test_progress_rises_to_the_end_and_may_stop_the_work():
    field, seen = AnalyticField(gaussian_blob(50.0, 0.3)), []
    sample_volume(field, 48, report=seen.append)
    assert seen == sorted(seen) and seen[0] >= 0 and 0.5 <= seen[-1] <= 1

    def stop(fraction: float) -> None:
        raise Cancelled("stop")

    with pytest.raises(Cancelled):
        sample_volume(field, 48, report=stop)


def test_a_field_without_density_is_an_empty_volume():
    field = AnalyticField(gaussian_blob(50.0, 0.3))
    field.occupancy.binary[:] = 0
    volume = sample_volume(field, 16)
    assert volume.density.shape == (16, 16, 16) and not volume.density.any()


def test_a_saved_volume_reads_without_pickle(tmp_path):
    volume = sample_volume(AnalyticField(gaussian_blob(50.0, 0.3)), 16)
    save_volume(tmp_path / "volume.npz", volume, "lego")
    with np.load(tmp_path / "volume.npz", allow_pickle=False) as file:
        assert np.array_equal(file["density"], volume.density)
        assert np.array_equal(file["color"], volume.color)
        assert np.array_equal(file["box"], volume.box) and file["box"].dtype == np.float64
        assert str(file["name"]) == "lego"
    assert [path.name for path in tmp_path.iterdir()] == ["volume.npz"]
