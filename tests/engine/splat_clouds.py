"""Clouds of splats for tests, and fields of them."""

import torch

from pvd_engine.fields.architectures import splat_field
from pvd_engine.fields.splats import Splats
from pvd_engine.space.space_map import BoxMap

BOX = torch.tensor([[-1.0] * 3, [1.0] * 3])


def ball_of_splats(count=600, radius=0.6, size=0.08, flat=1.0, degree=2, seed=0, smooth=False):
    """Splats on a ball, their third axis outwards and `flat` times as long as the others.

    Their colours are random, or where they are smooth, those of their place.
    """
    generator = torch.Generator().manual_seed(seed)
    ways = torch.nn.functional.normalize(torch.randn(count, 3, generator=generator), dim=1)
    scales = size * (0.7 + 0.6 * torch.rand(count, 3, generator=generator))
    scales[:, 2] *= flat
    up = torch.tensor([0.0, 0.0, 1.0]).expand(count, 3)
    turns = torch.cat((1 + (up * ways).sum(1, keepdim=True), torch.linalg.cross(up, ways)), dim=1)
    opacities = 0.15 + 0.8 * torch.rand(count, generator=generator)
    sh = 0.3 * torch.randn(count, (degree + 1) ** 2, 3, generator=generator)
    if smooth:
        sh *= 0.1
        sh[:, 0] = 1.4 * ways
    rotations = torch.nn.functional.normalize(turns, dim=1)
    return Splats(radius * ways, scales, rotations, opacities, sh)


def ball_field(preset="small", space=None, rules="inria", antialiased=False, **changes):
    """A field of `ball_of_splats`."""
    space = BoxMap(BOX) if space is None else space
    return splat_field(ball_of_splats(**changes), space, preset, rules, antialiased)


def one_splat(scales, opacity, rotation=(1.0, 0.0, 0.0, 0.0), preset="full"):
    """A field of one splat in the middle."""
    values = (torch.zeros(1, 3), torch.tensor([scales]), torch.tensor([rotation]))
    splats = Splats(*values, torch.tensor([opacity]), torch.zeros(1, 1, 3))
    return splat_field(splats, BoxMap(BOX), preset)
