"""Declares kernels: a signature stands once, and every launch is checked against it.

A declaration is a function whose annotations describe its arguments::

    @kernel(native="for (int i = begin; i < end; ++i) out.data[i] = factor * points.data[3 * i];")
    def first_coordinates(
        begin: int,
        end: int,
        factor: float,
        points: float32("count", 3),
        out: float32("count"),
    ): ...


    first_coordinates.launch(len(points), factor=2.0, points=points, out=out)

The body works on the items from `begin` up to, but without, `end`. Its other arguments are tensors,
which it sees as flat arrays; numbers; and sizes (`Size`), which are read from the shapes.

On CUDA several threads may share an item, so that they read and write successive numbers. Such a
body takes `lane`, its thread's number, after `end`; the word LANES in it stands for their count,
which is 1 on the CPU.
"""

import ctypes
import inspect
import linecache
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

import torch
from torch import Tensor
from torch.profiler import record_function

from .launch import CUDA_BLOCK, Part, prepared, run, warp_available

WRAPPER = """
def {name}(first, last, stride, {arguments}):
    begin = first + wp.tid() * stride
    body(begin, wp.min(begin + stride, last), {arguments})
"""
"""Source of the Warp kernel around a body; thread t works on `stride` items, or up to `last`."""

LANES_WRAPPER = """
def {name}(first, last, stride, {arguments}):
    begin = first + wp.tid() / {lanes} * stride
    body(begin, wp.min(begin + stride, last), wp.tid() % {lanes}, {arguments})
"""
"""As `WRAPPER`, where successive threads share the items."""


LABEL = "kernel"
"""First word of a launch in a profile; its name and ``size=number`` follow."""

DECLARED: list["Kernel"] = []
"""Every kernel that the modules imported so far declare."""


class Size(int):
    """Annotates an argument whose value is the size of that name in the tensors' shapes."""


@dataclass(frozen=True)
class Array:
    """A tensor argument.

    Attributes
    ----------
    dtype : torch.dtype
    shape : tuple of (str or int, int)
        Of each axis, a name or number, and how much longer the axis is: ("rays", 1) for "rays + 1".
    """

    dtype: torch.dtype
    shape: tuple[tuple[str | int, int], ...]

    def __str__(self) -> str:
        return _described(self.dtype, [f"{n} + {more}" if more else n for n, more in self.shape])


def float32(*shape: str | int) -> Any:
    """Annotate a tensor of `shape`: numbers, names, or a name and a number as in "rays + 1"."""
    return _array(torch.float32, shape)


def int32(*shape: str | int) -> Any:
    """Annotate a tensor as `float32` does."""
    return _array(torch.int32, shape)


def int64(*shape: str | int) -> Any:
    """Annotate a tensor as `float32` does."""
    return _array(torch.int64, shape)


def uint8(*shape: str | int) -> Any:
    """Annotate a tensor as `float32` does."""
    return _array(torch.uint8, shape)


def _array(dtype: torch.dtype, shape: tuple[str | int, ...]) -> Array:
    axes: list[tuple[str | int, int]] = []
    for size in shape:
        if isinstance(size, str):
            name, _, more = size.partition("+")
            axes.append((name.strip(), int(more or 0)))
        else:
            axes.append((int(size), 0))
    return Array(dtype, tuple(axes))


def kernel(
    native: str | None = None,
    *,
    name: str | None = None,
    fused: bool = True,
    cpu_only: bool = False,
    lanes: int = 1,
    block: int = CUDA_BLOCK,
) -> Callable[[Callable[..., Any]], "Kernel"]:
    """Declare the decorated function as a kernel.

    Parameters
    ----------
    native : str, optional
        Body in C++; without it the function has one in Warp's language.
    name : str, optional
        Name of the kernel, where it is not the function's.
    fused : bool
        Whether the compiler may fuse a product and a sum, which rounds once instead of twice.
    cpu_only : bool
        Whether the body is for processors alone.
    lanes : int
        Threads that share an item on CUDA.
    block : int
        Threads of a block on CUDA.
    """

    def declare(declaration: Callable[..., Any]) -> Kernel:
        named = name or declaration.__name__
        DECLARED.append(Kernel(declaration, native, named, fused, cpu_only, lanes, block))
        return DECLARED[-1]

    return declare


