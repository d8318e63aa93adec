"""Warp sources of the kernels; imported only where Warp is installed and wanted.

Each kernel is declared once (see `declare`): its body works on the items from `begin` up to `end`.
The CPU runs one thread over a whole range, so that the compiler sees a plain loop it can vectorise;
CUDA runs one item a thread. Inner loops are C++, which Warp's own compilers build for either
device; what they write through `wp::atomic_add` is a plain addition on the CPU, where a launch
gives threads disjoint memory.
"""
