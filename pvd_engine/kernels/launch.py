"""Runs a Warp kernel: over the processor's threads, or on the current CUDA stream.

A Warp launch on the CPU runs on one thread, but releases Python's lock. So a launch is cut into
parts that write disjoint memory, and threads take the parts one after the other.
"""

import ctypes
import importlib.util
import itertools
import os
import sys
import threading
import warnings
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from copy import copy
from functools import cache
from pathlib import Path
from typing import Any

import torch

REFERENCE_VARIABLE = "PVD_KERNELS"
"""Environment variable; the value "reference" turns the Warp kernels off."""

CUDA_BLOCK = 256
"""Threads of a block on CUDA, where a kernel does not say otherwise."""

RAY_BLOCK = 64
"""Threads of a block on CUDA whose items are rays: a batch has few of them for a GPU, and they
differ in work."""

WARP_DEVICES = ("cpu", "cuda")
"""Types of devices that Warp runs on."""

Part = tuple[int, int]
"""A range of work items: first, and one past the last."""


@cache
def warp_problem() -> str | None:
    """Return why Warp cannot be used, or None; start it quietly, or warn once."""
    if importlib.util.find_spec("warp") is None:
        return _slower("Warp is not installed", "install warp-lang to train several times faster")
    try:
        import warp

        warp.config.log_level = warp.LOG_ERROR
        with _silent_start():
            warp.init()
    except (ImportError, OSError, RuntimeError) as error:
        return _slower(f"Warp does not start on this machine ({error})", "reinstall warp-lang")
    return None


def _slower(problem: str, advice: str) -> str:
    """Warn that the references are used, and return why."""
    warnings.warn(f"{problem}, so slower PyTorch kernels are used; {advice}.", stacklevel=3)
    return problem


def warp_available() -> bool:
    """Return whether Warp is installed and starts."""
    return warp_problem() is None


@contextmanager
def _silent_start() -> Iterator[None]:
    """Hide the warning that Warp's C++ code prints where there is no NVIDIA driver."""
    if torch.cuda.is_available():
        yield
        return
    sys.stderr.flush()
    kept = os.dup(2)
    with Path(os.devnull).open("wb") as nowhere:
        os.dup2(nowhere.fileno(), 2)
    try:
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)


def use_warp(device: torch.device) -> bool:
    """Return whether kernels on `device` should run in Warp rather than as their torch reference.

    They do not while torch traces a program, which must consist of its own operations.
    """
    return not torch.compiler.is_compiling() and why_reference(device) is None


def why_reference(device: torch.device) -> str | None:
    """Return why kernels on a device run as their torch references; None where Warp runs them."""
    if os.environ.get(REFERENCE_VARIABLE, "").lower() == "reference":
        return f"the environment variable {REFERENCE_VARIABLE} turns Warp off"
    if device.type not in WARP_DEVICES:
        return f"Warp does not run on {device.type}"
    problem = warp_problem()
    return gpu_problem(str(device)) if device.type == "cuda" and problem is None else problem


@cache
def gpu_problem(device: str) -> str | None:
    """Return why Warp, which starts, compiles nothing for a CUDA device, or None; warn once."""
    import warp

    try:
        warp.get_device(device).get_cuda_compile_arch()
    except (RuntimeError, ValueError) as error:
        advice = "install another version of warp-lang"
        return _slower(f"Warp does not compile for the GPU {device} ({error})", advice)
    return None


@cache
def has_bf16(device_type: str) -> bool:
    """Return whether the device multiplies bf16 numbers in hardware.

    Emulated bf16 is many times slower than float32, so this checks for the instructions.
    """
    if device_type == "cuda":
        return torch.cuda.is_bf16_supported(including_emulation=False)
    if device_type == "cpu":
        supported = getattr(torch.cpu, "_is_avx512_bf16_supported", None)
        return supported is not None and supported()
    return False


def thread_count() -> int:
    """Return the number of threads that share a launch on the CPU: as many as torch uses."""
    return torch.get_num_threads()


