"""Every kernel on CUDA gives what its reference in torch gives, values and gradients."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial

import pytest
import torch
from analytic_field import uniform_points
from edit_shapes import torus

from pvd_engine.edit.mesh_shape import closed_mesh
from pvd_engine.kernels import compositing, contracted, factors, launch, marching
from pvd_engine.kernels.adam import adam_step_sparse, adam_step_sparse_reference
from pvd_engine.kernels.compile import compile_kernels, declared_kernels
from pvd_engine.kernels.gaussian_mixture import gaussian_mixture_reference, gaussian_mixture_warp
from pvd_engine.kernels.gaussian_records import CellLists
from pvd_engine.kernels.harmonics import sh_colors_reference, sh_colors_warp
from pvd_engine.kernels.hash_grid import HashGridLayout, hash_encode_reference, hash_encode_warp
from pvd_engine.kernels.marching import PackedSamples
from pvd_engine.kernels.mesh_inside import ReferenceMeshQuery, WarpMeshQuery
from pvd_engine.kernels.ray_positions import ray_positions_reference, ray_positions_warp
from pvd_engine.kernels.row_gradient import RowGradient
from pvd_engine.kernels.sparse_grid import sparse_sample_reference, sparse_sample_warp
from pvd_engine.kernels.splat_reference import splat_reference
from pvd_engine.kernels.splat_rules import FAINTEST, GSPLAT, INRIA, SplatCamera
from pvd_engine.kernels.splats import splat_warp
from pvd_engine.kernels.visible_positions import visible_positions_reference, visible_positions_warp
from pvd_engine.space.extinction import extinctions

DEVICE = torch.device("cuda", 0)
COUNTS = (0, 1, 257, 20_000)
"""Numbers of points or rays: none, one, more than a block, and many blocks."""

ON_CUDA = pytest.mark.skipif(not torch.cuda.is_available(), reason="torch finds no CUDA device")
pytestmark = pytest.mark.skipif(not launch.warp_available(), reason="Warp is not installed")


@dataclass(frozen=True)
class Case:
    """Kernels by name, and a function that compares them for a number of items."""

    kernels: tuple[str, ...]
    compare: Callable[[int], None]


def close(fast, reference, tolerance=1e-5):
    for a, b in zip(fast, reference, strict=True):
        assert a.shape == b.shape and a.device == b.device
        if b.numel():
            assert (a - b).abs().max() <= tolerance * b.abs().max().clamp(min=1e-3)


def random(*shape, grad=False):
    return torch.randn(*shape, device=DEVICE, requires_grad=grad)


def points_around(count):
    return torch.rand(count, 3, device=DEVICE) * 1.2 - 0.1


def with_gradients(run, arguments, tables, back):
    values = run(*arguments)
    return values.detach(), *torch.autograd.grad(values, tables, back)


def compare_hash_grid(features, count):
    layout = HashGridLayout(6, features, 12, base_resolution=5, per_level_scale=1.7)
    table, back = random(layout.rows, features, grad=True), random(count, layout.width)
    given = (points_around(count), table, layout)
    close(
        with_gradients(hash_encode_warp, given, table, back),
        with_gradients(hash_encode_reference, given, table, back),
    )


def compare_planes(count):
    size = (5, 9, 7)
    for channels in (1, 7, 16, 29):
        planes = random(sum(factors.plane_rows(size)), channels, grad=True)
        lines, back = random(sum(size), channels, grad=True), random(count, 3 * channels)
        given, tables = (points_around(count), planes, lines, size), (planes, lines)
        close(
            with_gradients(factors.plane_products_warp, given, tables, back),
            with_gradients(factors.plane_products_reference, given, tables, back),
        )


def compare_lines(count):
    size = (5, 9, 7)
    for channels in (1, 7, 16, 29):
        lines, back = random(sum(size), channels, grad=True), random(count, channels)
        given = (points_around(count), lines, size)
        close(
            with_gradients(factors.line_products_warp, given, lines, back),
            with_gradients(factors.line_products_reference, given, lines, back),
        )


def compare_sparse_grid(count):
    for channels in (1, 5, 28, 45):
        used = torch.rand(17, 13, 9, device=DEVICE) < 0.6
        links = torch.full(used.shape, -1, dtype=torch.int32, device=DEVICE)
        links[used] = torch.randperm(int(used.sum()), dtype=torch.int32, device=DEVICE)
        values, back = random(int(used.sum()), channels, grad=True), random(count, channels)
        given = (points_around(count), links, values, random(channels))
        close(
            with_gradients(sparse_sample_warp, given, values, back),
            with_gradients(sparse_sample_reference, given, values, back),
        )


def compare_adam(columns, count):
    parameter, square = random(count, columns), random(count, columns).square()
    mean, gradient = random(count, columns), random(count, columns)
    gradient[torch.rand(count, device=DEVICE) < 0.5] = 0
    settings = (1e-2, (0.9, 0.99), 1e-15, 3)
    for by_rows in (False, True):
        results = []
        for step in (adam_step_sparse, adam_step_sparse_reference):
            tables = [table.clone() for table in (parameter, mean, square)]
            given = gradient.clone()
            if by_rows and step is adam_step_sparse:
                given = RowGradient(parameter)
                given.add(gradient)
            step(tables[0], given, *tables[1:], *settings)
            results.append(tables)
        close(*results)


def random_rays(count):
    origins = random(count, 3)
    directions = torch.nn.functional.normalize(points_around(count) - origins, dim=-1)
    return origins, directions, torch.rand(count, device=DEVICE)


def random_cells():
    return (torch.rand(19, 32, 7, device=DEVICE) < 0.3).to(torch.uint8)


def compare_march(count):
    box = torch.tensor([[-1.0, -0.7, 0.2], [1.3, 0.9, 2.0]], device=DEVICE)
    origins, directions, jitter = random_rays(count)
    given = (origins, directions, random_cells(), box, 0.01, jitter)
    fast, reference = marching.march_rays_warp(*given), marching.march_rays_reference(*given)
    assert torch.equal(fast.offsets, reference.offsets)
    assert torch.equal(fast.ray_index, reference.ray_index)
    assert torch.equal(fast.t, reference.t)


def compare_march_contracted(count):
    origins, directions, jitter = random_rays(count)
    rays = contracted.RayCoordinate.of(origins, directions)
    given = (origins, directions, rays, random_cells(), 0.02, jitter)
    fast = contracted.march_contracted_warp(*given)
    reference = contracted.march_contracted_reference(*given)
    assert all(torch.equal(a, b) for a, b in zip(fast, reference, strict=True))


def compare_ray_positions(count):
    box = torch.tensor([[-1.0, -0.7, 0.2], [1.3, 0.9, 2.0]], device=DEVICE)
    origins, directions, _ = random_rays(count)
    enter, leave = marching.through_box(origins, directions, box)
    fractions = torch.rand(count, 12, device=DEVICE).sort(dim=1).values
    given = (origins, directions, enter, leave, random_cells(), box, 40, fractions)
    fast, reference = ray_positions_warp(*given), ray_positions_reference(*given)
    close(fast[:1], reference[:1])
    assert torch.equal(fast[1], reference[1])


def compare_visible_positions(count):
    box = torch.tensor([[-1.0, -0.7, 0.2], [1.3, 0.9, 2.0]], device=DEVICE)
    origins, directions, _ = random_rays(count)
    enter, leave = marching.through_box(origins, directions, box)
    codes = random_cells() * torch.randint(100, 180, (1,), dtype=torch.uint8, device=DEVICE)
    fractions = (torch.rand(count, 12, device=DEVICE) * 0.98 + 0.01).sort(dim=1).values
    table = extinctions(torch.device(DEVICE))
    given = (origins, directions, enter, leave, codes, table, box, 40, fractions)
    fast, reference = visible_positions_warp(*given), visible_positions_reference(*given)
    # A position at the border of two parts with others between them may fall on either side.
    assert count == 0 or ((fast - reference).abs() < 1e-4).float().mean() > 0.99


def random_samples(count):
    """Samples of rays, some of which have none."""
    counts = torch.randint(0, 40, (count,), device=DEVICE)
    ray = torch.repeat_interleave(torch.arange(count, device=DEVICE), counts)
    offsets = torch.cat((counts.new_zeros(1), counts.cumsum(0)))
    return PackedSamples(ray, torch.rand(len(ray), device=DEVICE), offsets)


def compare_composite(count):
    samples = random_samples(count)
    density, color = random(len(samples), grad=True), random(len(samples), 3, grad=True)
    weight = random(count, 5), random(len(samples))
    results = []
    for run in (compositing.composite_warp, compositing.composite_reference):
        out = run(density, color, samples, 0.1)
        rays = torch.cat((out.color, out.alpha[:, None], out.depth[:, None]), dim=1)
        total = (rays * weight[0]).sum() + (out.weights * weight[1]).sum()
        gradients = torch.autograd.grad(total, (density, color))
        results.append((rays.detach(), out.weights.detach(), *gradients))
    close(*results)


def compare_transmittance(count):
    samples = random_samples(count)
    given = (random(len(samples)), samples, 0.1)
    fast = compositing.transmittance_warp(*given)
    close([fast], [compositing.transmittance_reference(*given)])


def torus_queries():
    vertices, triangles = closed_mesh(*torus(rings=24, sides=12))
    given = (
        torch.tensor(vertices, dtype=torch.float32, device=DEVICE),
        torch.from_numpy(triangles).to(DEVICE),
    )
    return WarpMeshQuery(*given), ReferenceMeshQuery(*given)


def compare_mesh_inside(count):
    points = uniform_points(count).to(DEVICE)
    fast, reference = (query.inside(points) for query in torus_queries())
    assert torch.equal(fast, reference)


def compare_mesh_crossed(count):
    low = uniform_points(count, -1, 0.9, seed=4).to(DEVICE)
    high = low + uniform_points(count, 0.01, 0.2, seed=5).to(DEVICE)
    fast, reference = (query.crossed(low, high) for query in torus_queries())
    assert torch.equal(fast, reference)


def compare_sh_colors(count):
    for rows in (4, 9, 16, 25):
        coefficients, centers = random(count, rows, 3, grad=True), random(count, 3, grad=True)
        given, back = (coefficients, centers, random(3)), random(count, 3)
        close(
            with_gradients(sh_colors_warp, given, given[:2], back),
            with_gradients(sh_colors_reference, given, given[:2], back),
            tolerance=3e-5,
        )


def compare_splats(count):
    """Compare pictures; at its rim a splat may be drawn by one side and not by the other."""
    ahead = torch.cat((torch.eye(3), torch.tensor([[0.0], [0.0], [4.0]])), dim=1)
    camera = SplatCamera(ahead, 90.0, 95.0, 47.0, 31.0, 90, 70)
    cloud = [
        points_around(count) * 2 - 1,
        torch.rand(count, 3, device=DEVICE) * 0.2,
        random(count, 4),
        0.1 + 0.9 * torch.rand(count, device=DEVICE),
        torch.rand(count, 3, device=DEVICE),
    ]
    cloud, back = [values.requires_grad_() for values in cloud], random(70, 90, 5)
    for rules in (INRIA, replace(GSPLAT, antialiased=True)):
        fast, reference = (
            with_gradients(draw, (*cloud, camera, rules), cloud, back)
            for draw in (splat_warp, splat_reference)
        )
        for a, b in zip(fast, reference, strict=True):
            assert a.shape == b.shape and a.device == b.device
            if b.numel():
                off = (a - b).abs() / b.abs().max().clamp(min=1e-3)
                assert (off > 1e-5).float().mean() <= 1e-3
                assert off.max() <= 2 * FAINTEST


def compare_gaussian_mixture(count):
    splats, cells = 300, 50
    matrices = torch.eye(3, device=DEVICE).view(1, 9) * 4 + random(splats, 9)
    records = torch.cat((points_around(splats), matrices, random(splats, 1)), dim=1)
    listed = torch.rand(cells, splats, device=DEVICE) < 0.3
    offsets = torch.nn.functional.pad(listed.sum(1).cumsum(0), (1, 0)).int()
    lists = CellLists(offsets, listed.nonzero()[:, 1].int())
    at = torch.randint(-1, cells, (count,), device=DEVICE, dtype=torch.int32)
    records.requires_grad_()
    for rows in (0, 9, 25):
        tables = records, random(splats, rows, 3, grad=True)
        given = (points_around(count), at, random(count, rows), lists, *tables)
        back = random(count, 4)
        close(
            with_gradients(gaussian_mixture_warp, given, tables, back),
            with_gradients(gaussian_mixture_reference, given, tables, back),
            tolerance=1e-4,
        )


CASES = [
    *[
        Case((f"hash_grid_forward_{n}", f"hash_grid_backward_{n}"), partial(compare_hash_grid, n))
        for n in (1, 2, 4, 8)
    ],
    *[Case((f"adam_step_{n}",), partial(compare_adam, n or 28)) for n in (0, 1, 2, 4, 8)],
    Case(("plane_products_forward", "plane_products_backward"), compare_planes),
    Case(("line_products_forward", "line_products_backward"), compare_lines),
    Case(("sparse_grid_forward", "sparse_grid_backward"), compare_sparse_grid),
    Case(("march_rays",), compare_march),
    Case(("march_contracted",), compare_march_contracted),
    Case(("ray_positions",), compare_ray_positions),
    Case(("visible_positions",), compare_visible_positions),
    Case(("composite_forward", "composite_backward"), compare_composite),
    Case(("transmittance",), compare_transmittance),
    Case(("mesh_inside",), compare_mesh_inside),
    Case(("mesh_crossed",), compare_mesh_crossed),
    Case(("sh_colors_forward", "sh_colors_backward"), compare_sh_colors),
    Case(
        (
            "splat_project",
            "splat_list",
            "splat_tiles_forward",
            "splat_tiles_backward",
            "splat_project_backward",
        ),
        compare_splats,
    ),
    Case(("gaussian_mixture_forward", "gaussian_mixture_backward"), compare_gaussian_mixture),
]


def test_every_kernel_that_cuda_runs_is_compared():
    compared = [name for case in CASES for name in case.kernels]
    wanted = [kernel.name for kernel in declared_kernels() if not kernel.cpu_only]
    assert sorted(compared) == sorted(wanted)


@ON_CUDA
@pytest.mark.parametrize("count", COUNTS)
@pytest.mark.parametrize("case", CASES, ids=lambda case: case.kernels[0])
def test_kernels_give_what_their_references_give(prepared, case, count):
    case.compare(count)
    launched = {(kernel.key, device) for kernel, device, _ in prepared}
    assert launched == ({(name, str(DEVICE)) for name in case.kernels} if count else set())


@ON_CUDA
def test_kernels_that_are_compiled_ahead_are_those_that_run(prepared):
    compile_kernels(lambda *_: None)
    ready = prepared.copy()
    prepared.clear()
    for case in CASES:
        case.compare(300)
    assert prepared and prepared <= ready


@ON_CUDA
def test_kernels_run_in_the_stream_of_torch():
    stream = torch.cuda.Stream(DEVICE)
    stream.wait_stream(torch.cuda.current_stream(DEVICE))
    with torch.cuda.stream(stream):
        compare_planes(20_000)
        compare_hash_grid(2, 20_000)


@ON_CUDA
@pytest.mark.parametrize("features", [1, 2, 4, 8])
def test_a_table_in_the_midst_of_memory_is_read(features):
    layout = HashGridLayout(6, features, 12, base_resolution=5, per_level_scale=1.7)
    table = random(layout.rows * features + 1)[1:].view(layout.rows, features)
    given = (points_around(500), table, layout)
    close([hash_encode_warp(*given)], [hash_encode_reference(*given)])