class Kernel:
    """A kernel with its arguments, as `kernel` declares it.

    Parameters
    ----------
    declaration : function
        Takes `begin`, `end`, `lane` where several threads share an item, and the annotated
        arguments.
    native : str or None
    name : str
    fused, cpu_only : bool
    lanes, block : int
        As `kernel` takes them.
    """

    def __init__(
        self,
        declaration: Callable[..., Any],
        native: str | None,
        name: str,
        fused: bool,
        cpu_only: bool = False,
        lanes: int = 1,
        block: int = CUDA_BLOCK,
    ) -> None:
        self.name = name
        self.cpu_only = cpu_only
        self._block = block
        self.module = declaration.__module__
        self._declaration = declaration
        self._native = native
        self._fused = fused
        self._lanes = lanes
        self._warp: dict[int, Any] = {}
        arguments = inspect.get_annotations(declaration)
        self._own = {key: arguments.pop(key) for key in ("begin", "end", "lane")[: 2 + (lanes > 1)]}
        self._arguments = arguments
        self._arrays = {key: kind for key, kind in arguments.items() if isinstance(kind, Array)}
        self._scalars = {
            key: (int, float) if kind is float else int
            for key, kind in arguments.items()
            if kind is not Size and key not in self._arrays
        }
        self._given = self._arrays.keys() | self._scalars.keys()
        sizes = {size for array in self._arrays.values() for size, _ in array.shape}
        unknown = [key for key, kind in arguments.items() if kind is Size and key not in sizes]
        if unknown:
            raise TypeError(f"Kernel {name}: no tensor has the size {', '.join(unknown)}.")
        # A number in a shape stands for itself, so that all sizes are found in the same way.
        self._numbers: dict[str | int, int] = {n: n for n in sizes if isinstance(n, int)}

    def launch(self, items: int, parts: Sequence[Part] | None = None, **arguments: Any) -> None:
        """Run the kernel over work items, on the device of its tensors.

        Parameters
        ----------
        items : int
            Number of work items; none is no launch.
        parts : sequence of (first, last), optional
            CPU only: ranges of items that may run at the same time as they write disjoint memory,
            heaviest first. Without it items are taken to be independent, and cut evenly.
        **arguments : Tensor, int or float
            All arguments of the declaration but its sizes. Tensors are contiguous.

        Raises
        ------
        TypeError
            If an argument is missing, not declared, or of another type or element type.
        ValueError
            If a tensor has another shape, is not contiguous, or is on another device.
        """
        sizes, device = self._checked(arguments)
        if items == 0:
            return
        if torch.autograd.profiler._is_profiler_enabled:
            with record_function(self._label(items, sizes)):
                self._run(items, parts, arguments, sizes, device)
        else:
            self._run(items, parts, arguments, sizes, device)

    def _run(
        self,
        items: int,
        parts: Sequence[Part] | None,
        arguments: dict[str, Any],
        sizes: dict[str | int, int],
        device: torch.device,
    ) -> None:
        """Run the kernel with checked arguments."""
        warp_available()  # starts it quietly
        descriptor = _descriptor_type()
        packed = []
        for key, kind in self._arguments.items():
            if key in self._arrays:
                tensor = arguments[key]
                flat = {"shape": (tensor.numel(),), "strides": (tensor.element_size(),)}
                packed.append(descriptor(data=tensor.data_ptr(), ndim=1, **flat))
            else:
                value = sizes[key] if kind is Size else arguments[key]
                packed.append(_c_type(kind)(value))
        run(self.prepared(str(device)), items, packed, device, parts, self.lanes(device.type))

    def _checked(self, arguments: dict[str, Any]) -> tuple[dict[str | int, int], torch.device]:
        """Check the arguments; return sizes by name, and the device of the tensors."""
        if arguments.keys() != self._given:
            raise TypeError(self._wrong_names(set(arguments)))
        for key, types in self._scalars.items():
            if not isinstance(arguments[key], types):
                wanted, found = "an int" if types is int else "a float", type(arguments[key])
                raise TypeError(
                    f"Kernel {self.name}: {key} must be {wanted}; it is {found.__name__}."
                )
        sizes = self._numbers.copy()
        for key, array in self._arrays.items():
            tensor = arguments[key]
            if not isinstance(tensor, Tensor) or tensor.dtype is not array.dtype:
                raise TypeError(self._mismatch(key, tensor, sizes))
            shape = tensor.shape
            if len(shape) != len(array.shape):
                raise ValueError(self._mismatch(key, tensor, sizes))
            for (name, more), length in zip(array.shape, shape, strict=True):
                if sizes.setdefault(name, length - more) != length - more:
                    raise ValueError(self._mismatch(key, tensor, sizes))
            if not tensor.is_contiguous():
                raise ValueError(f"Kernel {self.name}: {key} must be contiguous.")
        device, *others = {arguments[key].device for key in self._arrays}
        if others:
            raise ValueError(f"Kernel {self.name}: the tensors must be on one device.")
        if self.cpu_only and device.type != "cpu":
            raise ValueError(f"Kernel {self.name}: the tensors must be on the CPU.")
        return sizes, device

    def _label(self, items: int, sizes: dict[str | int, int]) -> str:
        """Return the name of a launch in a profile, with its items and sizes."""
        named = [f"{name}={size}" for name, size in sizes.items() if isinstance(name, str)]
        return " ".join([LABEL, self.name, *named, f"items={items}"])

    def _wrong_names(self, names: set[str]) -> str:
        missing, unknown = self._given - names, names - self._given
        parts = [f"lacks {', '.join(sorted(missing))}"] if missing else []
        parts += [f"has no argument {', '.join(sorted(unknown))}"] if unknown else []
        return f"Kernel {self.name} {' and '.join(parts)}."

    def _mismatch(self, key: str, value: Any, sizes: dict[str | int, int]) -> str:
        """Return the error of a tensor, with the sizes that the tensors before it have."""
        array = self._arrays[key]
        found = type(value).__name__
        if isinstance(value, Tensor):
            found = _described(value.dtype, value.shape)
        known = [f"{n} is {sizes[n]}" for n, _ in array.shape if isinstance(n, str) and n in sizes]
        where = f", where {', '.join(known)}" if known else ""
        return f"Kernel {self.name}: {key} must be {array}{where}; it is {found}."

    def lanes(self, device_type: str) -> int:
        """Return the number of threads that share an item on devices of a type."""
        return 1 if device_type == "cpu" else self._lanes

    def prepared(self, device: str) -> Any:
        """Return the kernel ready to run on a device of Warp's, compiled where it was not."""
        return prepared(self.warp(self.lanes(device.split(":")[0])), device, self._block)

    def warp(self, lanes: int) -> Any:
        """Return the Warp kernel, made on first use, in which so many threads share an item."""
        with _MAKING:
            if lanes not in self._warp:
                self._warp[lanes] = self._make(lanes)
        return self._warp[lanes]

    def _make(self, lanes: int) -> Any:
        """Make the Warp kernel: a wrapper that calls the body with each thread's range of items."""
        import warp as wp

        types = {key: _warp_type(kind) for key, kind in self._arguments.items()}
        body = self._declaration
        body.__name__ = body.__qualname__ = f"{self.name}_body_{lanes}"
        body.__annotations__ = {**self._own, **types}
        native = self._native and self._native.replace("LANES", str(lanes))
        decorate = wp.func if native is None else wp.func_native(native)
        scope = {"wp": wp, "body": decorate(body), "__name__": body.__module__}
        wrapper_source = LANES_WRAPPER if self._lanes > 1 else WRAPPER
        source = wrapper_source.format(name=self.name, lanes=lanes, arguments=", ".join(types))
        # Warp reads the source of a kernel as a debugger does, through the cache of lines.
        file = f"<kernel {self.name} {lanes}>"
        linecache.cache[file] = (len(source), None, source.splitlines(keepends=True), file)
        exec(compile(source, file, "exec"), scope)
        wrapper: Any = scope[self.name]
        wrapper.__annotations__ = {"first": int, "last": int, "stride": int, **types}
        options = {"fuse_fp": self._fused}
        return wp.kernel(wrapper, enable_backward=False, module="unique", module_options=options)


_MAKING = threading.Lock()


def _described(dtype: torch.dtype, shape: Sequence[Any]) -> str:
    return f"{str(dtype).removeprefix('torch.')} ({', '.join(map(str, shape))})"


@cache
def _descriptor_type() -> type:
    """Return Warp's description of an array in C."""
    from warp import from_torch

    return type(from_torch(torch.empty(0), return_ctype=True))


@cache
def _c_type(kind: Any) -> Any:
    """Return the C type of a number that is annotated by `kind`."""
    if kind is float:
        return ctypes.c_float
    return ctypes.c_int32 if kind in (int, Size) else kind._type_


def _warp_type(kind: Any) -> Any:
    """Return Warp's type of an argument that is annotated by `kind`."""
    import warp as wp

    if isinstance(kind, Array):
        return wp.array(dtype=wp.dtype_from_torch(kind.dtype))
    return int if kind is Size else kind
