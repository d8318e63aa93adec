"""Maps of space: points there and back, bounds that hold all, and densities that mean the same."""

import json
import math

import numpy as np
import pytest
import torch
from analytic_field import AnalyticField
from tiny_fields import tiny_fields

from pvd_engine.data.capture import Camera
from pvd_engine.exchange.onnx_file import write_onnx
from pvd_engine.fields.architectures import architecture, light_field, make_field
from pvd_engine.fields.light_field import LightField, Reach, bordered_occupancy
from pvd_engine.fields.registry import RADIANCE_FIELDS
from pvd_engine.fields.storage import load_field, save_field
from pvd_engine.render.render import render_image
from pvd_engine.space.contracted_map import ContractedMap
from pvd_engine.space.extinction import extinctions
from pvd_engine.space.maps import make_map
from pvd_engine.space.ndc_map import NdcMap
from pvd_engine.space.occupancy import OccupancyGrid
from pvd_engine.space.rays import CameraBatch, Rays
from pvd_engine.space.seen import exclude_unseen
from pvd_engine.space.space_map import BoxMap

BOX = torch.tensor([[-1.0, -2.0, -3.0], [3.0, 2.0, -1.0]])


def turned_camera() -> torch.Tensor:
    """Camera to world, at (1, 0, 2), looking down and a little aside."""
    angle = 0.3
    c, s = math.cos(angle), math.sin(angle)
    matrix = torch.eye(4)
    matrix[:3, :3] = torch.tensor([[c, 0.0, s], [0.0, 1.0, 0.0], [-s, 0.0, c]])
    matrix[:3, 3] = torch.tensor([1.0, 0.0, 2.0])
    return matrix


def ndc() -> NdcMap:
    return NdcMap(BOX, turned_camera(), torch.tensor([0.9, 0.6]), near=1.5)


MAPS = {"object": lambda: BoxMap(BOX), "unbounded": lambda: ContractedMap(BOX)}
MAPS["forward_facing"] = ndc
EVERY = pytest.mark.parametrize("kind", sorted(MAPS))


def cube_points(count: int = 4000, most: float = 0.97) -> torch.Tensor:
    generator = torch.Generator().manual_seed(3)
    return (torch.rand((count, 3), generator=generator, dtype=torch.float64) * 2 - 1) * most


def rays_about(count: int = 200, seed: int = 0) -> Rays:
    generator = torch.Generator().manual_seed(seed)
    origins = torch.randn((count, 3), generator=generator) * 3 + torch.tensor([1.0, 0.0, 2.0])
    targets = torch.randn((count, 3), generator=generator) * 3 + torch.tensor([1.0, 0.0, -4.0])
    return Rays(origins, torch.nn.functional.normalize(targets - origins, dim=-1))


@EVERY
def test_points_come_back_from_the_cube(kind):
    space = MAPS[kind]()
    cube = cube_points()
    points = space.from_cube(cube)
    assert torch.allclose(space.to_cube(points), cube, atol=1e-6)
    fractions = (cube + 1) / 2
    assert torch.allclose(space.to_grid(space.from_grid(fractions)), fractions, atol=1e-6)


def test_contraction_is_that_of_mip_nerf_360_by_the_largest_coordinate():
    space = ContractedMap(torch.tensor([[-2.0] * 3, [2.0] * 3]))
    points = torch.tensor([[1.0, 0.5, -2.0], [8.0, 0.0, 0.0], [-4.0, 4.0, 2.0]])
    expected = [[0.5, 0.25, -1.0], [2 - 1 / 4, 0, 0], [-1.5, 1.5, 0.75]]
    assert torch.allclose(space.to_cube(points) * 2, torch.tensor(expected), atol=1e-6)


def test_normalised_device_coordinates_are_those_of_nerf():
    # Appendix C of the paper: (-f/(W/2) x/z, -f/(H/2) y/z, 1 + 2n/z), here tangent = (W/2)/f.
    space = NdcMap(BOX, torch.eye(4), torch.tensor([0.8, 0.5]), near=1.0)
    points = torch.tensor([[0.4, 0.3, -2.0], [-3.0, 1.0, -10.0]])
    x, y, z = points.unbind(-1)
    expected = torch.stack((-x / z / 0.8, -y / z / 0.5, 1 + 2.0 / z), dim=-1)
    assert torch.allclose(space.to_cube(points), expected, atol=1e-6)


