"""Splats that nothing is seen of move to where the picture needs more of them."""

import numpy as np
import torch
from splat_clouds import ball_field, one_splat

from pvd_engine.data.capture import Camera
from pvd_engine.data.geometry.poses import look_at
from pvd_engine.fields.splat_growth import split_onto
from pvd_engine.render.render import render_image
from pvd_engine.train.pieces import Piece
from pvd_engine.train.splat_objective import LEAST_USE, MOST_MOVED, Growth, piece_error
from pvd_engine.train.training import Training

CAMERA = Camera(
    look_at(np.array((0.0, -3.0, 0.6)), np.zeros(3), np.eye(3)[2]), 80, 80, 90, 90, 40, 40
)


def two_splats():
    """A long thin splat, and one that is transparent."""
    field = one_splat((0.4, 0.05, 0.05), 0.7)
    for name, values in list(field.named_parameters()):
        setattr(field, name, torch.nn.Parameter(torch.cat((values, values)).detach()))
    with torch.no_grad():
        field.opacity_logits[1] = -12
        field.centers[1] += 0.7
    return field


def test_both_halves_of_a_splat_are_as_wide_and_take_as_much_light():
    field = two_splats()
    before = render_image(field, CAMERA)
    covariance = field.splats().covariances()[0].detach()
    split_onto(dict(field.named_parameters()), torch.tensor([0]), torch.tensor([1]))
    after = render_image(field, CAMERA)
    splats = field.splats()
    assert torch.allclose(splats.opacities[0], splats.opacities[1])
    middle = splats.centers.mean(dim=0)
    apart = splats.centers - middle
    spread = (splats.covariances() + apart[:, :, None] * apart[:, None, :]).mean(dim=0)
    assert torch.allclose(spread, covariance, atol=1e-6)
    assert abs(after.alpha.sum() / before.alpha.sum() - 1) < 0.05
    assert np.abs(after.alpha - before.alpha).max() < 0.12


def picture(field):
    drawn = render_image(field, CAMERA)
    return Piece(CAMERA, torch.from_numpy(drawn.color.copy()), torch.from_numpy(drawn.alpha.copy()))


def test_unneeded_splats_move_to_the_largest_gradients_and_their_moments_are_forgotten():
    field = ball_field(count=400, size=0.05)
    wanted = picture(field)
    with torch.no_grad():
        field.opacity_logits[:5] = -12  # no longer seen
        field.sh_base[7] += 5  # far from its colour, and so are those behind it
    growth = Growth(field)
    training = Training.start(field, 0)
    for _ in range(2):
        growth.count()
        training.optimizer.step(piece_error(field, wanted, growth.use), 1e-3)
    growth.count()
    gone, pulled = growth.weight < LEAST_USE, growth.gradient.clone()
    assert gone[:5].all()
    changed = growth.move()
    targets, moved = changed.view(2, -1)
    assert 5 <= len(moved) <= MOST_MOVED * 400
    assert gone[moved].all() and not gone[targets].any()
    untouched = torch.ones(400, dtype=torch.bool)
    untouched[changed] = False
    assert pulled[targets].min() >= pulled[untouched & ~gone].max()
    assert (field.centers[targets] - field.centers[moved]).norm(dim=1).max() < 0.2
    assert not growth.gradient.any() and not growth.weight.any()
    training.optimizer.forget(changed)
    for name, value in training.optimizer.state().items():
        if not name.endswith("step"):
            assert not value[changed].any() and value.any()


def test_nothing_moves_where_all_splats_are_needed():
    field = ball_field(count=60, size=0.2)
    with torch.no_grad():
        field.opacity_logits.fill_(-1.0)
    before = {name: value.clone() for name, value in field.named_parameters()}
    growth = Growth(field)
    for azimuth in np.arange(6) * np.pi / 3:
        position = 3 * np.array((np.cos(azimuth), np.sin(azimuth), 0.4))
        camera = Camera(look_at(position, np.zeros(3), np.eye(3)[2]), 80, 80, 90, 90, 40, 40)
        wanted = Piece(camera, torch.rand(80, 80, 3), torch.rand(80, 80))
        piece_error(field, wanted, growth.use).backward()
        growth.count()
    assert len(growth.move()) == 0
    assert all(torch.equal(value, before[name]) for name, value in field.named_parameters())
