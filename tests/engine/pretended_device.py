"""A pretended accelerator: tensors that name another device and hold their values on the CPU.

Within `pretended`, the engine runs on the device `DEVICE` as it would on a GPU. What a GPU would
refuse fails: tensors of two devices in one operation, and random numbers of another device's
generator. What makes the processor wait for a GPU is counted, and so is what crosses between them.
Kernels run as their references, and count as the Warp kernels do: see `KERNEL_SYNCS`.
"""

import contextlib
import sys
import warnings
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field, fields
from functools import wraps
from importlib import import_module
from pathlib import Path
from pkgutil import iter_modules
from types import ModuleType
from unittest.mock import patch

import torch
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves, tree_map

import pvd_engine
from pvd_engine import kernels
from pvd_engine.jobs import device as devices
from pvd_engine.kernels import workload

DEVICE = torch.device("meta")
"""The pretended device. Torch knows its name and has no memory there."""

MEMORY = 1 << 30
"""Bytes of its memory."""

KERNEL_SYNCS = {"march_rays": 1, "march_contracted": 1}
"""Times that the code around a Warp kernel waits for the device; 0 for kernels that are not here. A
test compares them with what that code does on the CPU."""

MADE_OF_NUMBERS = (torch.tensor, torch.as_tensor, torch.asarray)
"""Functions that make a tensor of Python's numbers, and copy it to a device."""

ENGINE = Path(pvd_engine.__file__).parent
ATEN = torch.ops.aten


@dataclass
class Traffic:
    """What happened between the processor and the device, by the engine's function.

    Attributes
    ----------
    syncs : Counter
        The processor waited until all work was done, to know a number or a size.
    pageable, pinned : Counter
        Copies to the device: from memory that can be paged out, for which the processor waits, and
        from memory that is pinned, for which it does not.
    reads : Counter
        Copies from the device, for which the processor waits as well.
    """

    syncs: Counter[str] = field(default_factory=Counter)
    pageable: Counter[str] = field(default_factory=Counter)
    pinned: Counter[str] = field(default_factory=Counter)
    reads: Counter[str] = field(default_factory=Counter)
    counting: bool = True

    def add(self, kind: str, count: int = 1) -> None:
        """Count something of a kind, at the engine's function that runs."""
        if self.counting and count:
            getattr(self, kind)[_engine_function()] += count

    @property
    def waits(self) -> Counter[str]:
        """Times that the processor waited for the device, in one way or another."""
        return self.syncs + self.pageable + self.reads

    def taken(self) -> "Traffic":
        """Return what was counted so far, and start again."""
        counters = {f.name: getattr(self, f.name) for f in fields(self) if f.name != "counting"}
        for name in counters:
            setattr(self, name, Counter())
        return Traffic(**counters)

    @contextlib.contextmanager
    def not_counting(self) -> Iterator[None]:
        """Count nothing within."""
        before, self.counting = self.counting, False
        try:
            yield
        finally:
            self.counting = before


def _engine_function() -> str:
    frame = sys._getframe(1)
    while frame is not None:
        path = Path(frame.f_code.co_filename)
        if path.is_relative_to(ENGINE):
            return f"{path.name}: {frame.f_code.co_name}"
        frame = frame.f_back
    return "outside"


class DeviceTensor(torch.Tensor):
    """A tensor on the pretended device.

    Attributes
    ----------
    held : Tensor
        Its values, on the CPU.
    """

    held: torch.Tensor

    @staticmethod
    def __new__(cls, held: torch.Tensor) -> "DeviceTensor":
        """Return a tensor of the pretended device with these values."""
        made = torch.Tensor._make_wrapper_subclass(
            cls,
            held.size(),
            strides=held.stride(),
            storage_offset=held.storage_offset(),
            dtype=held.dtype,
            device=DEVICE,
        )
        made.held = held
        return made

    def __repr__(self) -> str:
        return f"DeviceTensor({self.held})"

    def tolist(self):
        """Return the values; the processor waits for them."""
        return self.cpu().tolist()

    @classmethod
    def __torch_dispatch__(cls, func, types, args=(), kwargs=None):
        raise RuntimeError("a tensor of the pretended device is used outside of `pretended`")


class DeviceGenerator(torch.Generator):
    """A generator of random numbers of the pretended device."""

    def __new__(cls):
        """Return one that is not seeded."""
        return super().__new__(cls, "cpu")

    @property
    def device(self) -> torch.device:
        """The pretended device."""
        return DEVICE


