"""Warp source of the Adam step that leaves rows without gradient as they are.

Work items are rows. Rows go in blocks: one without any gradient is only read, any other is
updated in vector registers with the untouched rows masked out.
"""

# Warp reads annotations as values, and kernels in a language of its own, unknown to type checkers.
# pyright: basic, reportInvalidTypeForm=false, reportOperatorIssue=false, reportReturnType=false
# pyright: reportArgumentType=false, reportAttributeAccessIssue=false, reportCallIssue=false
# pyright: reportIndexIssue=false, reportFunctionMemberAccess=false

from functools import cache
from typing import Any

import warp as wp

from .arrays import Floats

STEP = """
#if defined(__CUDA_ARCH__)
    constexpr int BLOCK = 1;
#else
    constexpr int BLOCK = 64;
#endif
    const int C = COLUMNS;
    for (int start = begin; start < end; start += BLOCK) {
        const int n = wp::min(BLOCK, end - start);
        const size_t offset = (size_t)start * C;
        float* __restrict__ P = parameter.data + offset;
        const float* __restrict__ G = gradient.data + offset;
        float* __restrict__ M = mean.data + offset;
        float* __restrict__ V = square.data + offset;
        int nonzero = 0;
        for (int e = 0; e < n * C; ++e)
            nonzero |= G[e] != 0.0f;
        if (!nonzero)
            continue;
        for (int row = 0; row < n; ++row) {
            bool live = false;
            for (int c = 0; c < C; ++c)
                live |= G[row * C + c] != 0.0f;
            for (int c = 0; c < C; ++c) {
                const int e = row * C + c;
                const float g = G[e];
                const float m = M[e] + (g - M[e]) * (1.0f - beta1);
                const float v = V[e] * beta2 + (1.0f - beta2) * g * g;
                const float p = P[e] - rate * m / (sqrtf(v) * root + epsilon);
                M[e] = live ? m : M[e];
                V[e] = live ? v : V[e];
                P[e] = live ? p : P[e];
            }
        }
    }
"""

CONSTANT_COLUMNS = (1, 2, 4, 8)
"""Row lengths that the compiler is told, so that it vectorises over rows."""


@cache
def step_kernel(columns: int) -> Any:
    """The kernel for rows of `columns` numbers (0: any number, given when it is launched)."""

    def body(
        begin: int,
        end: int,
        columns: int,
        parameter: Floats,
        gradient: Floats,
        mean: Floats,
        square: Floats,
        rate: float,
        beta1: float,
        beta2: float,
        root: float,
        epsilon: float,
    ): ...

    body.__name__ = body.__qualname__ = f"adam_rows_{columns}"
    snippet = STEP.replace("COLUMNS", str(columns) if columns else "columns")
    rows = wp.func_native(snippet)(body)

    def kernel(
        first: int,
        last: int,
        stride: int,
        columns: int,
        parameter: Floats,
        gradient: Floats,
        mean: Floats,
        square: Floats,
        rate: float,
        beta1: float,
        beta2: float,
        root: float,
        epsilon: float,
    ):
        begin = first + wp.tid() * stride
        end = wp.min(begin + stride, last)
        rows(
            begin,
            end,
            columns,
            parameter,
            gradient,
            mean,
            square,
            rate,
            beta1,
            beta2,
            root,
            epsilon,
        )

    kernel.__name__ = kernel.__qualname__ = f"adam_step_{columns}"
    return wp.kernel(kernel, enable_backward=False, module="unique")
