"""The distortion loss: its definition, pair by pair, and what it draws together."""

import pytest
import torch

from pvd_engine.kernels.marching import PackedSamples
from pvd_engine.train.distortion import distortion

OFFSETS = torch.tensor([0, 4, 4, 9])
RAY = torch.tensor([0] * 4 + [2] * 5)
T = torch.tensor([0.5, 0.7, 1.5, 4.0, 0.1, 0.2, 0.9, 3.0, 60.0])


@pytest.mark.parametrize("stretched", [False, True])
def test_it_is_the_sum_over_all_pairs_of_samples(stretched):
    weights = torch.rand(9, generator=torch.Generator().manual_seed(0))
    stretch = torch.linspace(0, 2, 9) if stretched else None
    samples = PackedSamples(RAY, T, OFFSETS, stretch)
    step, scale = 0.05, 2.0
    place = T / (T + scale)
    length = step * (stretch.exp() if stretch is not None else 1) * scale / (T + scale) ** 2
    expected = 0.0
    for i in range(9):
        for j in range(9):
            if RAY[i] == RAY[j]:
                expected += float(weights[i] * weights[j] * abs(place[i] - place[j]))
    expected += float((weights**2 * length).sum()) / 3
    found = distortion(weights, samples, step, scale)
    assert float(found) == pytest.approx(expected / 3, rel=1e-5)


def test_its_gradient_takes_from_what_stands_apart():
    weights = torch.tensor([0.1, 0.4, 0.5, 0.0, 0.1, 0.0, 0.9, 0.0, 0.0], requires_grad=True)
    distortion(weights, PackedSamples(RAY, T, OFFSETS), 0.05, 2.0).backward()
    assert weights.grad is not None
    assert weights.grad[0] > weights.grad[1]  # before a surface
    assert weights.grad[8] > weights.grad[6]  # far behind one
    assert torch.isfinite(weights.grad).all()


def test_rays_without_samples_have_none():
    nothing = PackedSamples(RAY[:0], T[:0], torch.zeros(4, dtype=torch.int64))
    assert float(distortion(T[:0], nothing, 0.05, 2.0)) == 0
