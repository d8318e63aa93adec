"""Warp source of the Adam step that leaves rows without gradient as they are.

Work items are rows. Rows go in blocks: one without a mark is passed over, one without any gradient
is only read, any other is updated in vector registers with the untouched rows masked out.
"""

# Annotations are values here, unknown to type checkers.
# pyright: reportInvalidTypeForm=false, reportCallIssue=false

from ..declare import Kernel, Size, float32, kernel, uint8
from ..row_gradient import BLOCK_ROWS

STEP = """
#if defined(__CUDA_ARCH__)
    constexpr int BLOCK = 1;
#else
    constexpr int BLOCK = BLOCK_ROWS;
#endif
    const int C = COLUMNS;
    for (int start = begin, n; start < end; start += n) {
        n = wp::min(BLOCK - start % BLOCK, end - start);
        if (marked && touched.data[start / BLOCK_ROWS] == 0)
            continue;
        const size_t offset = (size_t)start * C;
        float* __restrict__ P = parameter.data + offset;
        float* __restrict__ G = gradient.data + offset;
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
        if (marked)
            for (int e = 0; e < n * C; ++e)
                G[e] = 0.0f;
    }
"""

CONSTANT_COLUMNS = (1, 2, 4, 8)
"""Row lengths that are constants to the compiler, so that it vectorises over rows."""


def _declare(columns: int) -> Kernel:
    """Declare the kernel for rows of `columns` numbers (0: any number).

    Where `marked`, it reads the gradient of marked blocks of rows only, and sets it to zero.
    """
    native = STEP.replace("COLUMNS", str(columns) if columns else "columns")

    @kernel(native.replace("BLOCK_ROWS", str(BLOCK_ROWS)), name=f"adam_step_{columns}")
    def adam_step(
        begin: int,
        end: int,
        columns: Size,
        parameter: float32("rows", "columns"),
        gradient: float32("rows", "columns"),
        mean: float32("rows", "columns"),
        square: float32("rows", "columns"),
        marked: int,
        touched: uint8("blocks"),
        rate: float,
        beta1: float,
        beta2: float,
        root: float,
        epsilon: float,
    ): ...

    return adam_step


STEP_KERNELS = {columns: _declare(columns) for columns in (0, *CONSTANT_COLUMNS)}
"""Kernels by the length of rows; 0 is for any length."""
