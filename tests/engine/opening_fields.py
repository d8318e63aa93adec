"""A program that opens field files, each in a process of its own, and tells what each took.

For each path in its arguments it prints a line of JSON: ``path``, ``seconds`` of the processor,
``megabytes`` beyond what the program had before, and ``outcome``: "opened", the sentence of a
UserError, or the traceback of anything else. A list of edits is read and applied to a field; what
ends as a splat file is read as one.
"""

import json
import os
import resource
import sys
import time
import traceback
from pathlib import Path

from pvd_engine.process_setup import prepare_process

prepare_process()

import torch  # noqa: E402

from pvd_engine.edit.edited_field import EditedField  # noqa: E402
from pvd_engine.edit.edits_json import read_edits  # noqa: E402
from pvd_engine.errors import UserError  # noqa: E402
from pvd_engine.exchange.splats.splat_files import FORMATS, read_splats  # noqa: E402
from pvd_engine.fields.architectures import architecture, make_field  # noqa: E402
from pvd_engine.fields.storage import load_any_field  # noqa: E402
from pvd_engine.kernels.launch import warp_available  # noqa: E402
from pvd_engine.space.space_map import BoxMap  # noqa: E402

FIELD = make_field(architecture("hash", "small"), BoxMap(torch.tensor([[-1.0] * 3, [1.0] * 3])))
warp_available()  # starts it
SPLATS = tuple(kind.suffix for kind in FORMATS)


def use(path):
    if path.endswith(".json"):
        EditedField(FIELD, read_edits(Path(path)))
    elif path.endswith(SPLATS):
        read_splats(Path(path))
    else:
        load_any_field(Path(path))


def largest_memory():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def told_of(path):
    before, start = largest_memory(), time.process_time()
    try:
        use(path)
        outcome = "opened"
    except UserError as error:
        outcome = str(error)
    except BaseException:
        outcome = traceback.format_exc()
    seconds, megabytes = time.process_time() - start, largest_memory() - before
    return {"path": path, "seconds": seconds, "megabytes": megabytes, "outcome": outcome}


for path in sys.argv[1:]:
    child = os.fork()
    if child == 0:
        print(json.dumps(told_of(path)), flush=True)
        os._exit(0)
    os.waitpid(child, 0)
