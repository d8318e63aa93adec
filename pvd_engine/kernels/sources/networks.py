"""Warp source of small networks: linear layers without bias, and ReLU between them.

Work items are chunks of points. A block of points goes through all layers while its activations
are in the nearest cache (Müller et al., "Real-time neural radiance caching for path tracing",
2021, section 5); the backward pass computes them again. Numbers are float32, or bf16 of which a
product takes pairs (``vdpbf16ps`` of AVX-512 BF16); sums are float32. The left operand of a product
is broadcast, one number or pair at a time, and the right one holds 16 columns.
"""

# Annotations are values here, unknown to type checkers.
# pyright: reportInvalidTypeForm=false, reportCallIssue=false

from collections.abc import Iterable
from itertools import pairwise
from string import Template

from ..declare import Kernel, Size, float32, kernel
from ..launch import has_bf16

BLOCK = 128
"""Points that go through the layers together."""

MOST_INPUTS, MOST_HIDDEN, MOST_OUTPUTS = 32, 64, 16
"""Widths in the kernels; narrower layers are filled up with zeros."""

BF16 = """
    typedef __bf16 Number;
    constexpr int PAIR = 2;
    typedef __bf16 Pairs __attribute__((vector_size(64), aligned(4)));
    typedef __bf16 Rounded __attribute__((vector_size(32), aligned(4)));
    typedef short Bits __attribute__((vector_size(32), aligned(4)));
    typedef short PairBits __attribute__((vector_size(64), aligned(4)));
    auto plus_product = [](Lanes sum, Broadcast a, Lanes b) {
        return __builtin_ia32_dpbf16ps_512(sum, (Pairs)a, (Pairs)b);
    };
    auto store = [](Number* to, Lanes values) {
        *(Rounded*)to = __builtin_convertvector(values, Rounded);
    };
    auto keep_positive = [](Number* values, const Number* of) {
        *(Bits*)values &= *(const Bits*)of > (short)0;
    };
    // Makes of each two rows of a matrix one row of pairs.
    auto pair_rows = [](const Number* matrix, Number* paired, int rows, int columns) {
        for (int r = 0; r < rows; r += 2)
            for (int c = 0; c < columns; c += 16) {
                const Bits first = *(const Bits*)(matrix + r * columns + c);
                const Bits second = *(const Bits*)(matrix + (r + 1) * columns + c);
                *(PairBits*)(paired + r * columns + 2 * c) = __builtin_shufflevector(first, second,
                    0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23,
                    8, 24, 9, 25, 10, 26, 11, 27, 12, 28, 13, 29, 14, 30, 15, 31);
            }
        return (const Number*)paired;
    };
"""
"""Numbers in bf16: a product takes pairs of them (``vdpbf16ps``) and sums in float32."""

FLOAT32 = """
    typedef float Number;
    constexpr int PAIR = 1;
    auto plus_product = [](Lanes sum, Broadcast a, Lanes b) {
        return __builtin_elementwise_fma((Lanes)a, b, sum);
    };
    auto store = [](Number* to, Lanes values) { *(Lanes*)to = values; };
    auto keep_positive = [](Number* values, const Number* of) {
        *(Broadcast*)values &= *(const Lanes*)of > 0.0f;
    };
    auto pair_rows = [](const Number* matrix, Number*, int, int) { return matrix; };
"""

NUMBERS = {"bf16": BF16, "float32": FLOAT32}

VECTORS = """
    typedef float Lanes __attribute__((vector_size(64), aligned(4)));
    typedef int Broadcast __attribute__((vector_size(64), aligned(4)));
"""

PRODUCTS = """
    struct Columns16 { enum { vectors = 1 }; };
    struct Columns32 { enum { vectors = 2 }; };
    struct Columns64 { enum { vectors = 4 }; };
    // Calls take(m, c, sums) for 16 columns c of each row m of a product of two matrices. Number k
    // (or pair) of row m is at m * row + k * pair of the left one; the right has rows (of pairs).
    auto multiply = [&](const Number* left, int row, int pair, int rows, const Number* right,
                        int length, auto columns, auto take) {
        constexpr int N = decltype(columns)::vectors;
        constexpr int M = N == 1 ? 8 : 4;
        const int* __restrict__ a = (const int*)left;
        const float* __restrict__ b = (const float*)right;
        for (int m = 0; m < rows; m += M) {
            Lanes sums[M][N] = {};
            for (int k = 0; k < (length + PAIR - 1) / PAIR; ++k) {
                Lanes factors[N];
                for (int n = 0; n < N; ++n)
                    factors[n] = *(const Lanes*)(b + (k * N + n) * 16);
                for (int i = 0; i < M; ++i) {
                    const Broadcast factor = a[(m + i) * row + k * pair] - Broadcast{};
                    for (int n = 0; n < N; ++n)
                        sums[i][n] = plus_product(sums[i][n], factor, factors[n]);
                }
            }
            for (int i = 0; i < M; ++i)
                for (int n = 0; n < N; ++n)
                    take(m + i, 16 * n, sums[i][n]);
        }
    };
"""

