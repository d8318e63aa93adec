"""Warp source of density and colour of a mixture of Gaussians at points, forward and backward."""

# Annotations are values here, unknown to type checkers.
# pyright: reportInvalidTypeForm=false, reportCallIssue=false

from ..declare import Size, float32, int32, kernel
from ..gaussian_records import REACH, RECORD

GAUSSIAN = f"""
            const int splat = members.data[entry];
            const float* record = records.data + {RECORD} * (size_t)splat;
            const float dx = point[0] - record[0], dy = point[1] - record[1];
            const float dz = point[2] - record[2];
            const float u = record[3] * dx + record[4] * dy + record[5] * dz;
            const float v = record[6] * dx + record[7] * dy + record[8] * dz;
            const float w = record[9] * dx + record[10] * dy + record[11] * dz;
            const float square = u * u + v * v + w * w;
            if (!(square < {REACH * REACH}f))
                continue;
            const float weight = wp::exp(record[12] - 0.5f * square);
"""
"""The density of an entry's Gaussian at a point."""

COLOR = """
                const float* rows = coefficients.data + 3 * (size_t)count * splat;
                float r = 0.5f, g = 0.5f, b = 0.5f;
                for (int k = 0; k < count; ++k) {
                    r += harmonics[k] * rows[3 * k];
                    g += harmonics[k] * rows[3 * k + 1];
                    b += harmonics[k] * rows[3 * k + 2];
                }
"""
"""The colour of an entry's Gaussian along the direction of a point."""

FORWARD = (
    """
    for (int i = begin; i < end; ++i) {
        const float* point = points.data + 3 * (size_t)i;
        const float* harmonics = basis.data + count * (size_t)i;
        float density = 0.0f, red = 0.0f, green = 0.0f, blue = 0.0f;
        const int cell = cells.data[i];
        const int last = cell < 0 ? 0 : offsets.data[cell + 1];
        for (int entry = cell < 0 ? 0 : offsets.data[cell]; entry < last; ++entry) {
"""
    + GAUSSIAN
    + """
            density += weight;
            if (count > 0) {
"""
    + COLOR
    + """
                red += weight * wp::max(r, 0.0f);
                green += weight * wp::max(g, 0.0f);
                blue += weight * wp::max(b, 0.0f);
            }
        }
        float* sum = sums.data + 4 * (size_t)i;
        sum[0] = density, sum[1] = red, sum[2] = green, sum[3] = blue;
    }
"""
)

BACKWARD = (
    """
    // Items are points, whose threads add to all Gaussians, or Gaussians that only one adds to.
    const int point_begin = by_point ? begin : 0, point_end = by_point ? end : total;
    const int splat_begin = by_point ? 0 : begin, splat_end = by_point ? splats : end;
    for (int i = point_begin; i < point_end; ++i) {
        const float* point = points.data + 3 * (size_t)i;
        const float* harmonics = basis.data + count * (size_t)i;
        const float* of_sum = of_sums.data + 4 * (size_t)i;
        const int cell = cells.data[i];
        if (cell < 0)
            continue;
        const int last = offsets.data[cell + 1];
        // The Gaussians of a cell stand in ascending order.
        int low = offsets.data[cell], high = last;
        while (low < high) {
            const int middle = low + (high - low) / 2;
            if (members.data[middle] < splat_begin)
                low = middle + 1;
            else
                high = middle;
        }
        for (int entry = low; entry < last && members.data[entry] < splat_end; ++entry) {
"""
    + GAUSSIAN
    + """
            float of_weight = of_sum[0];
            if (count > 0) {
"""
    + COLOR
    + """
                // A colour that is cut at zero has no gradient.
                const float of_r = r > 0 ? of_sum[1] : 0.0f;
                const float of_g = g > 0 ? of_sum[2] : 0.0f;
                const float of_b = b > 0 ? of_sum[3] : 0.0f;
                of_weight += r * of_r + g * of_g + b * of_b;
                float* of_rows = of_coefficients.data + 3 * (size_t)count * splat;
                for (int k = 0; k < count; ++k) {
                    const float factor = weight * harmonics[k];
                    wp::atomic_add(of_rows + 3 * k, factor * of_r);
                    wp::atomic_add(of_rows + 3 * k + 1, factor * of_g);
                    wp::atomic_add(of_rows + 3 * k + 2, factor * of_b);
                }
            }
            const float slope = weight * of_weight;
            const float of_u = -slope * u, of_v = -slope * v, of_w = -slope * w;
            float* of_record = of_records.data + RECORD * (size_t)splat;
            for (int axis = 0; axis < 3; ++axis)
                wp::atomic_add(of_record + axis, -of_u * record[3 + axis] - of_v * record[6 + axis]
                    - of_w * record[9 + axis]);
            const float offset[3] = {dx, dy, dz};
            for (int axis = 0; axis < 3; ++axis) {
                wp::atomic_add(of_record + 3 + axis, of_u * offset[axis]);
                wp::atomic_add(of_record + 6 + axis, of_v * offset[axis]);
                wp::atomic_add(of_record + 9 + axis, of_w * offset[axis]);
            }
            wp::atomic_add(of_record + 12, slope);
        }
    }
"""
).replace("RECORD", str(RECORD))


@kernel(FORWARD)
def gaussian_mixture_forward(
    begin: int,
    end: int,
    count: Size,
    points: float32("total", 3),
    cells: int32("total"),
    basis: float32("total", "count"),
    offsets: int32("cells + 1"),
    members: int32("entries"),
    records: float32("splats", RECORD),
    coefficients: float32("splats", "count", 3),
    sums: float32("total", 4),
):
    """Sum densities, and colours times densities; items are points."""


@kernel(BACKWARD)
def gaussian_mixture_backward(
    begin: int,
    end: int,
    count: Size,
    total: Size,
    splats: Size,
    by_point: int,
    points: float32("total", 3),
    cells: int32("total"),
    basis: float32("total", "count"),
    offsets: int32("cells + 1"),
    members: int32("entries"),
    records: float32("splats", RECORD),
    coefficients: float32("splats", "count", 3),
    of_sums: float32("total", 4),
    of_records: float32("splats", RECORD),
    of_coefficients: float32("splats", "count", 3),
):
    """Add the gradients of the Gaussians; items are points or Gaussians."""
