"""Pictures of Gaussian splats: projected, sorted by depth, and composited tile by tile.

Kerbl et al., "3D Gaussian splatting for real-time radiance field rendering", 2023. The gradient of
a splat in a tile has a row of its own, and rows are summed splat by splat, so that on the CPU
threads share no memory and every run gives the same.
"""

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from .launch import Part, split, use_warp
from .memory import POOL
from .splat_reference import splat_reference
from .splat_rules import (
    CHANNELS,
    INRIA,
    TILE,
    SplatCamera,
    SplatPicture,
    SplatRules,
    SplatUse,
)
from .workload import SPLAT_ENTRIES, workload


def draw_splats(
    centers: Tensor,
    scales: Tensor,
    rotations: Tensor,
    opacities: Tensor,
    colors: Tensor,
    camera: SplatCamera,
    rules: SplatRules = INRIA,
    use: SplatUse | None = None,
) -> SplatPicture:
    """Return the picture of a cloud of splats; differentiable in all that a splat has.

    Parameters
    ----------
    centers : (N, 3) float32
        In the world of the camera.
    scales : (N, 3) float32
        Standard deviations along the splat's own axes, in the units of the centres.
    rotations : (N, 4) float32
        Quaternions w, x, y, z from the splat's axes to the world's, of any length.
    opacities : (N,) float32
        At the centre, in [0, 1].
    colors : (N, 3) float32
        As this camera sees them.
    camera : SplatCamera
    rules : SplatRules
    use : SplatUse, optional
        Filled by the backward pass.

    Returns
    -------
    SplatPicture
        Of the camera's rows; without a background.

    Raises
    ------
    MemoryError
        More splats lie in the tiles than memory suffices for; fewer rows have fewer.
    """
    count = len(centers)
    _check("centers", centers, (count, 3))
    _check("scales", scales, (count, 3))
    _check("rotations", rotations, (count, 4))
    _check("opacities", opacities, (count,))
    _check("colors", colors, (count, 3))
    run = splat_warp if use_warp(centers.device) else splat_reference
    channels = run(centers, scales, rotations, opacities, colors, camera, rules, use)
    return SplatPicture.of(channels)


def _check(name: str, tensor: Tensor, shape: tuple[int, ...]) -> None:
    if tensor.shape != shape:
        raise ValueError(f"{name} must be {shape}, not {tuple(tensor.shape)}")


def splat_warp(
    centers: Tensor,
    scales: Tensor,
    rotations: Tensor,
    opacities: Tensor,
    colors: Tensor,
    camera: SplatCamera,
    rules: SplatRules,
    use: SplatUse | None = None,
) -> Tensor:
    """Compute the channels (H, W, 5) of `draw_splats` by the Warp kernels."""
    splats = (centers, scales, rotations, opacities, colors)
    return _DrawSplats.apply(*splats, camera, rules, use)


@dataclass(frozen=True)
class _Lists:
    """The splats of each tile, from near to far.

    Attributes
    ----------
    order : (V,) int32
        Splats that are seen, from near to far.
    offsets : (V + 1,) int64
        Slots of each of them: one for every tile that it is seen in.
    ranges : (T + 1,) int64
        Entries of each tile.
    slots, splats : (E,) int64, int32
        Slot and splat of each entry.
    """

    order: Tensor
    offsets: Tensor
    ranges: Tensor
    slots: Tensor
    splats: Tensor


class _DrawSplats(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any,
        centers: Tensor,
        scales: Tensor,
        rotations: Tensor,
        opacities: Tensor,
        colors: Tensor,
        camera: SplatCamera,
        rules: SplatRules,
        use: SplatUse | None,
    ) -> Tensor:
        from .sources.splat_tiles import splat_tiles_forward

        device = centers.device
        given = (centers, scales, rotations, opacities, colors)
        *shape, colors = (tensor.detach().contiguous() for tensor in given)
        lens = _lens(camera, rules, device)
        records, lists = _listed(shape, colors, camera, rules, lens)
        across, down = camera.tiles
        picture = torch.zeros((camera.rows, camera.width, CHANNELS), device=device)
        lights = torch.empty((across * down, TILE * TILE), device=device)
        reached = torch.empty_like(lights, dtype=torch.int32)
        splat_tiles_forward.launch(
            *_tile_work(camera, lists),
            **_tile_arguments(camera, rules, records, lists),
            picture=picture,
            lights=lights,
            reached=reached,
        )
        ctx.save_for_backward(*shape, records, lights, reached)
        ctx.lists, ctx.lens, ctx.camera, ctx.rules, ctx.use = lists, lens, camera, rules, use
        return picture

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        from .sources.splat_projection import ENTRY, splat_project_backward
        from .sources.splat_tiles import splat_tiles_backward

        *shape, records, lights, reached = ctx.saved_tensors
        shape = _named(shape)
        camera, lists = ctx.camera, ctx.lists
        of_entries = POOL.empty((len(lists.slots), ENTRY), records.device).zero_()
        splat_tiles_backward.launch(
            *_tile_work(camera, lists),
            **_tile_arguments(camera, ctx.rules, records, lists),
            slots=lists.slots,
            of_picture=gradients[0].contiguous(),
            lights=lights,
            reached=reached,
            of_entries=of_entries,
        )
        # Splats that are not seen keep the zeros.
        of_shape: dict[str, Any] = {f"of_{k}": torch.zeros_like(v) for k, v in shape.items()}
        of_colors = torch.zeros_like(shape["centers"])
        of_screen = of_colors.new_zeros(len(of_colors), 2)
        weights = of_colors.new_zeros(len(of_colors))
        splat_project_backward.launch(
            len(lists.order),
            order=lists.order,
            offsets=lists.offsets,
            of_entries=of_entries,
            **shape,
            **ctx.lens,
            **of_shape,
            of_colors=of_colors,
            of_screen=of_screen,
            weights=weights,
        )
        if ctx.use is not None:
            ctx.use.screen_gradient, ctx.use.weight = of_screen, weights
        return *of_shape.values(), of_colors, None, None, None


