"""Compiles the kernels before they are needed, so that no training waits for the compiler."""

import importlib
import pkgutil
from collections.abc import Callable

from . import sources
from .declare import DECLARED, Kernel
from .launch import gpu_problem, warp_available


def declared_kernels() -> list[Kernel]:
    """Return all kernels of the engine: those that the modules of `sources` declare."""
    for module in pkgutil.iter_modules(sources.__path__, f"{sources.__name__}."):
        importlib.import_module(module.name)
    return [kernel for kernel in DECLARED if kernel.module.startswith(f"{sources.__name__}.")]


def kernel_devices() -> list[str]:
    """Return the devices, by Warp's names, that kernels run on here; none without Warp."""
    if not warp_available():
        return []
    import warp

    gpus = [device.alias for device in warp.get_cuda_devices()]
    return ["cpu", *(gpu for gpu in gpus if gpu_problem(gpu) is None)]


def compile_kernels(report: Callable[[int, int], None]) -> int:
    """Compile every kernel for every device that Warp's cache on disk lacks.

    Parameters
    ----------
    report : callable
        Called with the number of the current item, from 1, and their count.

    Returns
    -------
    int
        The number of kernels that are ready, each device counted; 0 without Warp.
    """
    devices = kernel_devices()
    work = [
        (kernel, device)
        for device in devices
        for kernel in declared_kernels()
        if device == "cpu" or not kernel.cpu_only
    ]
    for number, (kernel, device) in enumerate(work, 1):
        report(number, len(work))
        kernel.prepared(device)
    return len(work)
