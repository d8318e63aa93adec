"""Light fields: the published sizes, where their points lie, and what they answer."""

import pytest
import torch
from analytic_field import AnalyticField, block
from safetensors import safe_open
from safetensors.torch import save_file

from pvd_engine.bench.plain_nerf import COARSE, FINE, NerfNetwork
from pvd_engine.data.geometry.poses import PoseDistribution
from pvd_engine.distill.light import reach
from pvd_engine.errors import UserError
from pvd_engine.fields.architectures import light_field
from pvd_engine.fields.header import read_header
from pvd_engine.fields.light_field import LightField, Reach, bordered_occupancy
from pvd_engine.fields.storage import load_any_field, load_field, save_field
from pvd_engine.space.extinction import extinction_codes
from pvd_engine.space.occupancy import OccupancyGrid
from pvd_engine.space.rays import Rays
from pvd_engine.space.space_map import BoxMap

WHOLE = ("box", "occupied", "fixed")
INTERVALS = (*WHOLE, "visible")
POSES = PoseDistribution(
    [0.0, 0.0, 0.0],
    0.1,
    [2.5, 3.0],
    [-1.5, 1.5],
    [0.0, 6.28],
    [0.0, 0.0, 1.0],
    {"width": 64, "height": 64, "fx": 80.0, "fy": 80.0, "cx": 32.0, "cy": 32.0},
)


def scattered():
    """A field of which three blocks are occupied."""
    field = AnalyticField(block(5.0, (-1, -1, -1), (1, 1, 1)), resolution=64)
    field.occupancy.binary.zero_()
    for x, y, z in ((5, 46, 20), (28, 26, 33), (51, 12, 48)):
        field.occupancy.binary[x : x + 9, y : y + 5, z : z + 9] = 1
    return field


def some_light_field(teacher, interval="occupied", skip_empty=True, encoding="hash"):
    torch.manual_seed(0)
    spec = light_field("small", 8, interval, skip_empty, encoding)
    occupancy = bordered_occupancy(teacher.occupancy)
    codes = extinction_codes(teacher.log_density, occupancy) if interval == "visible" else None
    return LightField(spec, occupancy, reach(teacher, POSES), codes).eval()


def some_rays(count=600, seed=1):
    """From 2.5 to 3 units off the centre towards points in and about the box."""
    generator = torch.Generator().manual_seed(seed)
    away = torch.nn.functional.normalize(torch.randn((count, 3), generator=generator), dim=1)
    origins = away * (2.5 + 0.5 * torch.rand((count, 1), generator=generator))
    aims = torch.rand((count, 3), generator=generator) * 2.6 - 1.3
    return Rays(origins, torch.nn.functional.normalize(aims - origins, dim=1))


def occupied_along(field, rays, looks=4000):
    """Distances (L,), and whether each ray lies in an occupied cell there (N, L)."""
    distances = torch.linspace(0, 6, looks)
    points = rays.origins[:, None] + rays.directions[:, None] * distances[:, None]
    inside = field.occupancy.contains(points.view(-1, 3)).view(len(rays.origins), looks)
    return distances, inside


@pytest.mark.parametrize(
    ("preset", "millions"),
    [("W256D88", 11.79), ("full", 11.79), ("W181D88", 6.00), ("W256D44", 6.02), ("W363D22", 6.00)],
)
def test_a_ray_costs_the_published_operations(preset, millions):
    occupancy = OccupancyGrid(BoxMap(torch.tensor([[-1.0] * 3, [1.0] * 3])), 32)
    limits = Reach(2.0, 6.0, [[-1.0] * 3, [1.0] * 3], {})
    field = LightField(light_field(preset, 16, "fixed", False), occupancy, limits)
    assert field.flops() / 1e6 == pytest.approx(millions, abs=0.006)
    nerf = sum(p.numel() for p in NerfNetwork().parameters() if p.ndim == 2)
    published = 2 * nerf * (COARSE + COARSE + FINE)
    assert published / 1e6 == pytest.approx(303.82, abs=0.005)
    times = {"W256D88": 25.8, "full": 25.8, "W181D88": 50.6, "W256D44": 50.5, "W363D22": 50.6}
    assert published / field.flops() == pytest.approx(times[preset], abs=0.06)


def test_w256d88_has_the_published_parameters():
    occupancy = OccupancyGrid(BoxMap(torch.tensor([[-1.0] * 3, [1.0] * 3])), 32)
    limits = Reach(2.0, 6.0, [[-1.0] * 3, [1.0] * 3], {})
    field = LightField(light_field("W256D88", 16, "fixed", False), occupancy, limits)
    alpha = 257  # R2L's network has no alpha
    assert sum(p.numel() for p in field.parameters()) - alpha == 5_917_187


