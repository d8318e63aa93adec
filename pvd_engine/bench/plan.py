"""The fields of a benchmark: made once, each by a process of its own, measured, and kept."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch

from ..data.capture import Capture, View
from ..data.images.image_size import open_at_size
from ..errors import UserError
from ..fields.header import read_header
from ..files.atomic import json_text, write_json
from ..jobs.job import Job
from ..verbs.convert import ConvertArguments
from ..verbs.train import TrainArguments
from .child import run_child
from .machine import machine
from .measure import measure


@dataclass(frozen=True)
class Plan:
    """The settings that the fields of a benchmark have in common, and their folder.

    Attributes
    ----------
    what : str
        Name of the benchmark.
    capture : Path
    folder : Path
        Fields and measures that lie here already are not made again.
    budget : str
        Budget of a teacher, and of a student unless given otherwise.
    seed : int
        Seed, the first where there are several.
    device : str
    memory : float, optional
        Bound of the memory of each process, GB.
    """

    what: str
    capture: Path
    folder: Path
    budget: str
    seed: int
    device: str
    memory: float | None = None

    def claim_folder(self) -> None:
        """Make the folder this plan's own.

        Raises
        ------
        UserError
            It holds the measures of another plan, which must not mix with these.
        """
        path = self.folder / "plan.json"
        values = json.loads(json_text(asdict(self)))
        del values["folder"]  # the folder may be moved
        if not path.is_file():
            write_json(path, values)
            return
        there = json.loads(path.read_text(encoding="utf-8"))
        for name, value in values.items():
            if there.get(name) != value:
                raise UserError(
                    f"'{self.folder}' holds a benchmark that differs in {name} "
                    f"({there.get(name)} there, {value} now); give another --out."
                )

    def opened(self, job: Job) -> Capture:
        """Open the capture at the size at which the plan's fields are trained on it."""
        return open_at_size(self.capture, None, self.device, job)

    def conditions(self, capture: Capture) -> dict[str, Any]:
        """Return what a result states about how it was measured, JSON.

        Parameters
        ----------
        capture : Capture
            As `opened` returns it.

        Returns
        -------
        dict
            ``capture``, ``width`` and ``height`` of its first image, ``budget``, ``seed``, and
            what `machine` gives.
        """
        camera = capture.views[0].camera
        return {
            "capture": capture.name,
            "width": camera.width,
            "height": camera.height,
            "budget": self.budget,
            "seed": self.seed,
            **machine(torch.device(self.device)),
        }

    def field(self, name: str) -> Path:
        """Return the path of a field by name; its measures are the .json file next to it."""
        return self.folder / f"{name}.safetensors"

    def training(self, arch: str, name: str, **options: Any) -> TrainArguments:
        """Return the training of a field from the images; options replace the plan's own."""
        return TrainArguments(
            capture=self.capture, arch=arch, out=self.field(name), **self._common | options
        )

    def conversion(self, teacher: str, to: str, name: str, **options: Any) -> ConvertArguments:
        """Return the conversion of a field that was made before; options replace the plan's own."""
        return ConvertArguments(
            field=self.field(teacher),
            to=to,
            out=self.field(name),
            capture=self.capture,
            report=False,
            **self._common | options,
        )

    @property
    def _common(self) -> dict[str, Any]:
        """Options of all fields."""
        return {
            "budget": self.budget,
            "seed": self.seed,
            "device": self.device,
            "memory": self.memory,
        }


def make_and_measure(
    arguments: TrainArguments | ConvertArguments,
    views: Mapping[str, Sequence[View]],
    job: Job,
) -> dict[str, Any]:
    """Make a field, unless it is there, and measure it, unless its measures are there.

    Parameters
    ----------
    arguments : TrainArguments or ConvertArguments
        With an explicit device.
    views : mapping of str to sequence of View
        Views to measure on, by split.
    job : Job

    Returns
    -------
    dict
        ``steps`` and ``seconds`` of the optimisation, ``device_memory``, the most bytes that it
        held on a GPU (or None), ``process_seconds`` and ``peak_memory`` (bytes, or None) of the
        whole process, ``size`` of the file in bytes, and for each split
        what `measure` gives; a student is compared with its teacher on the test split.

    Raises
    ------
    Cancelled
        The job was cancelled; the same call resumes it.
    UserError
        The field could not be made.
    """
    kept = arguments.out.with_suffix(".json")
    if arguments.out.is_file() and kept.is_file():
        return json.loads(kept.read_text(encoding="utf-8"))
    job.emit("message", text=f"{arguments.out.stem}, {arguments.budget}")
    record = _made(arguments, job)
    teacher = arguments.field if isinstance(arguments, ConvertArguments) else None
    for split, chosen in views.items():
        example = teacher if split == "test" else None
        record[split] = measure(arguments.out, chosen, arguments.device, job, example)
    write_json(kept, record)
    return record


def _made(arguments: TrainArguments | ConvertArguments, job: Job) -> dict[str, Any]:
    """Make a field, unless it is there; its job folder keeps the time and memory of the process."""
    folder = arguments.out.with_suffix(".job")
    kept = folder / "process.json"
    if not (arguments.out.is_file() and kept.is_file()):
        verb = "train" if isinstance(arguments, TrainArguments) else "convert"
        run = run_child(verb, arguments, folder, job)
        write_json(kept, {"process_seconds": run.seconds, "peak_memory": run.peak_memory})
    provenance = read_header(arguments.out)["provenance"]
    return {
        "steps": provenance["steps"],
        "seconds": provenance["seconds"],
        "device_memory": provenance["device_memory"],
        "size": arguments.out.stat().st_size,
        **json.loads(kept.read_text(encoding="utf-8")),
    }
