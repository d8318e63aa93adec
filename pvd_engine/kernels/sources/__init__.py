"""Warp sources of the kernels; imported only where Warp is installed and wanted.

Every kernel takes `first`, `last`, `stride` before its own arguments: thread t works on the items
from `first + t * stride` up to the next thread's. The CPU runs one thread over a whole range, so
that the compiler sees a plain loop it can vectorise; CUDA runs one item a thread. Inner loops are
C++ (`func_native`), which Warp's own compilers build for either device; what they write through
`wp::atomic_add` is a plain addition on the CPU, where `launch` gives threads disjoint memory.
"""