class AnyGenerator(torch.Generator):
    """Stands for `torch.Generator`, and makes generators of the pretended device as well."""

    def __new__(cls, device: torch.device | str = "cpu"):
        """Return a generator of a device."""
        on_device = torch.device(device).type == DEVICE.type
        return DeviceGenerator() if on_device else torch._C.Generator(device)


class _Functions(TorchFunctionMode):
    """Calls that torch decides on before it dispatches operations."""

    def __init__(self, traffic: Traffic) -> None:
        super().__init__()
        self.traffic = traffic

    def __torch_function__(self, func, types, args=(), kwargs=None):
        kwargs = dict(kwargs or {})
        device = kwargs.get("device")
        on_device = device is not None and torch.device(device).type == DEVICE.type
        generator = kwargs.get("generator")
        if generator is not None:
            target = args[0] if args and isinstance(args[0], torch.Tensor) else None
            wanted = on_device or isinstance(target, DeviceTensor)
            if wanted != isinstance(generator, DeviceGenerator):
                raise RuntimeError(f"the generator is on {generator.device} and the result is not")
        if func in MADE_OF_NUMBERS and on_device:
            if isinstance(args[0], DeviceTensor):
                return args[0]
            del kwargs["device"]
            self.traffic.add("pageable")
            return _on_device(func(*args, **kwargs), self.traffic)
        if func is torch.Tensor.new_tensor and isinstance(args[0], DeviceTensor):
            self.traffic.add("pageable")
            return _on_device(torch.tensor(args[1], dtype=args[0].dtype), self.traffic)
        if func is torch.Tensor.pin_memory:
            pinned = args[0].clone()
            pinned.is_pinned_here = True
            return pinned
        return func(*args, **kwargs)


def _on_device(values: torch.Tensor, traffic: Traffic) -> torch.Tensor:
    with traffic.not_counting():
        return values.to(DEVICE)


class _Operations(TorchDispatchMode):
    """Every operation on tensors: checked, counted, and done on the CPU."""

    def __init__(self, traffic: Traffic) -> None:
        super().__init__()
        self.traffic = traffic

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        kwargs = dict(kwargs or {})
        tensors = [leaf for leaf in tree_leaves((args, kwargs)) if isinstance(leaf, torch.Tensor)]
        here = [tensor for tensor in tensors if isinstance(tensor, DeviceTensor)]
        there = [tensor for tensor in tensors if not isinstance(tensor, DeviceTensor)]
        target = kwargs.get("device")
        if target is None:
            to_device = bool(here)
        else:
            to_device = torch.device(target).type == DEVICE.type
            kwargs["device"] = torch.device("cpu") if to_device else target
        packet = func.overloadpacket
        if packet in (ATEN.copy_, ATEN._to_copy):
            source = args[1] if packet is ATEN.copy_ else args[0]
            into = isinstance(args[0], DeviceTensor) if packet is ATEN.copy_ else to_device
            waits = not kwargs.get("non_blocking", False) and not (
                packet is ATEN.copy_ and len(args) > 2 and args[2]
            )
            self._count_copy(source, into, waits)
        elif here:
            self._require_one_device(func, args, there)
            self.traffic.add("syncs", waits_for(func, args, kwargs))
        done = func(*tree_map(_held, args), **tree_map(_held, kwargs))
        if not to_device or packet is ATEN._local_scalar_dense:
            return done
        known = {id(tensor.held): tensor for tensor in here}

        def placed(result):
            if not isinstance(result, torch.Tensor) or isinstance(result, DeviceTensor):
                return result
            return known.get(id(result)) if id(result) in known else DeviceTensor(result)

        return tree_map(placed, done)

    def _count_copy(self, source: torch.Tensor, to_device: bool, waits: bool) -> None:
        if isinstance(source, DeviceTensor):
            self.traffic.add("reads", not to_device)
        elif to_device:
            pinned = getattr(source, "is_pinned_here", False) and not waits
            self.traffic.add("pinned" if pinned else "pageable")

    def _require_one_device(self, func, args, there: list[torch.Tensor]) -> None:
        strangers = [tensor for tensor in there if tensor.ndim > 0]
        if not strangers:
            return
        indexed = func.overloadpacket in (ATEN.index, ATEN.index_put, ATEN.index_put_)
        if indexed and isinstance(args[0], DeviceTensor):
            indices = [index for index in args[1] if index is not None]
            if all(any(tensor is index for index in indices) for tensor in strangers):
                self.traffic.add("pageable", len(strangers))
                return
        raise RuntimeError(f"{func} got tensors of two devices, at {_engine_function()}")


