"""Train the ball in a process that may hardly take more memory than it has.

    python short_of_memory.py CAPTURE OUT MEGABYTES

It asks for steps that take much more than these megabytes at once. It leaves the field OUT and
prints JSON: the status of the job, its message and its warnings.
"""

import json
import re
import resource
import sys
from pathlib import Path

from pvd_engine.process_setup import prepare_process

prepare_process()

from short_teachers import run_train  # noqa: E402, after the settings of the process
from tiny_fields import tiny_fields  # noqa: E402

from pvd_engine.fields.encoders.base import Encoder  # noqa: E402
from pvd_engine.jobs.cancel import Cancellation  # noqa: E402
from pvd_engine.jobs.folder import Request  # noqa: E402
from pvd_engine.jobs.runner import log_to_file, run_request  # noqa: E402
from pvd_engine.kernels.workload import Portion  # noqa: E402
from pvd_engine.train import batch_size  # noqa: E402
from pvd_engine.verbs.table import VERBS  # noqa: E402
from pvd_engine.verbs.train import TrainArguments  # noqa: E402

MANY = 1 << 22


def limit_to(megabytes):
    """Let the process map only so much more than it has."""
    status = Path("/proc/self/status").read_text(encoding="utf-8")
    (kilobytes,) = re.findall(r"^VmSize:\s+(\d+) kB", status, re.MULTILINE)
    most = (int(kilobytes) << 10) + (megabytes << 20)
    resource.setrlimit(resource.RLIMIT_AS, (most, most))


def main(capture, out, megabytes):
    """Load all that a training needs, then train and measure within the limit."""
    run_train(capture, out.with_name("first.safetensors"), steps=2)
    batch_size.STEP_SAMPLES = Portion(MANY, MANY, 1)
    arguments = TrainArguments(capture=capture, out=out, steps=120, device="cpu")
    folder = out.with_suffix(".job")
    folder.mkdir()
    with tiny_fields(), log_to_file(folder / "engine.log"):
        Encoder.cpu_samples = MANY
        warnings = []
        limit_to(megabytes)

        def listen(event):
            if event["type"] == "warning":
                warnings.append(event["payload"]["message"])

        request = Request(VERBS["train"], arguments)
        outcome = run_request(folder, request, [listen], Cancellation())
    told = {"status": outcome.status, "message": outcome.message, "warnings": warnings}
    print(json.dumps(told))


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3]))
