import subprocess
import sys

import pytest
from engine_process import environment

from pvd_engine.errors import UserError
from pvd_engine.files.lock import hold_lock

HOLD = """
import sys, time
from pathlib import Path
from pvd_engine.files.lock import hold_lock
with hold_lock(Path(sys.argv[1])):
    print("held", flush=True)
    time.sleep(60)
"""


def test_a_second_engine_is_refused_and_a_dead_one_is_not_waited_for(tmp_path):
    path = tmp_path / "lock"
    holder = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(path)],
        stdout=subprocess.PIPE,
        text=True,
        env=environment(),
    )
    assert holder.stdout.readline().strip() == "held"
    with pytest.raises(UserError, match=rf"process {holder.pid}\)"), hold_lock(path):
        pass
    holder.kill()
    holder.wait()
    with hold_lock(path):
        pass


def test_a_lock_is_free_again_after_an_error(tmp_path):
    with pytest.raises(ZeroDivisionError), hold_lock(tmp_path / "lock"):
        raise ZeroDivisionError
    with hold_lock(tmp_path / "lock"), pytest.raises(UserError), hold_lock(tmp_path / "lock"):
        pass
