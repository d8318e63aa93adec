"""Warp source of tiles that splats are drawn in, forward and backward; work items are tiles.

Kerbl et al., "3D Gaussian splatting for real-time radiance field rendering", 2023, sections 6 and
C. On the CPU a row of a tile's pixels is a vector; on CUDA a thread has one pixel.
"""

# Annotations are values here, unknown to type checkers.
# pyright: reportInvalidTypeForm=false, reportCallIssue=false

from ..declare import float32, int32, int64, kernel
from ..splat_rules import CHANNELS, DARKEST, FAINTEST, TILE
from .splat_projection import ENTRY, RECORD

PREAMBLE = (
    """
    constexpr int TILE = VALUE_OF_TILE;
#if LANES > 1
    // A thread has a pixel: its own row and column.
    constexpr int ROWS = 1, COLUMNS = 1;
    const int own_row = lane / TILE, own_column = lane % TILE;
    typedef float Lanes;
    typedef int Counts;
    auto get = [](auto& lanes, int) -> auto& { return lanes; };
    auto exponential = [](Lanes x) { return wp::exp(x); };
    auto anywhere = [](Counts mask) { return mask != 0; };
#if defined(__CUDA_ARCH__)
    constexpr int WARP = 32;
#else
    constexpr int WARP = 1;
#endif
    auto sum = [](Lanes lanes) {
#if defined(__CUDA_ARCH__)
        for (int offset = WARP / 2; offset > 0; offset /= 2)
            lanes += __shfl_down_sync(0xffffffffu, lanes, offset);
#endif
        return lanes;
    };
    auto largest = [](auto lanes) {
#if defined(__CUDA_ARCH__)
        for (int offset = WARP / 2; offset > 0; offset /= 2) {
            const auto other = __shfl_xor_sync(0xffffffffu, lanes, offset);
            lanes = lanes > other ? lanes : other;
        }
#endif
        return lanes;
    };
#else
    constexpr int ROWS = TILE, COLUMNS = TILE, WARP = 1;
    constexpr int own_row = 0, own_column = 0;
    typedef float Lanes __attribute__((vector_size(4 * TILE)));
    typedef int Counts __attribute__((vector_size(4 * TILE)));
    auto get = [](auto& lanes, int column) -> auto& {
        return ((decltype(lanes[0] + 0)*)&lanes)[column];
    };
    // By the polynomial of Cephes, to the last digit or two; of numbers in [-80, 0].
    auto exponential = [](Lanes x) {
        constexpr float ROUND = 12582912.0f;  // the last digit of larger numbers is 1
        const Lanes shifted = x * 1.44269504088896341f + ROUND, power = shifted - ROUND;
        const Lanes r = x - power * 0.693359375f + power * 2.12194440e-4f;
        Lanes p = r * 1.9875691500e-4f + 1.3981999507e-3f;
        p = p * r + 8.3334519073e-3f;
        p = p * r + 4.1665795894e-2f;
        p = p * r + 1.6666665459e-1f;
        p = p * r + 5.0000001201e-1f;
        p = p * r * r + r + 1.0f;
        return (Lanes)((Counts)p + ((Counts)shifted << 23));
    };
    auto anywhere = [](Counts mask) {
        int any = 0;
        for (int i = 0; i < TILE; ++i)
            any |= mask[i];
        return any != 0;
    };
    auto sum = [](Lanes v) {
        v += __builtin_shufflevector(v, v, 8, 9, 10, 11, 12, 13, 14, 15, 8, 9, 10, 11, 12, 13, 14,
            15);
        v += __builtin_shufflevector(v, v, 4, 5, 6, 7, 4, 5, 6, 7, 4, 5, 6, 7, 4, 5, 6, 7);
        v += __builtin_shufflevector(v, v, 2, 3, 2, 3, 2, 3, 2, 3, 2, 3, 2, 3, 2, 3, 2, 3);
        return v[0] + v[1];
    };
    auto largest = [](auto v) {
        auto most = v[0];
        for (int i = 1; i < TILE; ++i)
            most = v[i] > most ? v[i] : most;
        return most;
    };
#endif
    const Lanes nothing = {};
    const Counts none = {};
    Lanes columns = {};
    for (int i = 0; i < COLUMNS; ++i)
        get(columns, i) = (float)(own_column + i) + 0.5f;
    for (int tile = begin; tile < end; ++tile) {
        const int left = TILE * (tile % tiles_x), top = TILE * (tile / tiles_x);
        const wp::int64 start = ranges.data[tile];
        const int count = (int)(ranges.data[tile + 1] - start);
        const Lanes at_x = columns + (float)left;
        const float at_y = (float)(first_row + top) + 0.5f;
"""
).replace("VALUE_OF_TILE", str(TILE))
"""Vectors, and a tile."""

