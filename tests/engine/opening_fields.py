"""A program that opens field files, each in a process of its own, and tells what each took.

For each path in its arguments it prints a line of JSON: ``path``, ``seconds``, ``megabytes`` beyond
what the program had before, and ``outcome``: "opened", the sentence of a UserError, or the
traceback of anything else.
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

import pvd_engine.edit  # noqa: E402, F401, registers its kinds of fields
from pvd_engine.errors import UserError  # noqa: E402
from pvd_engine.fields.storage import load_any_field  # noqa: E402


def largest_memory():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def told_of(path):
    before, start = largest_memory(), time.monotonic()
    try:
        load_any_field(Path(path))
        outcome = "opened"
    except UserError as error:
        outcome = str(error)
    except BaseException:
        outcome = traceback.format_exc()
    seconds, megabytes = time.monotonic() - start, largest_memory() - before
    return {"path": path, "seconds": seconds, "megabytes": megabytes, "outcome": outcome}


for path in sys.argv[1:]:
    child = os.fork()
    if child == 0:
        print(json.dumps(told_of(path)), flush=True)
        os._exit(0)
    os.waitpid(child, 0)