LAYER = """
    const int start$i = parameter;
    parameter += width$i * width$j;
    alignas(64) Number by_input$i[$a * $b], by_output$i[$b * $a], x$i[BLOCK * $a] = {};
    alignas(64) Number by_input_pairs$i[$a * $b], by_output_pairs$i[$b * $a];
    for (int to = 0; to < $b; ++to)
        for (int from = 0; from < $a; ++from) {
            const bool given = to < width$j && from < width$i;
            const float w = given ? weights.data[start$i + to * width$i + from] : 0.0f;
            by_input$i[from * $b + to] = by_output$i[to * $a + from] = (Number)w;
        }
    const Number* forward$i = pair_rows(by_input$i, by_input_pairs$i, $a, $b);
    const Number* backward$i = pair_rows(by_output$i, by_output_pairs$i, $b, $a);
"""

ITEMS = """
    for (int item = begin; item < end; ++item) {
        const int stop = wp::min(count, (item + 1) * chunk);
"""

BLOCKS = """
        for (int start = item * chunk; start < stop; start += BLOCK) {
            const int n = wp::min(BLOCK, stop - start);
"""

TO_HIDDEN = """
            multiply(x$i, $a / PAIR, 1, BLOCK, forward$i, width$i, Columns$b{},
                [&](int m, int c, Lanes sums) {
                    store(x$j + m * $b + c, sums > 0.0f ? sums : Lanes{});
                });
"""

TO_OUTPUT = """
            multiply(x$i, $a / PAIR, 1, BLOCK, forward$i, $a, Columns$b{},
                [&](int m, int c, Lanes sums) { *(Lanes*)(y + m * $b) = sums; });
            for (int j = 0; j < n; ++j)
                for (int c = 0; c < width$j; ++c)
                    output.data[(size_t)(start + j) * width$j + c] = y[j * $b + c];
"""

LAYER_GRADIENT = """
    alignas(64) Number d$j[BLOCK * $b];
    alignas(64) float of_layer$i[$b * $a];
"""

CLEAR_GRADIENT = """
        for (int e = 0; e < $b * $a; ++e)
            of_layer$i[e] = 0.0f;
"""

OF_OUTPUT = """
            for (int j = 0; j < BLOCK; ++j)
                for (int c = 0; c < $b; ++c) {
                    const bool given = j < n && c < width$j;
                    const size_t at = (size_t)(start + j) * width$j + c;
                    d$j[j * $b + c] = (Number)(given ? of_output.data[at] : 0.0f);
                }
"""

OF_WEIGHTS = """
            multiply(pair_rows(d$j, of_pairs, BLOCK, $b), 1, $b, $b,
                pair_rows(x$i, pairs, BLOCK, $a), BLOCK, Columns$a{},
                [&](int m, int c, Lanes sums) { *(Lanes*)(of_layer$i + m * $a + c) += sums; });
"""

OF_HIDDEN = """
            multiply(d$j, $b / PAIR, 1, BLOCK, backward$i, $b, Columns$a{},
                [&](int m, int c, Lanes sums) { store(d$i + m * $a + c, sums); });
            for (int e = 0; e < BLOCK * $a; e += 16)
                keep_positive(d$i + e, x$i + e);
"""

OF_INPUT = """
            multiply(d$j, $b / PAIR, 1, BLOCK, backward$i, $b, Columns$a{},
                [&](int m, int c, Lanes sums) { *(Lanes*)(of_x + m * $a + c) = sums; });
"""

WRITE_GRADIENT = """
        for (int to = 0; to < width$j; ++to)
            for (int from = 0; from < width$i; ++from)
                of_weights.data[(size_t)item * parameters + start$i + to * width$i + from] =
                    of_layer$i[to * $a + from];
"""

