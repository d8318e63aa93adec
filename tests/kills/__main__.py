"""Kill every verb that writes, many times, at any moment, and let it go on.

    python -m tests.kills --kills 300 --seed 0 --out kills_output

Each command runs once to its end. Then it is started anew and ended by a signal after a random
part of that time, once or twice in a row, and started again until it ends by itself. After a kill
whatever stands where the output belongs must be whole; at the end, there must be what the first run
left and nothing more: the same bytes, or, of what was trained, the same tensors. A table and
``kills.json`` tell the kills of each verb, the runs that went on from a checkpoint, and the faults.
Ends with 1 where there are faults.
"""

import argparse
import json
import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import torch
from safetensors.torch import load_file

from tests.kills.work import (
    Work,
    command,
    environment,
    fault,
    listing,
    make_data,
    remove,
    run_to_its_end,
)

SIGNALS = (signal.SIGKILL, signal.SIGKILL, signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
BEGINNING = 0.3
"""Fraction of a run during which Python starts, where there is little to be hit."""

SECONDS = 120


def kill(work: Work, folder: Path, seconds: float, number: signal.Signals) -> bool:
    """Start a command and end it after some seconds; return whether it was still running."""
    process = subprocess.Popen(
        command(work, folder),
        env=environment(),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        process.wait(seconds)
        return False
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, number)
        process.wait(SECONDS)
        return True


def check_outputs(work: Work, folder: Path) -> list[str]:
    """Return what is wrong with what stands where outputs belong."""
    wanted = [folder / name for name in (work.out, *work.more)]
    files = [path for path in wanted if path.is_file()]
    files += [path for root in wanted if root.is_dir() for path in root.rglob("*.*")]
    visible = [path for path in files if not path.name.startswith(".") and path.is_file()]
    return [problem for path in visible if (problem := fault(path))]


def differences(work: Work, first: dict[str, bytes], folder: Path) -> list[str]:
    """Return how what stands in a folder differs from what the run to its end left."""
    last = listing(folder)
    problems = [f"{name} was left" for name in last.keys() - first.keys()]
    problems += [f"{name} is missing" for name in first.keys() - last.keys()]
    for name in sorted(first.keys() & last.keys()):
        if work.resumes and name.endswith(".safetensors"):
            before = folder.parent / "first" / name
            a, b = load_file(before), load_file(folder / name)
            equal = all(torch.equal(a[key], b[key]) for key in a) if work.exact else True
            if a.keys() != b.keys() or not equal:
                problems.append(f"{name} has other tensors")
        elif not work.resumes and first[name] != last[name]:
            problems.append(f"{name} has other bytes")
    return problems


def one_round(
    work: Work, seconds: float, first: dict[str, bytes], folder: Path, seed: int
) -> tuple[Counter, float]:
    """Kill a command once or twice, and let it end; return what happened, and its seconds."""
    draw, told = random.Random(seed), Counter()
    for _ in range(2 if work.resumes else 1):
        after = seconds * draw.uniform(BEGINNING, 1.0)
        told["kills"] += kill(work, folder, after, draw.choice(SIGNALS))
        told.update(f"! {problem}" for problem in check_outputs(work, folder))
    if work.new_folder and (folder / work.out).exists():  # whole, and refused by the next run
        told.update(f"! {problem}" for problem in differences(work, first, folder))
        remove(folder / work.out)
    had_checkpoint = any((folder / "job" / "checkpoints").glob("*.safetensors"))
    start = time.monotonic()
    done = run_to_its_end(work, folder)
    took = time.monotonic() - start
    if done.returncode:
        told[f"! it ended with {done.returncode}: {done.stderr[-300:]}"] += 1
    told.update(f"! {problem}" for problem in differences(work, first, folder))
    told["with checkpoint"] += had_checkpoint
    told["rounds"] += 1
    remove(folder)
    return told, took


def kill_work(work: Work, kills: int, seed: int, out: Path) -> Counter:
    """Kill one command so many times."""
    place = out / work.name.replace(" ", "-")
    (place / "first").mkdir(parents=True)
    start = time.monotonic()
    done = run_to_its_end(work, place / "first")
    seconds = time.monotonic() - start
    if done.returncode:
        return Counter({f"! its first run ended with {done.returncode}: {done.stderr[-300:]}": 1})
    first, told = listing(place / "first"), Counter()
    number = 0
    while told["kills"] < kills and number < 4 * kills:
        folder = place / f"round-{number}"
        folder.mkdir()
        more, took = one_round(work, seconds, first, folder, seed * 10_000 + number)
        told += more
        # Other work on the machine changes how long a run takes.
        seconds = took if not work.resumes else max(took, seconds * 0.8)
        number += 1
    return told


def main() -> int:
    """Kill all, print the table and write it as JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=300)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, default=Path("kills_output"))
    parser.add_argument("--only", nargs="*", help="commands by name; all when not given")
    parser.add_argument("--workers", type=int, default=os.cpu_count() or 1)
    values = parser.parse_args()
    out = values.out.absolute()
    remove(out)
    works = make_data(out / "data")
    works = [work for work in works if values.only is None or work.name in values.only]
    share = -(-values.kills // len(works))
    rows = {}
    with ThreadPoolExecutor(values.workers) as pool:
        running = {
            work.name: pool.submit(kill_work, work, share, values.seed, out) for work in works
        }
        print(f"{'command':<26}{'kills':>7}{'ended':>7}{'checkpoints':>13}{'faults':>8}")
        for name, future in running.items():
            told = rows[name] = future.result()
            faults = {key[2:]: count for key, count in told.items() if key.startswith("! ")}
            print(
                f"{name:<26}{told['kills']:>7}{told['rounds']:>7}{told['with checkpoint']:>13}"
                f"{sum(faults.values()):>8}",
                *(f"\n    {count} x {problem}" for problem, count in faults.items()),
                flush=True,
            )
    total = sum(rows.values(), Counter())
    print(f"{'all':<26}{total['kills']:>7}{total['rounds']:>7}{total['with checkpoint']:>13}")
    (out / "kills.json").write_text(json.dumps(rows, indent=2), encoding="utf-8")
    return int(any(key.startswith("! ") for key in total))


if __name__ == "__main__":
    sys.exit(main())
