"""Edits that move, duplicate, thin out and tint: against formulas of what should be seen."""

import numpy as np
import pytest
import torch
from analytic_field import AnalyticField, block, gaussian_blob, uniform_points
from edit_shapes import turned

from pvd_engine.data.capture import Camera
from pvd_engine.data.geometry.poses import look_at
from pvd_engine.edit.edit_list import Edit
from pvd_engine.edit.edited_field import MAX_PLACED, EditedField
from pvd_engine.edit.layer import MASKED
from pvd_engine.edit.outcome import outcome
from pvd_engine.edit.placement import Placement
from pvd_engine.edit.regions import BoxRegion, GridRegion, SphereRegion, TransformedBoxRegion
from pvd_engine.errors import UserError
from pvd_engine.exchange.volume import sample_volume
from pvd_engine.fields.architectures import architecture, make_field
from pvd_engine.fields.storage import load_field, save_field
from pvd_engine.render.render import render_image
from pvd_engine.space.occupancy import OccupancyGrid
from pvd_engine.space.space_map import BoxMap

LEFT = BoxRegion(np.array([-2.0, -2, -2]), np.array([0.0, 2, 2]))
BALL = SphereRegion(np.array([0.3, 0, 0]), 0.4)


def shifted(x=0.0, y=0.0, z=0.0, scale=1.0) -> Placement:
    matrix = np.diag((scale, scale, scale, 1.0))
    matrix[:3, 3] = x, y, z
    return Placement(matrix)


def half_turn(x=0.0) -> Placement:
    """Half a turn about z, then a move."""
    matrix = np.diag((-1.0, -1, 1, 1))
    matrix[0, 3] = x
    return Placement(matrix)


def fog(resolution: int = 32) -> AnalyticField:
    return AnalyticField(
        gaussian_blob(20.0, 0.4),
        lambda points, directions: (points + directions) / 4 + 0.5,
        resolution=resolution,
    )


def unit(count: int, seed: int = 1) -> torch.Tensor:
    return torch.nn.functional.normalize(uniform_points(count, seed=seed), dim=1)


def density(field, points):
    return field.log_density(points).exp()


def test_a_moved_region_leaves_its_position_and_appears_at_the_new_one():
    base = fog()
    edited = EditedField(base, [Edit("move", BALL, to=shifted(x=3))])
    points = uniform_points(6000)
    inside = BALL.contains(points)
    assert (density(edited, points[inside]) < 1e-9).all()
    assert torch.equal(density(edited, points[~inside]), density(base, points[~inside]))
    moved = points[inside] + torch.tensor([3.0, 0, 0])
    assert torch.allclose(density(edited, moved), density(base, points[inside]), rtol=1e-4)
    around = points[~inside] + torch.tensor([3.0, 0, 0])
    assert (density(edited, around) < 1e-9).all()


def test_a_duplicated_region_is_at_both_positions_and_adds_where_they_meet():
    base = fog()
    edited = EditedField(base, [Edit("duplicate", BALL, to=shifted(y=0.25))])
    points = uniform_points(6000)
    back = points - torch.tensor([0, 0.25, 0])
    expected = density(base, points) + density(base, back) * BALL.contains(back)
    assert torch.allclose(density(edited, points), expected, rtol=1e-4)


def test_directions_and_scale_go_with_what_is_moved():
    base = fog()
    matrix = half_turn(5.0).matrix.copy()
    matrix[:3, :3] *= 2
    edited = EditedField(base, [Edit("move", BALL, to=Placement(matrix))])
    points, directions = uniform_points(4000), unit(4000)
    inside = BALL.contains(points)
    points, directions = points[inside], directions[inside]
    placed = points * torch.tensor([-2.0, -2, 2]) + torch.tensor([5.0, 0, 0])
    log_density, color = edited(placed, directions * torch.tensor([-1.0, -1, 1]))
    true_density, true_color = base(points, directions)
    assert torch.allclose(log_density.exp(), true_density.exp() / 2, rtol=1e-3)
    assert torch.allclose(color, true_color, atol=1e-4)
    assert edited.step == base.step


