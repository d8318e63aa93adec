"""The verbs of the engine: their arguments, and where their work is done."""

import importlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from . import arguments as kinds


@dataclass(frozen=True)
class Verb:
    """A verb.

    Attributes
    ----------
    name : str
    arguments : type
        Its dataclass.
    function : str
        ``"module:function"`` below the package; imported only when the verb runs.
    needs_torch : bool
        False for verbs that answer at once and must not wait for torch.
    resumable : bool
        It writes checkpoints; on the command line it gets a job folder beside its output.
    makes_folder : bool
        Its ``out`` is a folder, not a file.
    """

    name: str
    arguments: type
    function: str
    needs_torch: bool = True
    resumable: bool = False
    makes_folder: bool = False

    def load(self) -> Callable[[Any, Any], dict[str, Any]]:
        """Import the function ``run(arguments, job) -> dict``."""
        module, name = self.function.split(":")
        return getattr(importlib.import_module(f"..{module}", __package__), name)


VERBS = {
    verb.name: verb
    for verb in (
        Verb("info", kinds.InfoArguments, "verbs.info:run", needs_torch=False),
        Verb(
            "rewrite",
            kinds.RewriteArguments,
            "verbs.rewrite:run",
            needs_torch=False,
            makes_folder=True,
        ),
        Verb("train", kinds.TrainArguments, "train.from_images:run", resumable=True),
        Verb("convert", kinds.ConvertArguments, "verbs.convert:run", resumable=True),
        Verb("edit", kinds.EditArguments, "verbs.edit:run"),
        Verb("floaters", kinds.FloatersArguments, "edit.floaters:run"),
        Verb("merge", kinds.MergeArguments, "verbs.merge:run"),
        Verb("volume", kinds.VolumeArguments, "exchange.volume:run"),
        Verb("render", kinds.RenderArguments, "verbs.render:run", makes_folder=True),
        Verb("compare", kinds.CompareArguments, "verbs.compare:run", makes_folder=True),
        Verb("eval", kinds.EvalArguments, "verbs.eval:run"),
        Verb("export", kinds.ExportArguments, "verbs.export:run"),
        Verb("bench", kinds.BenchArguments, "bench.bench:run", makes_folder=True),
    )
}