def _listed(
    shape: list[Tensor],
    colors: Tensor,
    camera: SplatCamera,
    rules: SplatRules,
    lens: dict[str, Any],
) -> tuple[Tensor, _Lists]:
    """Project splats; return their records, and what each tile shows of them."""
    from .sources.splat_projection import RECORD, splat_list, splat_project

    count, device = len(colors), colors.device
    across, down = camera.tiles
    first_tile = camera.first_row // TILE
    records = POOL.empty((count, RECORD), device)
    tiles = torch.empty((count, 4), dtype=torch.int32, device=device)
    counts = torch.empty(count, dtype=torch.int32, device=device)
    splat_project.launch(
        count,
        **_named(shape),
        colors=colors,
        **lens,
        cx=camera.cx,
        cy=camera.cy,
        near=rules.near,
        square=int(rules.square),
        tiles_x=across,
        tiles_y=down,
        first_tile=first_tile,
        records=records,
        tiles=tiles,
        counts=counts,
    )
    seen = counts.nonzero().view(-1)
    # Positive numbers and their bits have one order, and whole numbers are sorted faster.
    depths = records[:, 9].index_select(0, seen).view(torch.int32)
    order = seen[depths.sort(stable=True).indices]
    offsets = torch.nn.functional.pad(counts.index_select(0, order).cumsum(0), (1, 0))
    entries = int(offsets[-1])
    if entries > workload(device).most(SPLAT_ENTRIES):
        raise MemoryError("too many splats lie in the tiles; fewer rows of a picture have fewer")
    order = order.to(torch.int32)
    entry_splats = torch.empty(entries, dtype=torch.int32, device=device)
    entry_tiles = torch.empty_like(entry_splats)
    splat_list.launch(
        len(order),
        order=order,
        offsets=offsets,
        records=records,
        tiles=tiles,
        tiles_x=across,
        first_tile=first_tile,
        entry_splats=entry_splats,
        entry_tiles=entry_tiles,
    )
    # Stable, so that the splats of a tile stay in the order of depth.
    entry_tiles, slots = entry_tiles.sort(stable=True)
    bounds = torch.arange(across * down + 1, dtype=torch.int32, device=device)
    ranges = torch.searchsorted(entry_tiles, bounds)
    return records, _Lists(order, offsets, ranges, slots, entry_splats[slots])


def _named(shape: list[Tensor]) -> dict[str, Any]:
    """Return the kernels' arguments of what projects to the screen."""
    return dict(zip(("centers", "scales", "rotations", "opacities"), shape, strict=True))


def _lens(camera: SplatCamera, rules: SplatRules, device: torch.device) -> dict[str, Any]:
    """Return the kernels' arguments of the projection, forward and backward."""
    matrix = camera.world_to_camera.to(device, torch.float32)
    slopes = dict(zip(("low_x", "high_x", "low_y", "high_y"), camera.slopes, strict=True))
    return {
        "world_to_camera": matrix.reshape(12).contiguous(),
        "fx": camera.fx,
        "fy": camera.fy,
        **slopes,
        "smallest_ratio": rules.smallest_ratio,
        "antialiased": int(rules.antialiased),
    }


def _tile_arguments(
    camera: SplatCamera, rules: SplatRules, records: Tensor, lists: _Lists
) -> dict[str, Any]:
    """Return the kernels' arguments of the tiles, forward and backward."""
    return {
        "records": records,
        "ranges": lists.ranges,
        "splats": lists.splats,
        "tiles_x": camera.tiles[0],
        "first_row": camera.first_row,
        "width": camera.width,
        "height": camera.rows,
        "most_opaque": rules.most_opaque,
    }


def _tile_work(camera: SplatCamera, lists: _Lists) -> tuple[int, list[Part]]:
    """Return the number of tiles, none where there are no splats, and ranges of them.

    The ranges are small because tiles differ in splats.
    """
    across, down = camera.tiles
    tiles = across * down if len(lists.slots) else 0
    return tiles, split(tiles, grain=1, parts_per_thread=8)
