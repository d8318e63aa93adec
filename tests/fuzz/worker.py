"""One process that reads the broken inputs of one format, and takes no more than it may."""

import contextlib
import os
import resource
import shutil
import signal
import tempfile
import time
import traceback
import warnings
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

CPU_SECONDS = 1.0
MEMORY = 300 << 20
"""Bytes above what the process has before it reads."""

WALL_SECONDS = 10.0
"""After this an input that takes no processor's time hangs: it waits for something."""


class TakesTooLongError(BaseException):
    """Apart from `Exception`, so that no reader mistakes it for damage."""


@dataclass
class Finding:
    """What went wrong in one way, and the smallest input that did it.

    Attributes
    ----------
    format, error : str
        The error's kind, text and the place in the engine that it came from.
    mutations : int
        Of the smallest input.
    count : int
    trace : str
    """

    format: str
    error: str
    mutations: int
    count: int
    trace: str


@dataclass
class Tally:
    """What came of the inputs of one format."""

    format: str
    inputs: int = 0
    read: int = 0
    refused: int = 0
    slowest: float = 0.0
    peak: int = 0
    findings: dict[str, Finding] = field(default_factory=dict)


def run_format(name: str, inputs: int, seed: int, out: Path, answer: Connection) -> None:
    """Run the inputs of one format in this process and send its `Tally`."""
    os.environ["OMP_NUM_THREADS"] = "1"
    warnings.simplefilter("ignore")
    from hypothesis import HealthCheck, Phase, given, settings
    from hypothesis import seed as seeded

    from tests.fuzz.mutations import MUTATIONS, mutate
    from tests.fuzz.samples import SAMPLES

    sample = SAMPLES[name]
    tally = Tally(name)
    signal.signal(signal.SIGPROF, _too_long)
    signal.signal(signal.SIGALRM, _too_long)
    with tempfile.TemporaryDirectory(prefix="fuzz-") as temporary:
        valid, folder = Path(temporary) / "valid", out / f"{name}-now"
        valid.mkdir()
        sample.write(valid)
        shutil.copytree(valid, folder)
        sample.look(folder)  # loads what is loaded once, and shows that the sample is right
        resource.setrlimit(resource.RLIMIT_AS, (_memory("VmSize") + MEMORY,) * 2)

        @seeded(seed)
        @settings(
            max_examples=inputs,
            database=None,
            deadline=None,
            phases=[Phase.generate],
            suppress_health_check=list(HealthCheck),
        )
        @given(MUTATIONS)
        def one_input(mutations: list) -> None:
            shutil.rmtree(folder)
            shutil.copytree(valid, folder)
            mutate(folder, mutations)
            error = _look(sample, folder, tally)
            if error is not None:
                _keep(error, mutations, folder, out, tally)

        one_input()
        shutil.rmtree(folder)
    answer.send(tally)


def _look(sample: Any, folder: Path, tally: Tally) -> BaseException | None:
    """Look at one input; what it did wrong, or None."""
    from pvd_engine.errors import UserError
    from tests.fuzz.checks import check_refusal

    before, started = _memory("VmRSS"), time.process_time()
    Path("/proc/self/clear_refs").write_text("5")  # forgets the peak
    tally.inputs += 1
    try:
        with _limited():
            try:
                sample.look(folder)
                tally.read += 1
            except UserError as error:
                tally.refused += 1
                check_refusal(error)
    except (Exception, TakesTooLongError) as error:
        return error
    finally:
        tally.slowest = max(tally.slowest, time.process_time() - started)
        tally.peak = max(tally.peak, _memory("VmHWM") - before)
    return None


@contextlib.contextmanager
def _limited():
    signal.setitimer(signal.ITIMER_PROF, CPU_SECONDS)
    signal.setitimer(signal.ITIMER_REAL, WALL_SECONDS)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.setitimer(signal.ITIMER_REAL, 0)


def _too_long(_signal: int, _frame: object) -> None:
    raise TakesTooLongError


def _memory(key: str) -> int:
    """A figure of this process in bytes."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith(f"{key}:"):
            return int(line.split()[1]) * 1024
    raise KeyError(key)


def _keep(error: BaseException, mutations: list, folder: Path, out: Path, tally: Tally) -> None:
    """Count a finding, and keep its folder where it is the smallest of its kind so far."""
    frames = traceback.extract_tb(error.__traceback__)
    places = [frame for frame in frames if "pvd_engine" in frame.filename] or list(frames)
    place = f"{Path(places[-1].filename).name}:{places[-1].lineno}" if places else "?"
    what = f"{type(error).__name__}: {str(error)[:160]} ({place})"
    key = f"{type(error).__name__} {place} {str(error)[:30] if 'assert' in what.lower() else ''}"
    known = tally.findings.get(key)
    count = 1 if known is None else known.count + 1
    if known is not None and known.mutations <= len(mutations):
        known.count = count
        return
    trace = "".join(traceback.format_exception(error))[-4000:]
    tally.findings[key] = Finding(tally.format, what, len(mutations), count, trace)
    number = list(tally.findings).index(key)
    kept = out / f"{tally.format}-{number}"
    shutil.rmtree(kept, ignore_errors=True)
    with contextlib.suppress(shutil.Error):  # pipes and looped links are not copied
        shutil.copytree(folder, kept, symlinks=True, copy_function=_copy_regular)
    lines = [what, "", *map(repr, mutations), "", trace]
    told = out / f"{tally.format}-{number}.txt"
    told.write_text("\n".join(lines), encoding="utf-8", errors="backslashreplace")


def _copy_regular(source: str, target: str) -> None:
    if Path(source).is_file():
        shutil.copyfile(source, target)