LOAD_ENCODED = """
            for (int f = 0; f < width0; ++f)
                for (int j = 0; j < n; ++j)
                    x0[j * $a + f] = (Number)encoded.data[(size_t)f * count + start + j];
"""

OF_ENCODED = """
            for (int f = 0; f < width0; ++f)
                for (int j = 0; j < n; ++j)
                    of_encoded.data[(size_t)f * count + start + j] = of_x[j * $a + f];
"""

# The spherical harmonics as in `kernels.harmonics`.
LOAD_SHADED = """
            for (int j = 0; j < n; ++j) {
                const float* d = directions.data + 3 * (size_t)(start + j);
                const float x = d[0], y = d[1], z = d[2];
                const float xx = x * x, yy = y * y, zz = z * z, xy = x * y, yz = y * z, xz = x * z;
                const float basis[16] = {0.28209479177387814f,
                    -0.4886025119029199f * y, 0.4886025119029199f * z, -0.4886025119029199f * x,
                    1.0925484305920792f * xy, -1.0925484305920792f * yz,
                    0.31539156525252005f * (2.0f * zz - xx - yy),
                    -1.0925484305920792f * xz, 0.5462742152960396f * (xx - yy),
                    -0.5900435899266435f * y * (3.0f * xx - yy), 2.890611442640554f * xy * z,
                    -0.4570457994644658f * y * (4.0f * zz - xx - yy),
                    0.3731763325901154f * z * (2.0f * zz - 3.0f * xx - 3.0f * yy),
                    -0.4570457994644658f * x * (4.0f * zz - xx - yy),
                    1.445305721320277f * z * (xx - yy),
                    -0.5900435899266435f * x * (xx - 3.0f * yy)};
                Number* input = x0 + j * $a;
                for (int i = 0; i < 16; ++i)
                    input[i] = (Number)basis[i];
                for (int f = 1; f < features; ++f)
                    input[15 + f] = (Number)shaded.data[(size_t)(start + j) * features + f];
            }
"""

OF_SHADED = """
            for (int j = 0; j < n; ++j) {
                float* of = of_shaded.data + (size_t)(start + j) * features;
                of[0] = 0.0f;
                for (int f = 1; f < features; ++f)
                    of[f] = of_x[j * $a + 15 + f];
            }
"""

ENCODED_WIDTHS = "const int width0 = features, width1 = hidden, width2 = outputs;"
SHADED_WIDTHS = """
    const int width0 = 15 + features, width1 = hidden, width2 = hidden, width3 = outputs;
"""


def _encoded_forward(numbers: str) -> Kernel:
    """Declare the network of one hidden layer that reads encoded points feature by feature."""

    @kernel(
        _forward(numbers, 1, ENCODED_WIDTHS, LOAD_ENCODED),
        cpu_only=True,
        name=f"encoded_network_{numbers}",
    )
    def encoded_network(
        begin: int,
        end: int,
        count: Size,
        features: Size,
        outputs: Size,
        chunk: int,
        hidden: int,
        encoded: float32("features", "count"),
        weights: float32("parameters"),
        output: float32("count", "outputs"),
    ): ...

    return encoded_network


def _encoded_backward(numbers: str) -> Kernel:
    """Declare the gradients of `_encoded_forward`; those of weights are of one chunk each."""

    @kernel(
        _backward(numbers, 1, ENCODED_WIDTHS, LOAD_ENCODED, OF_ENCODED),
        cpu_only=True,
        name=f"encoded_network_backward_{numbers}",
    )
    def encoded_network_backward(
        begin: int,
        end: int,
        count: Size,
        features: Size,
        outputs: Size,
        parameters: Size,
        chunk: int,
        hidden: int,
        encoded: float32("features", "count"),
        weights: float32("parameters"),
        of_output: float32("count", "outputs"),
        of_encoded: float32("features", "count"),
        of_weights: float32("chunks", "parameters"),
    ): ...

    return encoded_network_backward


def _shaded_forward(numbers: str) -> Kernel:
    """Declare the network of two hidden layers that reads directions and features of points.

    The first feature, the log-density, is left out.
    """

    @kernel(
        _forward(numbers, 2, SHADED_WIDTHS, LOAD_SHADED),
        cpu_only=True,
        name=f"shaded_network_{numbers}",
    )
    def shaded_network(
        begin: int,
        end: int,
        count: Size,
        features: Size,
        outputs: Size,
        chunk: int,
        hidden: int,
        directions: float32("count", 3),
        shaded: float32("count", "features"),
        weights: float32("parameters"),
        output: float32("count", "outputs"),
    ): ...

    return shaded_network