ROW_LOOP = """
            const float* record = records.data + RECORD * (size_t)splats.data[start + k];
            const float xx = record[2], xy = record[3], yy = record[4], opacity = record[5];
            const Lanes dx = at_x - record[0];
            const Lanes exponent_x = dx * dx * (-0.5f * xx), slant = dx * -xy;
            int first = (int)wp::ceil(wp::max(record[1] - record[11] - at_y, (float)own_row));
            int last = (int)wp::floor(
                wp::min(record[1] + record[11] - at_y, (float)(own_row + ROWS - 1)));
            for (int at = first; at <= last; ++at) {
                const int row = ROWS == 1 ? 0 : at - own_row;
                const float dy = at_y + (float)at - record[1];
                Lanes exponent = exponent_x + (slant + -0.5f * yy * dy) * dy;
                exponent = exponent > -80.0f ? exponent : nothing - 80.0f;
                const Lanes uncapped = exponential(exponent) * opacity;
                const Lanes alpha = uncapped < most_opaque ? uncapped : nothing + most_opaque;
"""
"""Opens the loop over the rows of a tile that a splat reaches, and gives its opacity in each."""

FORWARD = (
    PREAMBLE
    + """
        Lanes light[ROWS], sums[CHANNELS][ROWS];
        Counts applied[ROWS];  // so many splats reached a pixel before its end; -1 outside
        for (int row = 0; row < ROWS; ++row) {
            light[row] = nothing + 1.0f;
            for (int channel = 0; channel < CHANNELS; ++channel)
                sums[channel][row] = nothing;
            for (int i = 0; i < COLUMNS; ++i)
                get(applied[row], i) = top + own_row + row < height
                    && left + own_column + i < width ? count : -1;
        }
        for (int k = 0; k < count; ++k) {
            if (COLUMNS == 1 || k % 16 == 0) {
                Counts going = {};
                for (int row = 0; row < ROWS; ++row)
                    going |= applied[row] == count;
                if (!anywhere(going))
                    break;
            }
"""
    + ROW_LOOP
    + """
                const Lanes passing = light[row] * (1.0f - alpha);
                const Counts seen = (alpha >= FAINTEST) & (applied[row] == count);
                const Counts kept = seen & (passing >= DARKEST), ends = seen & (passing < DARKEST);
                const Lanes weight = kept ? alpha * light[row] : nothing;
                light[row] = kept ? passing : light[row];
                applied[row] = ends ? none + k : applied[row];
                for (int i = 0; i < 3; ++i)
                    sums[i][row] += weight * record[6 + i];
                sums[4][row] += weight * record[9];
            }
        }
        for (int row = 0; row < ROWS; ++row) {
            sums[3][row] = 1.0f - light[row];
            for (int i = 0; i < COLUMNS; ++i) {
                const int y = own_row + row, x = own_column + i;
                const size_t in_tile = TILE * (TILE * (size_t)tile + y) + x;
                lights.data[in_tile] = get(light[row], i);
                reached.data[in_tile] = get(applied[row], i);
                if (top + y < height && left + x < width)
                    for (int channel = 0; channel < CHANNELS; ++channel)
                        picture.data[CHANNELS * ((size_t)(top + y) * width + left + x) + channel]
                            = get(sums[channel][row], i);
            }
        }
    }
"""
)