def test_scaled_density_and_tint_follow_their_formulas():
    base = fog()
    edits = [
        Edit("scale_density", LEFT, factor=0.25),
        Edit("tint", BALL, color=(0.5, 1.0, 3.0)),
        Edit("tint", LEFT, color=(1.0, 0.5, 1.0)),
    ]
    edited = EditedField(base, edits)
    points, directions = uniform_points(6000), unit(6000)
    log_density, color = edited(points, directions)
    true_density, true_color = base(points, directions)
    left, ball = LEFT.contains(points)[:, None], BALL.contains(points)[:, None]
    expected = true_color * torch.where(ball, torch.tensor([0.5, 1.0, 3.0]), 1.0)
    expected = expected * torch.where(left, torch.tensor([1.0, 0.5, 1.0]), 1.0)
    assert torch.allclose(color, expected.clamp(0, 1))
    factor = torch.where(left[:, 0], 0.25, 1.0)
    assert torch.allclose(log_density.exp(), true_density.exp() * factor, rtol=1e-5)
    assert torch.equal(edited.log_density(points), log_density)


def test_density_scaled_to_nothing_is_erased():
    nothing = EditedField(fog(), [Edit("scale_density", BALL, factor=0.0)])
    erased = EditedField(fog(), [Edit("erase", BALL)])
    points = uniform_points(3000)
    assert torch.equal(nothing.log_density(points), erased.log_density(points))
    assert torch.equal(nothing.occupancy.binary, erased.occupancy.binary)


def test_edits_apply_in_their_order_around_a_move():
    block_field = AnalyticField(block(10.0, (-0.9, -0.9, -0.9), (0.9, 0.9, 0.9)))
    right = BoxRegion(np.array([0.0, -1, -1]), np.array([1.0, 1, 1]))
    move = Edit("move", right, to=shifted(x=4))
    there = BoxRegion(np.array([4.0, -1, -1]), np.array([5.0, 1, 1]))
    point, placed = torch.tensor([[0.5, 0, 0]]), torch.tensor([[4.5, 0, 0]])
    left = torch.tensor([[-0.5, 0, 0]])

    def seen(*edits):
        field = EditedField(block_field, edits)
        return [bool(density(field, at) > 1) for at in (left, point, placed)]

    assert seen(move) == [True, False, True]
    assert seen(Edit("erase", right), move) == [True, False, False]
    assert seen(move, Edit("erase", right)) == [True, False, True]
    assert seen(move, Edit("erase", there)) == [True, False, False]
    assert seen(move, Edit("keep", there)) == [False, False, True]
    assert seen(Edit("keep", LEFT), Edit("duplicate", LEFT, to=half_turn())) == [True, True, False]
    # Two lists do what one does.
    twice = EditedField(EditedField(block_field, [move]), [Edit("keep", there)])
    assert [bool(density(twice, at) > 1) for at in (left, point, placed)] == [False, False, True]
    assert twice.base is block_field


def test_the_box_grows_to_what_is_moved_out_of_it_and_no_cell_there_is_skipped():
    base = fog()
    base.occupancy.binary[::3] = 0
    to = Placement(turned(0.8, (1.5,) * 3, (2.0, 1.0, 0.5)))
    for operation in ("move", "duplicate"):
        edited = EditedField(base, [Edit(operation, BALL, to=to)])
        assert (edited.box[0] <= base.box[0]).all() and (edited.box[1] > base.box[1]).any()
        points = uniform_points(60_000)
        inside = base.occupancy.contains(points) & BALL.contains(points)
        placed = to.place(points[inside].double().numpy())
        assert edited.occupancy.contains(torch.tensor(placed).float()).all()
        stays = base.occupancy.contains(points)
        stays &= ~inside if operation == "move" else True
        assert edited.occupancy.contains(points[stays]).all()
        assert edited.occupancy.binary.float().mean() < 0.5
        everywhere = edited.box[0] + torch.rand((20_000, 3)) * (edited.box[1] - edited.box[0])
        dense = edited.log_density(everywhere) > MASKED
        assert edited.occupancy.contains(everywhere)[dense].all()


