"""The bounded ring of rays that a light field learns from."""

import torch

from pvd_engine.distill.ray_pool import RayPool
from pvd_engine.space.rays import Rays

CPU = torch.device("cpu")


def numbered(first, count):
    """Rays whose origin's x is their number, and colours that say it, too."""
    numbers = torch.arange(first, first + count, dtype=torch.float32)
    rays = torch.zeros((count, 3))
    rays[:, 0] = numbers
    return Rays(rays, rays + 0.5), (numbers / 1000)[:, None].expand(count, 4)


def test_the_newest_rays_take_the_slots_of_the_oldest():
    pool = RayPool(100, CPU)
    generator = torch.Generator().manual_seed(0)
    pool.add(*numbered(0, 30))
    drawn = pool.draw(500, generator)[0].origins[:, 0]
    assert set(drawn.int().tolist()) == set(range(30))
    for start in range(30, 250, 55):
        pool.add(*numbered(start, 55))
    rays, colors = pool.draw(5000, generator)
    assert set(rays.origins[:, 0].int().tolist()) == set(range(150, 250))
    assert torch.equal(rays.directions, rays.origins + 0.5)
    assert torch.allclose(colors[:, 0], rays.origins[:, 0] / 1000, atol=2e-4)
    assert colors.dtype == torch.float32


def test_a_pool_takes_the_last_of_more_rays_than_its_capacity():
    pool = RayPool(10, CPU)
    pool.add(*numbered(0, 35))
    drawn = pool.draw(500, torch.Generator().manual_seed(0))[0].origins[:, 0]
    assert set(drawn.int().tolist()) == set(range(25, 35))