def split(count: int, grain: int = 1024, parts_per_thread: int = 2) -> list[Part]:
    """Cut `count` items into even parts of at least `grain` items (the last may be smaller)."""
    parts = max(min(thread_count() * parts_per_thread, count // grain), 1)
    if thread_count() == 1:
        parts = 1
    bounds = [count * i // parts for i in range(parts + 1)]
    return list(itertools.pairwise(bounds))


_PREPARING = threading.Lock()


@cache
def prepared(kernel: Any, device: str, block: int) -> Any:
    """Return a launch of a Warp kernel without arguments, of which `run` fills a copy.

    This compiles the kernel, where Warp's cache lacks it, and loads it. It is done once, since
    Warp's own launch looks for the module and checks all arguments each time.

    Parameters
    ----------
    kernel : warp.Kernel
    device : str
        By its name in Warp, which is torch's.
    block : int
        Threads of a block on CUDA.
    """
    import warp

    arguments = [None if isinstance(a.type, warp.array) else 0 for a in kernel.adj.args]
    options = {"device": device, "block_dim": 1 if device == "cpu" else block}
    # Several threads may need a kernel at once.
    with _PREPARING:
        return warp.launch(kernel, dim=1, inputs=arguments, record_cmd=True, **options)


def run(
    command: Any,
    count: int,
    arguments: Sequence[Any],
    device: torch.device,
    parts: Sequence[Part] | None = None,
    lanes: int = 1,
) -> None:
    """Run a Warp kernel over work items.

    Parameters
    ----------
    command : warp.Launch
        As `prepared` returns it. The kernel takes `first`, `last`, `stride`, then `arguments`:
        thread t works on the items from `first + t // lanes * stride` up to the next thread's.
    count : int
        Work items, at least one.
    arguments : sequence
        Of C types, as Warp passes them.
    device : torch.device
        Where all arrays are.
    parts : sequence of (first, last), optional
        As `declare.Kernel.launch` takes them.
    lanes : int
        Threads that share an item.
    """
    if device.type == "cuda":
        stream = _stream(device, torch.cuda.current_stream(device).cuda_stream)
        _filled(command, count * lanes, (0, count, 1), arguments).launch(stream)
        return
    pending = list(reversed(split(count) if parts is None else parts))

    def work() -> None:
        # Each thread takes the next part when it is done with one: list.pop is atomic.
        while pending:
            try:
                first, last = pending.pop()
            except IndexError:
                return
            _filled(command, lanes, (first, last, last - first), arguments).launch()

    helpers = _start(work, min(thread_count(), len(pending)) - 1)
    try:
        work()
    finally:
        for helper in helpers:
            helper.result()


def _filled(
    command: Any, threads: int, items: tuple[int, int, int], arguments: Sequence[Any]
) -> Any:
    """Return a copy of a launch with its threads, the items as `run` says, and arguments."""
    own = copy(command)
    own.params = [own.bounds, *map(ctypes.c_int32, items), *arguments]
    if own.params_addr is not None:
        addresses = [ctypes.addressof(value) for value in own.params]
        own.params_addr = (ctypes.c_void_p * len(addresses))(*addresses)
    if threads > 1:
        own.set_dim(threads)
    return own


@cache
def _stream(device: torch.device, handle: int) -> Any:
    """Return Warp's name for a CUDA stream of torch, which is registered once."""
    import warp

    return warp.Stream(warp.device_from_torch(device), cuda_stream=handle)


def _start(work: Any, helpers: int) -> list[Future]:
    """Run `work` in parallel in `helpers` further threads; return their futures."""
    if helpers <= 0:
        return []
    pool = _thread_pool(thread_count(), os.getpid())
    return [pool.submit(work) for _ in range(helpers)]


@cache
def _thread_pool(threads: int, process: int) -> ThreadPoolExecutor:
    """Return the helper threads; a forked process, whose threads are gone, gets its own."""
    return ThreadPoolExecutor(threads, thread_name_prefix="pvd-kernel")