def test_a_duplicate_within_the_box_keeps_its_grid():
    base = fog()
    edited = EditedField(base, [Edit("duplicate", BALL, to=shifted(x=-0.4))])
    assert torch.equal(edited.box, base.box)
    assert edited.occupancy.resolution == base.occupancy.resolution


def test_only_the_filled_cells_of_a_grid_are_moved():
    filled = np.zeros((2, 1, 1), bool)
    filled[0] = True
    grid = GridRegion(filled, np.array([[-0.5, -0.5, -0.5], [0.5, 0.5, 0.5]]), "half.npz")
    edited = EditedField(fog(), [Edit("move", grid, to=shifted(x=3))])
    points = torch.tensor([[-0.2, 0, 0], [0.2, 0, 0], [0.7, 0, 0]])
    there = points + torch.tensor([3.0, 0, 0])
    assert (density(edited, points) > 0.1).tolist() == [False, True, True]
    assert (density(edited, there) > 0.1).tolist() == [True, False, False]


def test_a_picture_of_a_moved_region_is_that_of_its_masked_density():
    base = AnalyticField(gaussian_blob(30.0, 0.4), lambda points, _: (points + 1) / 2)
    box = TransformedBoxRegion(turned(0.6, (0.5, 0.3, 0.2), (0.1, 0.2, 0.1)))
    edited = EditedField(base, [Edit("move", box, to=half_turn(1.5))])

    def back(points):
        return (points - torch.tensor([1.5, 0, 0])) * torch.tensor([-1.0, -1, 1])

    def stays(points):
        within = (points.abs() <= 1).all(dim=1)
        return base.density(points) * within * ~box.contains(points)

    def comes(points):
        return base.density(back(points)) * box.contains(back(points))

    def color(points, directions):
        here, there = stays(points)[:, None], comes(points)[:, None]
        mixed = base.color(points, directions) * here + base.color(back(points), directions) * there
        return mixed / (here + there).clamp(min=1e-9)

    edges = ((-1.0, -1.0, -1.0), (2.6, 1.0, 1.0))
    plain = AnalyticField(lambda points: stays(points) + comes(points), color, edges, 48)
    pose = look_at(np.array([0.8, -4.0, 1]), np.array([0.8, 0, 0]), np.eye(3)[2])
    camera = Camera(pose, 60, 40, 70.0, 70.0, 30.0, 20.0)
    picture, truth = render_image(edited, camera), render_image(plain, camera)
    assert truth.alpha.max() > 0.9
    # The two march from the faces of different boxes, and the region's border is sharp.
    assert np.abs(picture.alpha - truth.alpha).mean() < 2e-3
    assert np.abs(picture.color - truth.color).mean() < 2e-3


@pytest.mark.parametrize("name", ["hash", "sparse_tensor"])
def test_a_saved_field_with_every_edit_gives_the_same_values_as_before(tmp_path, name):
    torch.manual_seed(1)
    box = torch.tensor([[-1.0] * 3, [1.0] * 3])
    base = make_field(architecture(name, "small"), BoxMap(box), OccupancyGrid(BoxMap(box), 24))
    first = [
        Edit("erase", LEFT, soft=0.1),
        Edit("move", BALL, soft=0.05, to=shifted(x=1, scale=0.5)),
        Edit("tint", BALL, color=(0.2, 1.0, 2.0)),
        Edit("keep", GridRegion(np.ones((2, 2, 2), bool), np.array([[-0.4] * 3, [0.4] * 3]), "a")),
    ]
    second = [Edit("scale_density", BALL, factor=0.5, soft=0.2)]
    third = [Edit("duplicate", LEFT, to=half_turn(2))]
    edited = EditedField(EditedField(EditedField(base, first), second), third)
    assert edited.base is base and len(edited.edits) == 3
    path = tmp_path / "edited.safetensors"
    save_field(path, edited)
    loaded = load_field(path)
    assert isinstance(loaded, EditedField)
    points, directions = uniform_points(4000, -1, 2), unit(4000)
    for value, other in zip(edited(points, directions), loaded(points, directions), strict=True):
        assert torch.equal(value, other)
    assert torch.equal(edited.occupancy.binary, loaded.occupancy.binary)
    assert torch.equal(edited.box, loaded.box) and edited.step == loaded.step
    assert loaded.header["edits"] == edited.header["edits"]
    assert "decoder" not in loaded.header["architecture"]
    assert loaded.header["architecture"]["name"] == name
    assert loaded.base.header["architecture"]["decoder"]["type"] in ("mlp", "sh")


