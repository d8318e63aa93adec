"""The state of an optimisation, and its checkpoints."""

import dataclasses
import time
from pathlib import Path
from typing import Any, Generic, Protocol, TypeVar

import torch
from torch import Tensor, nn

from ..errors import UserError
from ..fields.base import Learner
from ..fields.encoders.base import ParameterGroup
from ..jobs.checkpoint import load_checkpoint, save_checkpoint
from ..jobs.job import Job
from ..kernels.workload import STEP_RAYS, workload
from .history import History
from .optimizer import FieldOptimizer

MIN_RAYS = 64
"""Rays per step, lower bound."""

CHECKPOINT_LAYOUT = 4
"""Number of the checkpoints' layout, raised when they hold their parts in another way."""

SomeLearner = TypeVar("SomeLearner", bound=Learner)


class Part(Protocol):
    """A part of a training that a resumed one needs, as an optimiser is."""

    def state(self) -> dict[str, Tensor]:
        """Return all that it has learned so far, by name."""
        ...

    def load_state(self, tensors: dict[str, Tensor]) -> None:
        """Take what `state` returned; the tensors may be on another device."""
        ...


@dataclasses.dataclass
class Training(Generic[SomeLearner]):
    """All that an interrupted optimisation needs to continue.

    Attributes
    ----------
    field : Learner
        The field that is optimised.
    optimizer : FieldOptimizer
    generator : torch.Generator
        Source of all randomness that continues from step to step, on the field's device.
    seed : int
        Start of the generator.
    checkpoint : str
        Name of its checkpoint in the job folder.
    step : int
    started : float
        Value of the monotonic clock at which it began; later where it was interrupted, so that
        interruptions do not count.
    elapsed : float
        Seconds spent from then on, as last counted.
    prepared : float
        Seconds that were spent before the first step.
    rays : float
        Rays of the next step; its whole part is cast.
    history : History
        Loss and PSNR so far.
    companion : nn.Module or None
        A network that learns next to the field and is dropped with the training.
    parts : dict of str to Part
        Everything else that a resumed training needs, by its name in checkpoints.
    """

    field: SomeLearner
    optimizer: FieldOptimizer
    generator: torch.Generator
    seed: int
    checkpoint: str = "latest"
    step: int = 0
    started: float = 0.0
    elapsed: float = 0.0
    prepared: float = 0.0
    rays: float = 256.0
    history: History = dataclasses.field(default_factory=History)
    companion: nn.Module | None = None
    parts: dict[str, Part] = dataclasses.field(default_factory=dict)

    @classmethod
    def start(
        cls,
        field: SomeLearner,
        seed: int,
        checkpoint: str = "latest",
        companion: nn.Module | None = None,
        parts: dict[str, Part] | None = None,
    ) -> "Training[SomeLearner]":
        """Return a training at step 0."""
        started = time.monotonic()
        return cls(
            field,
            FieldOptimizer(_groups(field, companion)),
            torch.Generator(field.device).manual_seed(seed),
            seed,
            checkpoint,
            started=started,
            companion=companion,
            parts=parts or {},
        )

    def _path(self, job: Job) -> Path:
        return job.checkpoints / f"{self.checkpoint}.safetensors"

    @property
    def optimised(self) -> float:
        """Seconds spent since the first step began."""
        return self.elapsed - self.prepared

    def count_time(self) -> None:
        """Count the time until now as spent."""
        self.elapsed = time.monotonic() - self.started

    def renew_optimizer(self) -> None:
        """Forget the moments, after parameters were replaced."""
        self.optimizer = FieldOptimizer(_groups(self.field, self.companion))

    def save(self, job: Job) -> None:
        """Write a checkpoint into the job folder."""
        states = {
            "field": self.field.state_dict(),
            "optimizer": self.optimizer.state(),
            "generator": {"state": self.generator.get_state()},
            "history": self.history.state(),
            **{name: part.state() for name, part in self.parts.items()},
        }
        if self.companion is not None:
            states["companion"] = self.companion.state_dict()
        tensors = {
            f"{part}.{name}": tensor
            for part, state in states.items()
            for name, tensor in state.items()
        }
        header = {
            "layout": CHECKPOINT_LAYOUT,
            "device": self.generator.device.type,
            "step": self.step,
            "elapsed": self.elapsed,
            "prepared": self.prepared,
            "rays": self.rays,
        }
        save_checkpoint(self._path(job), tensors, header)

    def resume(self, job: Job) -> bool:
        """Resume from the job folder's checkpoint.

        Returns
        -------
        bool
            False when there is none, or one of another version; the job then warns that the
            training starts again.

        Raises
        ------
        UserError
            The checkpoint is damaged, or of another training.
        """
        path = self._path(job)
        loaded = load_checkpoint(path)
        if loaded is None:
            return False
        tensors, header = loaded
        if header.get("layout") != CHECKPOINT_LAYOUT:
            job.warn(["The checkpoint is from another version, so the training starts again."])
            return False
        try:
            self._load(tensors)
            self._continue_generator(tensors["generator.state"], header)
            self.step, self.elapsed, self.rays = header["step"], header["elapsed"], header["rays"]
            self.started = time.monotonic() - self.elapsed
            self.prepared = header["prepared"]
        except (LookupError, RuntimeError, TypeError, ValueError) as error:
            raise UserError(
                f"The checkpoint '{path}' does not fit this training; start again with --restart."
            ) from error
        return True

    def _load(self, tensors: dict[str, Tensor]) -> None:
        """Take the tensors of a checkpoint."""

        def state_of(part: str) -> dict[str, Tensor]:
            prefix = f"{part}."
            return {k[len(prefix) :]: v for k, v in tensors.items() if k.startswith(prefix)}

        self.field.load_state_dict(state_of("field"))
        if self.companion is not None:
            self.companion.load_state_dict(state_of("companion"))
        self.renew_optimizer()  # the field may have other parameters now
        self.optimizer.load_state(state_of("optimizer"))
        self.history.load_state(state_of("history"))
        for name, part in self.parts.items():
            part.load_state(state_of(name))

    def _continue_generator(self, state: Tensor, header: dict[str, Any]) -> None:
        """Continue with the numbers of a checkpoint, which another kind of device cannot draw."""
        if header["device"] == self.generator.device.type:
            self.generator.set_state(state)
        else:
            self.generator.manual_seed(self.seed + header["step"])

    def aim(self, samples: int, wanted: float) -> None:
        """Choose the number of the next step's rays so that about `wanted` samples are visible.

        Parameters
        ----------
        samples : int
            Visible samples of this step's rays.
        wanted : float
            Less is aimed at after memory ran out.
        """
        load = workload(self.field.device)
        rays = int(self.rays) * wanted * load.scale / max(samples, 1)
        most = load.at_once(STEP_RAYS)
        self.rays = min(max(rays, self.rays / 2, MIN_RAYS), self.rays * 2, most)


def _groups(field: Learner, companion: nn.Module | None) -> list[ParameterGroup]:
    groups = field.parameter_groups()
    parameters = [] if companion is None else list(companion.parameters())
    return [*groups, ParameterGroup(parameters, learning_rate=1e-2)] if parameters else groups
