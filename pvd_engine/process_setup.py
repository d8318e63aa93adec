"""Settings of the engine's process, which take effect only before torch is loaded."""

import ctypes
import os
import sys

_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD = -1, -3
"""Numbers of the parameters of glibc's ``mallopt`` (``malloc.h``)."""

_KEEP_BYTES = 1 << 30
"""Largest freed block, in bytes, that the process keeps."""


def prepare_process() -> None:
    """Let threads sleep while they wait, and keep freed memory for the next step.

    Waiting OpenMP threads spin by default. When another program wants the same processor, each of
    the hundreds of parallel regions in a training step then costs a time slice: on two cores that
    one busy process shares, training runs ten times faster with sleeping threads. Memory that is
    returned to the system between steps costs a page fault every 4 KiB when it is needed again.
    Operations that Apple's devices lack run on the CPU.
    Environment variables that the user has set are kept.
    """
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    os.environ.setdefault("PYTORCH_ENABLE_MPS_FALLBACK", "1")
    if sys.platform == "linux":
        libc = ctypes.CDLL(None)
        if hasattr(libc, "mallopt"):
            libc.mallopt(_M_MMAP_THRESHOLD, _KEEP_BYTES)
            libc.mallopt(_M_TRIM_THRESHOLD, _KEEP_BYTES)