# A pixel's splats are taken from the back. With v the gradient of a splat's weight, and T the light
# that reaches it, its opacity a has the gradient T v - (sum of w v over the splats behind it) /
# (1 - a).
BACKWARD = (
    PREAMBLE
    + """
        Lanes light[ROWS], of[CHANNELS][ROWS], behind[ROWS];
        Counts applied[ROWS], deepest = {};
        for (int row = 0; row < ROWS; ++row) {
            behind[row] = nothing;
            for (int i = 0; i < COLUMNS; ++i) {
                const int y = own_row + row, x = own_column + i;
                const size_t in_tile = TILE * (TILE * (size_t)tile + y) + x;
                const bool inside = top + y < height && left + x < width;
                get(light[row], i) = lights.data[in_tile];
                get(applied[row], i) = reached.data[in_tile];
                for (int channel = 0; channel < CHANNELS; ++channel)
                    get(of[channel][row], i) = inside ? of_picture.data[
                        CHANNELS * ((size_t)(top + y) * width + left + x) + channel] : 0.0f;
            }
            deepest = applied[row] > deepest ? applied[row] : deepest;
        }
        for (int k = largest(deepest) - 1; k >= 0; --k) {
            Lanes entry[ENTRY] = {};
"""
    + ROW_LOOP
    + """
                const Counts seen = (alpha >= FAINTEST) & (applied[row] > k);
                const Lanes shown = seen ? alpha : nothing, rest = 1.0f / (1.0f - shown);
                light[row] *= rest;
                const Lanes weight = shown * light[row];
                Lanes v = of[3][row] + of[4][row] * record[9];
                for (int i = 0; i < 3; ++i) {
                    v += of[i][row] * record[6 + i];
                    entry[i] += weight * of[i][row];
                }
                entry[3] += weight * of[4][row];
                Lanes m = weight * v - behind[row] * rest * shown;
                behind[row] += weight * v;
                m = uncapped < most_opaque ? m : nothing;
                entry[4] += m;
                entry[5] += m * dx;
                entry[6] += m * dy;
                entry[7] += m * dx * dx;
                entry[8] += m * dx * dy;
                entry[9] += m * dy * dy;
                entry[10] = weight > entry[10] ? weight : entry[10];
            }
#if defined(__CUDA_ARCH__)
            if (!__any_sync(0xffffffffu, entry[10] > 0.0f))
                continue;
#endif
            float* to = of_entries.data + ENTRY * (size_t)slots.data[start + k];
            for (int i = 0; i < ENTRY; ++i) {
                const float value = i < ENTRY - 1 ? sum(entry[i]) : largest(entry[i]);
                if (lane % WARP == 0) {
                    if (i < ENTRY - 1)
                        wp::atomic_add(to + i, value);
                    else
                        wp::atomic_max(to + i, value);
                }
            }
        }
    }
"""
)

NUMBERS = {
    "RECORD": str(RECORD),
    "ENTRY": str(ENTRY),
    "CHANNELS": str(CHANNELS),
    "FAINTEST": f"{FAINTEST!r}f",
    "DARKEST": f"{DARKEST!r}f",
}


def _with_numbers(source: str) -> str:
    for name, number in NUMBERS.items():
        source = source.replace(name, number)
    return source


@kernel(_with_numbers(FORWARD), lanes=TILE * TILE, block=TILE * TILE)
def splat_tiles_forward(
    begin: int,
    end: int,
    lane: int,
    records: float32("splats", RECORD),
    ranges: int64("tiles + 1"),
    splats: int32("entries"),
    tiles_x: int,
    first_row: int,
    width: int,
    height: int,
    most_opaque: float,
    picture: float32("rows", "columns", CHANNELS),
    lights: float32("tiles", TILE * TILE),
    reached: int32("tiles", TILE * TILE),
):
    """Draw tiles; keep for each pixel what light is left, and how many splats were applied."""


@kernel(_with_numbers(BACKWARD), lanes=TILE * TILE, block=TILE * TILE)
def splat_tiles_backward(
    begin: int,
    end: int,
    lane: int,
    records: float32("splats", RECORD),
    ranges: int64("tiles + 1"),
    splats: int32("entries"),
    slots: int64("entries"),
    tiles_x: int,
    first_row: int,
    width: int,
    height: int,
    most_opaque: float,
    of_picture: float32("rows", "columns", CHANNELS),
    lights: float32("tiles", TILE * TILE),
    reached: int32("tiles", TILE * TILE),
    of_entries: float32("entries", ENTRY),
):
    """Compute the gradients of entries, to which those of zero are given."""
