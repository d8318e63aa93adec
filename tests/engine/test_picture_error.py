"""The error over all backgrounds is the mean of the errors in front of many."""

import torch

from pvd_engine.train.picture_error import picture_error

BACKGROUNDS = 200_000


def test_it_is_the_mean_over_random_backgrounds():
    torch.manual_seed(0)
    alpha, wanted_alpha = torch.rand(5), torch.rand(5)
    color, wanted_color = (
        torch.rand(5, 3) * alpha[:, None],
        torch.rand(5, 3) * wanted_alpha[:, None],
    )
    background = torch.rand(BACKGROUNDS, 1, 3)
    seen = color + background * (1 - alpha[:, None])
    wanted = wanted_color + background * (1 - wanted_alpha[:, None])
    mean = (seen - wanted).square().mean(dim=(0, 2))
    error = picture_error(color, alpha, wanted_color, wanted_alpha)
    torch.testing.assert_close(error, mean, atol=1e-3, rtol=0)


def test_equal_rays_have_none_and_others_have_some():
    color, alpha = torch.rand(100, 3), torch.rand(100)
    assert not picture_error(color, alpha, color, alpha).any()
    assert (picture_error(color, alpha, color + 0.01, alpha) > 0).all()
    assert (picture_error(color, alpha, color, alpha + 0.01) > 0).all()