@EVERY
def test_log_stretch_is_the_growth_of_length_along_the_axis_of_depth(kind):
    space = MAPS[kind]()
    cube = cube_points(most=0.9)
    # Along the coordinate by which the map stretches most: depth, or the largest one.
    axis = cube.abs().argmax(dim=-1) if kind == "unbounded" else torch.full((len(cube),), 2)
    ahead = torch.nn.functional.one_hot(axis, 3) * 1e-4
    difference = space.from_cube(cube + ahead) - space.from_cube(cube - ahead)
    if kind == "forward_facing":  # depth alone
        difference = difference @ space.reference[:3, 2:3].double()
    if kind == "unbounded":
        difference = difference.gather(1, axis[:, None])
    length = torch.linalg.vector_norm(difference, dim=-1) / 2e-4
    unit = 2 * space.half_side if kind == "unbounded" else space.half_side
    measured = (length / unit).log()
    sizes = cube.abs().sort(dim=-1).values
    smooth = ((sizes[:, 2] - 0.5).abs() > 1e-3) & (sizes[:, 2] - sizes[:, 1] > 1e-3)
    stated = space.log_stretch(space.from_cube(cube))
    stated = torch.as_tensor(stated, dtype=torch.float64).expand(len(cube))
    assert torch.allclose(measured[smooth], stated[smooth], atol=1e-3)


@EVERY
def test_bounds_hold_every_point_of_a_box(kind):
    space = MAPS[kind]()
    generator = torch.Generator().manual_seed(1)
    low = torch.rand((300, 3), generator=generator, dtype=torch.float64) * 0.9
    high = low + torch.rand((300, 3), generator=generator, dtype=torch.float64) * (0.99 - low)
    inside = low + torch.rand((50, 300, 3), generator=generator) * (high - low)
    start, end = space.dataset_bounds(low, high)
    points = space.from_grid(inside)
    room = 1e-6 * torch.maximum(start.abs(), end.abs())
    assert ((points >= start - room) & (points <= end + room)).all()
    low = torch.randn((300, 3), generator=generator, dtype=torch.float64) * 3
    high = low + torch.rand((300, 3), generator=generator, dtype=torch.float64) * 4
    points = low + torch.rand((50, 300, 3), generator=generator) * (high - low)
    start, end = space.grid_bounds(low, high)
    covered = space.contains(points.view(-1, 3).float()).view(50, 300)
    fractions = space.to_grid(points)
    held = ((fractions >= start - 1e-6) & (fractions <= end + 1e-6)).all(dim=-1)
    assert held[covered].all()


@EVERY
def test_samples_lie_in_occupied_cells_and_stand_for_the_way_between_them(kind):
    space = MAPS[kind]()
    grid = OccupancyGrid(space, 16)
    generator = torch.Generator().manual_seed(0)
    grid.binary.copy_(torch.rand((16,) * 3, generator=generator) < 0.4)
    rays = rays_about()
    jitter = torch.full((len(rays.origins),), 0.5)
    some = space.march(rays, grid.binary, 0.02, jitter)
    points = rays.origins[some.ray_index] + some.t[:, None] * rays.directions[some.ray_index]
    assert len(some) > 1000
    assert grid.contains(points).float().mean() > 0.999  # but for rounding at the faces of cells
    every = space.march(rays, torch.ones_like(grid.binary), 0.02, jitter)
    stretch = torch.zeros_like(every.t) if every.log_stretch is None else every.log_stretch
    ray, t, length = every.ray_index, every.t, stretch.exp() * 0.02
    together = (ray[1:] == ray[:-1]) & (length[1:] < 0.05)
    between = (t[1:] - t[:-1])[together]
    mean = ((length[1:] + length[:-1]) / 2)[together]
    assert torch.allclose(between, mean, rtol=2e-2, atol=1e-4)


