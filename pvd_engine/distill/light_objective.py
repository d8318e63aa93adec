"""The losses of a light field: to its teacher's rays, and at the end to the real images."""

import time
from dataclasses import dataclass

import torch
from torch import Tensor

from ..errors import UserError
from ..fields.base import Renderable
from ..fields.light_field import LightField
from ..jobs.device import processor
from ..kernels.workload import (
    PICTURE_RAYS,
    STEP_SAMPLES,
    concatenated,
    learning_bytes,
    workload,
)
from ..space.rays import Rays
from ..train.pixels import PixelTable
from ..train.readings import Metrics
from ..train.training import Training
from .hard_rays import HardRays
from .ray_pool import RayPool
from .ray_source import RaySource

BATCH = {"cpu": 1 << 13, "gpu": 20 << 12}
"""Rays per step without the hard ones, by device; as in R2L on a GPU."""

REFILL_EVERY = 8
"""Steps between two additions of rays to the pool."""

FIRST_BATCHES = 8
"""Batches of rays that are drawn to fill the pool before the first step."""

FIRST_TRIES = 8
"""Attempts to fill the pool before the engine reports an error."""

HARD_FRACTION = 0.2
"""Hard rays of a batch, as a fraction of its other rays; as many of a batch are kept (R2L)."""

HARD_BATCHES = 20
"""Hard rays that are kept, in batches (R2L)."""

HARD_COLUMNS = 10
"""Numbers of a hard ray: origin, direction, and the teacher's colour and alpha."""

EMPTY = 0.01
"""Alpha below which a ray counts as empty."""

EMPTY_KEPT = 0.25
"""Fraction of the empty rays that is kept where rays are chosen by importance."""

PSEUDO = 4
"""Number of the stage of the teacher's rays in reports, after PVD's three."""


@dataclass(frozen=True)
class LightRecipe:
    """The recipe of a light field's training.

    Wang et al., "R2L", 2022, section 3.3 and supplement.

    Attributes
    ----------
    pool : int
        Rays that are kept at a time.
    hard_rays : bool
        Draw the hardest rays again.
    importance : bool
        Keep only a few of the rays that meet occupied cells but show nothing.
    """

    pool: int = 1 << 20
    hard_rays: bool = False
    importance: bool = True


def hard_rays(device: torch.device) -> HardRays:
    """Return a table for the hardest rays of a light field's training (R2L)."""
    capacity = HARD_BATCHES * BATCH[processor(device.type)]
    return HardRays(HARD_FRACTION, capacity, HARD_COLUMNS, device)