def _held(value):
    return value.held if isinstance(value, DeviceTensor) else value


SYNCING = {
    ATEN._local_scalar_dense,
    ATEN.nonzero,
    ATEN._unique,
    ATEN._unique2,
    ATEN.unique_dim,
    ATEN.unique_consecutive,
    ATEN.masked_select,
    ATEN.bincount,
    ATEN.equal,
}
"""Operations after which the processor must know a value or a size."""


def waits_for(func, args, kwargs) -> int:
    """Return how often a GPU makes the processor wait for an operation."""
    packet = func.overloadpacket
    if packet in SYNCING:
        return 1
    if func is ATEN.repeat_interleave.Tensor:
        return int(kwargs.get("output_size") is None)
    if packet in (ATEN.index, ATEN.index_put, ATEN.index_put_, ATEN._index_put_impl_):
        masks = [i for i in args[1] if i is not None and i.dtype in (torch.bool, torch.uint8)]
        # One value for all that a mask selects is filled in where the mask is.
        filled = packet is not ATEN.index and len(args[1]) == 1 and args[2].numel() == 1
        return 0 if filled else len(masks)
    return 0


class _Watched(TorchDispatchMode):
    """Counts operations on the CPU as if they ran on a GPU."""

    def __init__(self, traffic: Traffic) -> None:
        super().__init__()
        self.traffic = traffic

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        self.traffic.add("syncs", waits_for(func, args, kwargs or {}))
        return func(*args, **kwargs or {})


class _WatchedFunctions(TorchFunctionMode):
    """Counts the tensors that are made of numbers for a device."""

    def __init__(self, traffic: Traffic) -> None:
        super().__init__()
        self.traffic = traffic

    def __torch_function__(self, func, types, args=(), kwargs=None):
        placed = func in MADE_OF_NUMBERS and (kwargs or {}).get("device") is not None
        self.traffic.add("pageable", placed or func is torch.Tensor.new_tensor)
        return func(*args, **kwargs or {})


@contextlib.contextmanager
def as_on_a_device() -> Iterator[Traffic]:
    """Within, work on the CPU is counted as if the CPU were a device."""
    traffic = Traffic()
    with _WatchedFunctions(traffic), _Watched(traffic):
        yield traffic


def kernel_references() -> dict[str, ModuleType]:
    """Return the module of each kernel's reference in plain torch, by the kernel's name."""
    found = {}
    for entry in iter_modules(kernels.__path__):
        module = import_module(f"{kernels.__name__}.{entry.name}")
        for name in vars(module):
            kernel = name.removesuffix("_reference")
            if name != kernel and f"{kernel}_warp" in vars(module):
                found[kernel] = module
    return found


def _as_kernel(reference, traffic: Traffic, syncs: int):
    @wraps(reference)
    def run(*args, **kwargs):
        with traffic.not_counting():
            result = reference(*args, **kwargs)
        traffic.add("syncs", syncs)
        return result

    return run


@contextlib.contextmanager
def pretended() -> Iterator[Traffic]:
    """Within, the engine finds the pretended device; return what crosses to it and from it."""
    traffic = Traffic()
    with contextlib.ExitStack() as stack:
        stack.enter_context(warnings.catch_warnings())
        # Torch does not know that this device, of all "meta" devices, holds values.
        warnings.filterwarnings("ignore", message=".*is a no-op")
        stack.enter_context(patch.object(torch, "Generator", AnyGenerator))
        stack.enter_context(patch.object(workload, "free_memory", lambda device: MEMORY))
        available = ["cpu", DEVICE.type]
        stack.enter_context(patch.object(devices, "available_devices", lambda: available))
        for name, module in kernel_references().items():
            reference = getattr(module, f"{name}_reference")
            run = _as_kernel(reference, traffic, KERNEL_SYNCS.get(name, 0))
            stack.enter_context(patch.object(module, f"{name}_reference", run))
        stack.enter_context(_Functions(traffic))
        stack.enter_context(_Operations(traffic))
        yield traffic