@EVERY
def test_opacity_is_that_of_the_density_in_dataset_units(kind):
    """A ball of fog, whose optical thickness along a ray is known, is as opaque in any map."""
    field = AnalyticField(lambda p: 2.0 * torch.exp(-((p - center) ** 2).sum(-1) / (2 * 0.04)))
    center = torch.tensor([1.0, 0.0, -2.0])
    field.occupancy = OccupancyGrid(MAPS[kind](), 32)
    field.step = 0.02
    origins = torch.tensor([[1.2, 0.3, 2.0], [0.5, -0.5, 2.5], [1.0, 0.0, 1.0]])
    aims = center + torch.tensor([[0.0, 0.1, 0.0], [0.2, 0.0, 0.0], [0.0, 0.0, 0.0]])
    directions = torch.nn.functional.normalize(aims - origins, dim=-1)
    apart = torch.linalg.vector_norm(
        torch.linalg.cross(directions, center.expand(3, 3) - origins), dim=-1
    )
    thickness = 2.0 * torch.exp(-(apart**2) / 0.08) * math.sqrt(2 * math.pi * 0.04)
    jitter = torch.full((3,), 0.5)
    result, _ = field.march(Rays(origins, directions), jitter)
    assert torch.allclose(result.alpha, 1 - torch.exp(-thickness), atol=3e-3)


@pytest.mark.parametrize("kind", ["unbounded", "forward_facing"])
def test_what_is_far_outside_the_box_is_rendered(kind):
    field = AnalyticField(lambda p: 5.0 * (p[:, 2] < -60.0).float())
    field.occupancy = OccupancyGrid(MAPS[kind](), 32)
    field.step = 0.005
    rays = Rays(torch.tensor([[1.0, 0.0, 2.0]]), torch.tensor([[0.0, 0.0, -1.0]]))
    result, _ = field.march(rays, torch.full((1,), 0.5))
    assert float(result.alpha) > 0.99
    assert 60 < float(result.depth) < 75


def test_a_ray_that_turns_its_back_to_a_forward_facing_scene_meets_nothing():
    space = ndc()
    behind = turned_camera()[:3, 3][None]
    away = turned_camera()[:3, 2][None]
    occupied = torch.ones((8, 8, 8), dtype=torch.uint8)
    assert len(space.march(Rays(behind, away), occupied, 0.1, torch.zeros(1))) == 0
    assert not space.positions(Rays(behind, away), occupied, 64, torch.zeros((1, 0)))[1].any()


@EVERY
def test_positions_along_rays_lie_in_occupied_cells(kind):
    space = MAPS[kind]()
    grid = OccupancyGrid(space, 64)
    grid.binary.zero_()
    grid.binary[20:40, 24:44, 22:42] = 1
    rays = rays_about(400)
    fractions = torch.linspace(0.02, 0.98, 9).expand(400, -1)
    distances, met = space.positions(rays, grid.binary, 256, fractions)
    points = rays.origins[:, None] + distances[..., None] * rays.directions[:, None]
    inside = bordered_occupancy(grid).contains(points[met].view(-1, 3))
    assert met.sum() > 10
    assert inside.float().mean() > 0.99
    assert (distances[:, 1:] >= distances[:, :-1]).all()


@EVERY
@pytest.mark.parametrize("name", RADIANCE_FIELDS)
def test_every_architecture_is_saved_and_read_in_every_map_of_space(kind, name, tmp_path):
    torch.manual_seed(0)
    field = make_field(architecture(name, "small"), MAPS[kind]()).eval()
    save_field(tmp_path / "field.safetensors", field)
    again = load_field(tmp_path / "field.safetensors")
    points = field.space.from_cube(cube_points(500).float())
    assert again.space.to_json() == json.loads(json.dumps(field.space.to_json()))
    assert torch.allclose(again.log_density(points), field.log_density(points), atol=1e-5)