def test_a_field_without_moves_keeps_its_features_and_decoder():
    torch.manual_seed(0)
    base = make_field(architecture("hash", "small"), BoxMap(torch.tensor([[-1.0] * 3, [1.0] * 3])))
    edited = EditedField(base, [Edit("tint", BALL, color=(0, 1, 1)), Edit("erase", LEFT, soft=0.1)])
    points = uniform_points(100)
    assert torch.equal(edited.features(points), base.features(points))
    assert edited.header["architecture"] == base.header["architecture"]


def test_the_volume_of_a_moved_part_lies_where_it_was_moved():
    base = AnalyticField(block(50.0, (0.2, 0.2, 0.2), (0.6, 0.6, 0.6)))
    edited = EditedField(base, [Edit("move", BoxRegion(np.zeros(3), np.ones(3)), to=shifted(x=2))])
    volume = sample_volume(edited, 96)
    filled = np.argwhere(volume.density > 25)
    ends = volume.box[0] + np.stack((filled.min(axis=0), filled.max(axis=0) + 1)) * volume.cell
    assert ends == pytest.approx(np.array([[2.2, 0.2, 0.2], [2.6, 0.6, 0.6]]), abs=volume.cell)


def test_what_is_moved_is_not_counted_as_removed():
    base = fog(16)
    base.occupancy.binary[:, 8:] = 0
    right = BoxRegion(np.array([0.0, -2, -2]), np.array([2.0, 2, 2]))
    moved = EditedField(base, [Edit("move", right, to=shifted(x=4))])
    assert outcome(base, moved.edits[0]).removed == pytest.approx(0, abs=0.01)
    assert outcome(moved, [Edit("erase", LEFT)]).removed == pytest.approx(0.5, abs=0.01)
    assert outcome(base, [Edit("tint", LEFT, color=(0, 0, 0))]).removed == 0


def test_more_moves_than_can_be_followed_are_refused():
    base = fog()
    move = Edit("duplicate", BALL, to=shifted(x=0.01))
    with pytest.raises(UserError, match="moves and duplicates"):
        EditedField(base, [move] * (MAX_PLACED + 1))


def test_a_row_of_duplicates_costs_no_more_than_its_length():
    asked = 0
    base = fog(16)
    formula = base.density

    def counted(points):
        nonlocal asked
        asked += len(points)
        return formula(points)

    base.density = counted
    edits = [Edit("duplicate", BALL, to=shifted(x=1.0 * (i + 1))) for i in range(12)]
    edited = EditedField(base, edits)
    points = edited.box[0] + torch.rand((5000, 3)) * (edited.box[1] - edited.box[0])
    seen = density(edited, points) > 1e-6
    assert seen.any()
    assert asked < 2 * len(points)


def test_only_sharp_cuts_are_carved():
    cuts = EditedField(fog(), [Edit("erase", BALL), Edit("keep", LEFT)])
    assert cuts.only_cuts and len(cuts.edit_lists) == 1
    for edit in (
        Edit("erase", BALL, soft=0.1),
        Edit("tint", BALL, color=(0, 0, 0)),
        Edit("move", BALL, to=shifted(x=1)),
    ):
        field = EditedField(cuts, [edit])
        assert not field.only_cuts
        with pytest.raises(UserError, match="carved"):
            field.mask(uniform_points(3))