def _shaded_backward(numbers: str) -> Kernel:
    """Declare the gradients of `_shaded_forward`; those of weights are of one chunk each."""

    @kernel(
        _backward(numbers, 2, SHADED_WIDTHS, LOAD_SHADED, OF_SHADED),
        cpu_only=True,
        name=f"shaded_network_backward_{numbers}",
    )
    def shaded_network_backward(
        begin: int,
        end: int,
        count: Size,
        features: Size,
        outputs: Size,
        parameters: Size,
        chunk: int,
        hidden: int,
        directions: float32("count", 3),
        shaded: float32("count", "features"),
        weights: float32("parameters"),
        of_output: float32("count", "outputs"),
        of_shaded: float32("count", "features"),
        of_weights: float32("chunks", "parameters"),
    ): ...

    return shaded_network_backward


def _forward(numbers: str, hidden_layers: int, widths: str, load: str) -> str:
    """Return the source that computes the output."""
    layers = _layers(hidden_layers)
    *hidden, last = layers
    return "".join(
        [
            _head(numbers, layers, widths),
            f"alignas(64) float y[BLOCK * {MOST_OUTPUTS}];",
            ITEMS + BLOCKS,
            _each(load, layers[:1]),
            _each(TO_HIDDEN, hidden),
            _each(TO_OUTPUT, [last]),
            "}}",
        ]
    )


def _backward(numbers: str, hidden_layers: int, widths: str, load: str, store: str) -> str:
    """Return the source that computes the gradients of input and weights."""
    layers = _layers(hidden_layers)
    first, *later = layers
    back = "".join(_each(OF_WEIGHTS + OF_HIDDEN, [layer]) for layer in reversed(later))
    return "".join(
        [
            _head(numbers, layers, widths),
            f"alignas(64) Number pairs[BLOCK * {MOST_HIDDEN}], of_pairs[BLOCK * {MOST_HIDDEN}];",
            f"alignas(64) float of_x[BLOCK * {MOST_INPUTS}];",
            _each(LAYER_GRADIENT, layers),
            ITEMS,
            _each(CLEAR_GRADIENT, layers),
            BLOCKS,
            _each(load, [first]),
            _each(TO_HIDDEN, layers[:-1]),
            _each(OF_OUTPUT, layers[-1:]),
            back,
            _each(OF_WEIGHTS + OF_INPUT + store, [first]),
            "}",
            _each(WRITE_GRADIENT, layers),
            "}",
        ]
    )


def _head(numbers: str, layers: list[dict[str, int]], widths: str) -> str:
    """Return the source of products, widths and packed weights."""
    block = f"constexpr int BLOCK = {BLOCK};"
    products = VECTORS + NUMBERS[numbers] + PRODUCTS
    return f"{block}{products}{widths}\n    int parameter = 0;{_each(LAYER, layers)}"


def _layers(hidden_layers: int) -> list[dict[str, int]]:
    """Return the number of each layer and of the next, and its widths in the kernel."""
    widths = [MOST_INPUTS, *[MOST_HIDDEN] * hidden_layers, MOST_OUTPUTS]
    return [{"i": i, "j": i + 1, "a": a, "b": b} for i, (a, b) in enumerate(pairwise(widths))]


def _each(piece: str, layers: Iterable[dict[str, int]]) -> str:
    """Return a piece of source for each layer."""
    return "".join(Template(piece).substitute(layer) for layer in layers)


KINDS = [kind for kind in NUMBERS if kind != "bf16" or has_bf16("cpu")]
"""The numbers for which this processor has kernels."""

ENCODED_FORWARD = {kind: _encoded_forward(kind) for kind in KINDS}
"""The network of encoded points, by the kind of numbers."""

ENCODED_BACKWARD = {kind: _encoded_backward(kind) for kind in KINDS}
"""Its gradients."""

SHADED_FORWARD = {kind: _shaded_forward(kind) for kind in KINDS}
"""The network of directions and features, by the kind of numbers."""

SHADED_BACKWARD = {kind: _shaded_backward(kind) for kind in KINDS}
"""Its gradients."""
