"""Read a great many broken files of every format, in processes that may not take much.

    python -m tests.fuzz --inputs 20000 --seed 0 --out found

Each input is a valid sample (`samples.py`) with one or two mutations (`mutations.py`), drawn by
Hypothesis. It must be read, and then all that is used of it be right (`checks.py`), or be refused
in one sentence, within the seconds and bytes of `worker.py`. Anything else is a finding; the folder
that caused it is kept. Ends with 1 where there are findings. Limits hold on Linux, where ``/proc``
tells a process its peak memory.
"""

import argparse
import json
import multiprocessing
import shutil
import sys
from dataclasses import asdict
from pathlib import Path

from tests.fuzz.worker import Finding, Tally, run_format


def run_all(formats: list[str], inputs: int, seed: int, out: Path, workers: int) -> list[Tally]:
    """Run all formats, so many at a time, each in a process of its own."""
    context = multiprocessing.get_context("spawn")
    waiting, running, tallies = list(formats), {}, []
    share = -(-inputs // len(formats))
    while waiting or running:
        while waiting and len(running) < workers:
            name = waiting.pop(0)
            here, there = context.Pipe(duplex=False)
            process = context.Process(
                target=run_format, args=(name, share, seed, out, there), daemon=True
            )
            process.start()
            there.close()
            running[name] = process, here
        for name, (process, here) in list(running.items()):
            if not here.poll(0.2):
                continue
            try:
                tally = here.recv()
            except EOFError:
                process.join()
                ended = f"the process ended with {process.exitcode}; its input is {name}-now"
                tally = Tally(name, findings={"": Finding(name, ended, 0, 1, "")})
            process.join()
            del running[name]
            tallies.append(tally)
            print(_row(tally), flush=True)
    return tallies


def _row(tally: Tally) -> str:
    return (
        f"{tally.format:<16}{tally.inputs:>8}{tally.read:>8}{tally.refused:>9}"
        f"{len(tally.findings):>10}{tally.slowest:>10.2f} s{tally.peak / 2**20:>10.0f} MiB"
    )


def main() -> int:
    """Run the command."""
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    parser.add_argument("--inputs", type=int, default=20_000, help="of all formats together")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, default=Path("fuzz_output"), help="where findings go")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--formats", nargs="*", help="all when not given")
    arguments = parser.parse_args()
    from tests.fuzz.samples import SAMPLES

    formats = arguments.formats or list(SAMPLES)
    shutil.rmtree(arguments.out, ignore_errors=True)
    arguments.out.mkdir(parents=True)
    heads = ("inputs", "read", "refused", "findings")
    print(
        f"{'format':<16}{heads[0]:>8}{heads[1]:>8}{heads[2]:>9}{heads[3]:>10}"
        f"{'slowest':>12}{'memory':>14}"
    )
    tallies = run_all(formats, arguments.inputs, arguments.seed, arguments.out, arguments.workers)
    findings = [finding for tally in tallies for finding in tally.findings.values()]
    for finding in findings:
        text = f"{finding.format}: {finding.error}, {finding.count} times"
        print(text.encode("ascii", "backslashreplace").decode())
    (arguments.out / "table.json").write_text(json.dumps([asdict(t) for t in tallies], indent=1))
    return 1 if findings else 0


if __name__ == "__main__":
    sys.exit(main())