@EVERY
def test_most_visible_positions_lie_in_the_first_opaque_cells(kind):
    space = MAPS[kind]()
    codes = torch.zeros((64, 64, 64), dtype=torch.uint8)
    codes[20:40, 24:44, 22:42] = 255
    rays = rays_about(400)
    table = extinctions(torch.device("cpu"))
    fractions = torch.linspace(0.02, 0.98, 9).expand(400, -1)
    visible = space.visible_positions(rays, codes, table, 256, fractions)
    ends, met = space.positions(rays, codes.clamp(max=1), 256, torch.tensor([[0.0, 1.0]] * 400))
    first, last = ends[met].unbind(dim=1)
    into = (visible[met] - first[:, None]) / (last - first)[:, None]
    long = (last - first) > (last - first).median()
    assert met.sum() > 10
    assert (into > -1e-3).all()
    # Of three parts of the weight, the first cells have two, and all share the third.
    assert float((into[long] < 0.05).float().mean()) == pytest.approx(6 / 9, abs=0.02)
    assert (visible[:, 1:] >= visible[:, :-1]).all()


@EVERY
@pytest.mark.parametrize("interval", ["occupied", "visible"])
def test_a_light_field_is_exported_in_every_map_of_space(kind, interval, tmp_path):
    runtime = pytest.importorskip("onnxruntime")
    grid = OccupancyGrid(MAPS[kind](), 32)
    grid.binary.zero_()
    grid.binary[8:24, 8:24, 8:24] = 1
    with tiny_fields():
        spec = light_field("small", 16, interval, skip_empty=True, encoding="frequencies")
    reach = Reach(0.1, 5.0, [[-1.0] * 3, [1.0] * 3], {})
    bordered = bordered_occupancy(grid)
    thin = torch.full((int(bordered.binary.sum()),), 110, dtype=torch.uint8)
    field = LightField(spec, bordered, reach, thin if interval == "visible" else None).eval()
    write_onnx(field, tmp_path / "field.onnx")
    rays = rays_about(100)
    given = {"origins": rays.origins.numpy(), "directions": rays.directions.numpy()}
    answer = runtime.InferenceSession(str(tmp_path / "field.onnx")).run(None, given)[0]
    with torch.no_grad():
        assert np.abs(answer - field(*rays).numpy()).max() < 1e-4
    assert 0 < field.meets(rays).float().mean() < 1


def test_a_map_of_an_unknown_kind_is_refused():
    with pytest.raises(ValueError, match="no map of space"):
        make_map({"kind": "flat"}, BOX)


@EVERY
def test_cells_that_no_camera_sees_hold_nothing(kind):
    space = MAPS[kind]()
    grid = OccupancyGrid(space, 32)
    matrix = turned_camera().double().numpy()
    camera = Camera(matrix, 40, 40, 80.0, 80.0, 20.0, 20.0)
    exclude_unseen(grid, CameraBatch.from_cameras([camera]), seed=0)
    points = space.from_cube(cube_points().float())
    position = (points - turned_camera()[:3, 3]) @ turned_camera()[:3, :3]
    depth = -position[:, 2]
    aside = position[:, :2].abs().amax(dim=-1) / depth
    seen = (depth > 1.6) & (aside < 0.2) & space.contains(points)
    assert grid.contains(points)[seen].all()
    unseen = (depth < -1.0) | ((aside > 0.75) & (depth > 0))
    assert unseen.sum() > 50
    assert grid.contains(points)[unseen].float().mean() < 0.05
    before = grid.binary.clone()
    grid.rebuild(lambda p: torch.zeros(len(p)), 1.0)
    assert grid.binary[before == 0].sum() == 0


def test_a_picture_of_an_unbounded_field_is_the_same_from_its_parts_of_rays():
    """Rays one by one and all at once: no ray's samples depend on the others."""
    field = AnalyticField(lambda p: torch.exp(-p.square().sum(-1) / 4))
    field.occupancy = OccupancyGrid(ContractedMap(BOX), 16)
    field.step = 0.05
    matrix = np.eye(4)
    matrix[2, 3] = 6.0
    picture = render_image(field, Camera(matrix, 5, 4, 8.0, 8.0, 2.5, 2.0))
    rays = rays_about(7)
    together, _ = field.march(rays, torch.full((7,), 0.5))
    for i in range(7):
        one = Rays(rays.origins[i : i + 1], rays.directions[i : i + 1])
        alone, _ = field.march(one, torch.full((1,), 0.5))
        assert torch.allclose(alone.alpha[0], together.alpha[i], atol=1e-6)
    assert picture.alpha.max() > 0.2