@pytest.mark.parametrize("interval", WHOLE)
def test_everything_occupied_lies_between_a_rays_first_and_last_point(interval):
    teacher = scattered()
    field, rays = some_light_field(teacher, interval), some_rays()
    distances, inside = occupied_along(teacher, rays)
    points = field.ray_points(rays) * field.occupancy.space.half_side
    along = ((points - rays.origins[:, None]) * rays.directions[:, None]).sum(dim=-1)
    met = inside.any(dim=1)
    assert 20 < met.sum() < 300
    first = torch.where(inside, distances, torch.inf).amin(dim=1)
    last = torch.where(inside, distances, -torch.inf).amax(dim=1)
    assert (along[met, 0] <= first[met] + 1e-3).all()
    assert (along[met, -1] >= last[met] - 1e-3).all()
    assert (along.diff(dim=1) >= -1e-5).all()


def test_a_ray_that_meets_an_occupied_cell_is_never_called_empty():
    teacher = scattered()
    rays = some_rays(3000)
    met = some_light_field(teacher).meets(rays)
    inside = occupied_along(teacher, rays)[1].any(dim=1)
    assert met[inside].all()
    assert met.float().mean() < 0.5, "and most that meet none are known to"


@pytest.mark.parametrize("interval", INTERVALS)
def test_each_random_point_lies_in_its_own_part_of_the_way(interval):
    field, rays = some_light_field(scattered(), interval), some_rays(50)
    jitter = torch.rand((50, 8), generator=torch.Generator().manual_seed(0))
    low, random, even, high = (
        (field.ray_points(rays, at) * rays.directions[:, None]).sum(dim=-1)
        for at in (torch.zeros((50, 8)), jitter, None, torch.ones((50, 8)))
    )
    for within in (random, even):
        assert (within >= low - 1e-5).all() and (within <= high + 1e-5).all()
    assert not torch.allclose(random, even, atol=1e-3)
    if interval != "visible":  # there, a part may end at one wall and the next begin at another
        assert torch.allclose(high[:, :-1], low[:, 1:], atol=1e-5)


@pytest.mark.parametrize("skip_empty", [True, False])
def test_rendering_gives_what_the_network_gives(skip_empty):
    field, rays = some_light_field(scattered(), skip_empty=skip_empty), some_rays(200)
    with torch.no_grad():
        exact = field(*rays)
        seen = field.render(rays)
        shown = torch.cat((seen.color, seen.alpha[:, None]), dim=1)
        assert torch.allclose(shown, exact, atol=0.02)
        assert (seen.depth == 0).all(), "a light field knows no distances"
        empty = ~field.meets(rays)
    assert empty.any() and (exact[empty] == 0).all() == skip_empty
    assert (exact[~empty] > 0).all()


def test_points_lie_where_the_light_comes_from():
    wall = block(300.0, (-0.9, -0.9, 0.2), (0.9, 0.9, 0.4))
    fog = block(0.02, (-0.9, -0.9, -0.9), (0.9, 0.9, 0.9))
    teacher = AnalyticField(lambda p: torch.maximum(wall(p), fog(p)), resolution=64)
    down = torch.tensor([[0.0, 0.0, -1.0]]).expand(50, 3)
    sideways = torch.rand((50, 2), generator=torch.Generator().manual_seed(2)) - 0.5
    rays = Rays(torch.cat((sideways, torch.full((50, 1), 3.0)), dim=1), down)
    near = {}
    for interval in ("occupied", "visible"):
        height = some_light_field(teacher, interval).ray_points(rays)[..., 2]
        near[interval] = ((height - 0.4).abs() < 0.05).float().mean()
    assert near["visible"] > 0.6 and near["occupied"] < 0.2, "at the wall's upper side"


def test_extinctions_that_do_not_fit_the_cells_are_refused(tmp_path):
    path = tmp_path / "light.safetensors"
    save_field(path, some_light_field(scattered(), "visible"))
    with safe_open(path, "pt") as opened:
        header, tensors = opened.metadata(), {k: opened.get_tensor(k) for k in opened.keys()}  # noqa: SIM118
    codes = tensors.pop("extinction.codes")
    zero = codes.clone()
    zero[3] = 0
    for wrong in ({}, *({"extinction.codes": c} for c in (codes[1:], codes.int(), zero))):
        save_file(tensors | wrong, path, header)
        with pytest.raises(UserError, match="damaged"):
            load_any_field(path)
    save_file(tensors | {"extinction.codes": codes}, path, header)
    load_any_field(path)


@pytest.mark.parametrize("interval", ["occupied", "visible"])
def test_a_saved_light_field_gives_the_same_values_as_before_and_names_its_region(
    interval, tmp_path
):
    field, rays = some_light_field(scattered(), interval), some_rays(100)
    field.header["provenance"] = {"seed": 7}
    path = tmp_path / "light.safetensors"
    save_field(path, field)
    loaded = load_any_field(path)
    assert isinstance(loaded, LightField)
    with torch.no_grad():
        assert torch.equal(loaded(*rays), field(*rays))
    header = read_header(path)
    assert header["kind"] == "light_field"
    assert PoseDistribution.from_json(header["reach"]["region"]) == POSES
    assert 0 < header["reach"]["near"] < header["reach"]["far"]
    assert loaded.header["provenance"] == {"seed": 7}


def test_what_needs_density_refuses_a_light_field_in_one_sentence(tmp_path):
    path = tmp_path / "light.safetensors"
    save_field(path, some_light_field(scattered()))
    with pytest.raises(UserError, match="no density"):
        load_field(path)