class LightObjective:
    """Squared error of colour and alpha of rays to those of the teacher.

    Checkpoints do not hold the pool of rays: a resumed training renders new ones of its teacher.

    Parameters
    ----------
    training : Training
        The training of the light field.
    teacher : Renderable
    source : RaySource
    recipe : LightRecipe
    hard : HardRays or None
        The hardest rays, from `hard_rays`, where they are drawn again.
    """

    def __init__(
        self,
        training: Training[LightField],
        teacher: Renderable,
        source: RaySource,
        recipe: LightRecipe,
        hard: HardRays | None,
    ) -> None:
        self.training = training
        self.teacher = teacher
        self.source = source
        self.recipe = recipe
        self.hard = hard
        self.pool = RayPool(recipe.pool, training.field.device)
        self.since = time.monotonic()

    @property
    def batch(self) -> int:
        """Rays of a step without the hard ones."""
        return rays_of_step(self.training.field)

    def __call__(self, step: int, fraction: float) -> tuple[Tensor, Metrics]:
        """Return the loss of one batch of rays, and its error, the stage and rays per second."""
        generator, batch = self.training.generator, self.batch
        if self.pool.filled == 0:
            self._fill(step)
        elif step % REFILL_EVERY == 0:
            self.refill(REFILL_EVERY * batch, step)  # as many as are drawn
        rays, target = self.pool.draw(batch, generator)
        if self.hard is None:
            errors = self._errors(rays, target)
        else:
            slots, again = self.hard.draw(batch, generator)
            rows = torch.cat((torch.cat((*rays, target), dim=1), again))
            errors = self._errors(Rays(rows[:, :3], rows[:, 3:6]), rows[:, 6:])
            self.hard.learn(slots, rows, errors.detach())
        now = time.monotonic()
        rate = batch / max(now - self.since, 1e-9)
        self.since = now
        return errors.mean(), {
            "stage": float(PSEUDO),
            "psnr_to_source": errors[:batch].mean(),
            "rays_per_second": rate,
        }

    def _errors(self, rays: Rays, target: Tensor) -> Tensor:
        return (colors_of(self.training, rays) - target).square().mean(dim=1)

    def _fill(self, step: int) -> None:
        for _ in range(FIRST_TRIES):
            self.refill(FIRST_BATCHES * self.batch, step)
            if self.pool.filled:
                return
        raise UserError(
            "The cameras see almost nothing of this field, so a light field cannot learn from "
            "them; check that the field and the capture belong together."
        )

    @torch.no_grad()
    def refill(self, count: int, step: int) -> None:
        """Draw `count` rays, and add those to the pool that are worth learning from."""
        field, generator = self.training.field, self.training.generator
        rays = self.source.draw(count, step, generator).rays
        if field.skip_empty:
            rays = rays.chosen(field.meets(rays).nonzero().view(-1))

        def rendered(part: slice) -> Tensor:
            seen = self.teacher.render(Rays(*(values[part] for values in rays)))
            return torch.cat((seen.color, seen.alpha[:, None]), dim=1)

        colors = concatenated(field.device, PICTURE_RAYS, len(rays.origins), rendered)
        if self.recipe.importance:
            chance = torch.rand(len(colors), generator=generator, device=field.device)
            kept = ((colors[:, 3] > EMPTY) | (chance < EMPTY_KEPT)).nonzero().view(-1)
            rays, colors = rays.chosen(kept), colors[kept]
        self.pool.add(rays, colors)


class LightOnImages:
    """Squared error of the colour of rays to the pixels of a capture.

    Parameters
    ----------
    training : Training
        The training of the light field.
    pixels : PixelTable
    has_alpha : bool
        True when the images have alpha, which then counts, too; otherwise rays are compared on
        white.
    """

    def __init__(self, training: Training[LightField], pixels: PixelTable, has_alpha: bool) -> None:
        self.training = training
        self.pixels = pixels
        self.has_alpha = has_alpha

    def __call__(self, step: int, fraction: float) -> tuple[Tensor, Metrics]:
        """Return the loss of one batch of rays, and its error."""
        field = self.training.field
        rays, rgba = self.pixels.draw(rays_of_step(field), self.training.generator)
        target = torch.cat((rgba[:, :3] * rgba[:, 3:], rgba[:, 3:]), dim=1)
        if field.skip_empty:
            met = field.meets(rays).nonzero().view(-1)
            rays, target = rays.chosen(met), target[met]
        colors = colors_of(self.training, rays)
        if not self.has_alpha:
            colors = colors[:, :3] + 1 - colors[:, 3:]
            target = target[:, :3]
        loss = (colors - target).square().sum() / max(target.numel(), 1)
        return loss, {"psnr_to_images": loss}


def rays_of_step(field: LightField) -> int:
    """Return the rays of a light field's step: fewer where memory is short, or has run out."""
    load = workload(field.device)
    fitting = load.most(STEP_SAMPLES, learning_bytes(field))
    return max(int(min(BATCH[processor(field.device.type)], fitting) * load.scale), 1)


def colors_of(training: Training[LightField], rays: Rays) -> Tensor:
    """Return colour and alpha (N, 4) of rays, with each point at random in its part of the ray."""
    field = training.field
    shape = len(rays.origins), field.points
    jitter = torch.rand(shape, generator=training.generator, device=field.device)
    return field.evaluate(field.ray_points(rays, jitter))
