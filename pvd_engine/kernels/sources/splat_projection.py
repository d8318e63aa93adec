"""Warp source of splats on the screen, forward and backward; work items are splats.

Zwicker et al., "EWA volume splatting", 2001: the covariance R S S R' of a splat becomes that of
J W R S (J W R S)', where W turns to the camera and J is the derivative of the projection.
"""

# Annotations are values here, unknown to type checkers.
# pyright: reportInvalidTypeForm=false, reportCallIssue=false

from ..declare import float32, int32, int64, kernel
from ..splat_rules import BLUR, FAINTEST, TILE

RECORD = 12
"""Numbers of a splat on the screen: its centre x and y, conic xx, xy and yy, opacity, colour,
depth, the square of the conic at which it becomes too faint, and how far from the centre along y
that is."""

ENTRY = 11
"""Numbers of a gradient of a splat in a tile: colour; depth; sums of m, m dx, m dy, m dx dx,
m dx dy and m dy dy, where m is the gradient times the opacity of a pixel; and the splat's largest
weight, which is no gradient."""

PROJECT = f"""
    constexpr float BLUR = {BLUR}f;
    const float* E = world_to_camera.data;
    const float* p = centers.data + 3 * (size_t)splat;
    const float X = E[0] * p[0] + E[1] * p[1] + E[2] * p[2] + E[3];
    const float Y = E[4] * p[0] + E[5] * p[1] + E[6] * p[2] + E[7];
    const float Z = E[8] * p[0] + E[9] * p[1] + E[10] * p[2] + E[11];
    const float per_z = 1.0f / Z, slope_x = X / Z, slope_y = Y / Z;
    const float u = wp::min(wp::max(slope_x, low_x), high_x);
    const float v = wp::min(wp::max(slope_y, low_y), high_y);
    const float j00 = fx * per_z, j02 = -j00 * u, j11 = fy * per_z, j12 = -j11 * v;
    float view[2][3];  // J W
    for (int i = 0; i < 3; ++i) {{
        view[0][i] = j00 * E[i] + j02 * E[8 + i];
        view[1][i] = j11 * E[4 + i] + j12 * E[8 + i];
    }}
    const float* quaternion = rotations.data + 4 * (size_t)splat;
    const float length = wp::max(wp::sqrt(
        quaternion[0] * quaternion[0] + quaternion[1] * quaternion[1]
        + quaternion[2] * quaternion[2] + quaternion[3] * quaternion[3]), 1e-12f);
    const float qw = quaternion[0] / length, qx = quaternion[1] / length;
    const float qy = quaternion[2] / length, qz = quaternion[3] / length;
    const float R[3][3] = {{
        {{1 - 2 * (qy * qy + qz * qz), 2 * (qx * qy - qw * qz), 2 * (qx * qz + qw * qy)}},
        {{2 * (qx * qy + qw * qz), 1 - 2 * (qx * qx + qz * qz), 2 * (qy * qz - qw * qx)}},
        {{2 * (qx * qz - qw * qy), 2 * (qy * qz + qw * qx), 1 - 2 * (qx * qx + qy * qy)}},
    }};
    const float* s = scales.data + 3 * (size_t)splat;
    float B[2][3];  // J W R S
    for (int r = 0; r < 2; ++r)
        for (int i = 0; i < 3; ++i)
            B[r][i] = s[i]
                * (view[r][0] * R[0][i] + view[r][1] * R[1][i] + view[r][2] * R[2][i]);
    const float raw_xx = B[0][0] * B[0][0] + B[0][1] * B[0][1] + B[0][2] * B[0][2];
    const float raw_yy = B[1][0] * B[1][0] + B[1][1] * B[1][1] + B[1][2] * B[1][2];
    const float cov_xy = B[0][0] * B[1][0] + B[0][1] * B[1][1] + B[0][2] * B[1][2];
    const float cov_xx = raw_xx + BLUR, cov_yy = raw_yy + BLUR;
    // The determinant of a sum of squares as such a sum (Lagrange's identity) loses no digits.
    const float c0 = B[0][1] * B[1][2] - B[0][2] * B[1][1];
    const float c1 = B[0][2] * B[1][0] - B[0][0] * B[1][2];
    const float c2 = B[0][0] * B[1][1] - B[0][1] * B[1][0];
    const float raw_determinant = c0 * c0 + c1 * c1 + c2 * c2;
    const float determinant = raw_determinant + BLUR * (raw_xx + raw_yy) + BLUR * BLUR;
    const float conic_xx = cov_yy / determinant, conic_yy = cov_xx / determinant;
    const float conic_xy = -cov_xy / determinant;
    const float ratio = antialiased
        ? wp::max(raw_determinant / determinant, smallest_ratio) : 1.0f;
    const float fading = wp::sqrt(ratio);
"""
"""Projects one splat."""

TILES = f"""
    constexpr float TILE = {TILE};
    // Whether a splat reaches a pixel of a tile: its conic is smallest at its centre, or else on a
    // side of the tile that faces the centre.
    auto reaches = [](const float* record, int tile_x, int tile_y) {{
        const float xx = record[2], xy = record[3], yy = record[4], limit = record[10];
        const float left = TILE * tile_x + 0.5f - record[0], right = left + TILE - 1;
        const float top = TILE * tile_y + 0.5f - record[1], bottom = top + TILE - 1;
        const bool beside = left > 0 || right < 0, above = top > 0 || bottom < 0;
        if (!beside && !above)
            return true;
        float least = limit + 1;
        if (beside) {{
            const float dx = left > 0 ? left : right;
            const float dy = wp::min(wp::max(-xy * dx / yy, top), bottom);
            least = xx * dx * dx + 2 * xy * dx * dy + yy * dy * dy;
        }}
        if (above) {{
            const float dy = top > 0 ? top : bottom;
            const float dx = wp::min(wp::max(-xy * dy / xx, left), right);
            least = wp::min(least, xx * dx * dx + 2 * xy * dx * dy + yy * dy * dy);
        }}
        return least <= limit;
    }};
"""
"""Tests a tile."""

FORWARD = (
    (
        TILES
        + """
    constexpr float FAINTEST = VALUE_OF_FAINTEST;
    // Tiles from floor(low) up to, but without, floor(high) + 1, within [first, stop).
    auto within = [](float low, float high, int first, int stop, wp::int32* bounds) {
        const float f = (float)first, s = (float)stop;
        bounds[0] = (int)wp::min(wp::max(wp::floor(low / TILE), f), s);
        bounds[1] = (int)wp::min(wp::max(wp::floor(high / TILE) + 1, f), s);
    };
    for (int splat = begin; splat < end; ++splat) {
"""
        + PROJECT
        + """
        float* record = records.data + RECORD * (size_t)splat;
        wp::int32* bounds = tiles.data + 4 * (size_t)splat;
        const float opacity = opacities.data[splat] * fading;
        int count = 0;
        // What is not finite is not drawn either.
        if (Z > near && determinant < 3e38f && opacity >= FAINTEST && opacity < 3e38f) {
            const float x = fx * slope_x + cx, y = fy * slope_y + cy;
            // A little more than it is, since pixels are computed with errors of rounding.
            const float limit = 2 * wp::log(opacity / FAINTEST) * 1.0001f + 1e-3f;
            const float reach_x = wp::sqrt(limit * cov_xx) + 0.01f;
            const float reach_y = wp::sqrt(limit * cov_yy) + 0.01f;
            record[0] = x, record[1] = y;
            record[2] = conic_xx, record[3] = conic_xy, record[4] = conic_yy;
            record[5] = opacity;
            for (int i = 0; i < 3; ++i)
                record[6 + i] = colors.data[3 * (size_t)splat + i];
            record[9] = Z, record[10] = limit, record[11] = reach_y;
            float left = x - reach_x, right = x + reach_x;
            float top = y - reach_y, bottom = y + reach_y;
            if (square) {
                const float half = (cov_xx - cov_yy) / 2;
                const float root = wp::sqrt(wp::max(half * half + cov_xy * cov_xy, 0.1f));
                const float r = wp::ceil(3 * wp::sqrt((cov_xx + cov_yy) / 2 + root));
                // The original program counts from the first pixel's centre, and rounds the last
                // tile down from a pixel less.
                left = wp::max(left, wp::floor((x - 0.5f - r) / TILE) * TILE);
                right = wp::min(right, wp::floor((x - 1.5f + r) / TILE) * TILE + TILE - 1);
                top = wp::max(top, wp::floor((y - 0.5f - r) / TILE) * TILE);
                bottom = wp::min(bottom, wp::floor((y - 1.5f + r) / TILE) * TILE + TILE - 1);
            }
            within(left, right, 0, tiles_x, bounds);
            within(top, bottom, first_tile, first_tile + tiles_y, bounds + 2);
            for (int tile_y = bounds[2]; tile_y < bounds[3]; ++tile_y)
                for (int tile_x = bounds[0]; tile_x < bounds[1]; ++tile_x)
                    count += reaches(record, tile_x, tile_y);
        }
        counts.data[splat] = count;
    }
"""
    )
    .replace("VALUE_OF_FAINTEST", f"{FAINTEST!r}f")
    .replace("RECORD", str(RECORD))
)

LIST = (
    TILES
    + """
    for (int rank = begin; rank < end; ++rank) {
        const int splat = order.data[rank];
        const float* record = records.data + RECORD * (size_t)splat;
        const wp::int32* bounds = tiles.data + 4 * (size_t)splat;
        wp::int64 entry = offsets.data[rank];
        for (int tile_y = bounds[2]; tile_y < bounds[3]; ++tile_y)
            for (int tile_x = bounds[0]; tile_x < bounds[1]; ++tile_x)
                if (reaches(record, tile_x, tile_y)) {
                    entry_splats.data[entry] = splat;
                    entry_tiles.data[entry] = (tile_y - first_tile) * tiles_x + tile_x;
                    ++entry;
                }
    }
"""
).replace("RECORD", str(RECORD))

BACKWARD = (
    """
    for (int rank = begin; rank < end; ++rank) {
        const int splat = order.data[rank];
"""
    + PROJECT
    + """
        float sum[ENTRY] = {};
        for (wp::int64 entry = offsets.data[rank]; entry < offsets.data[rank + 1]; ++entry) {
            const float* of = of_entries.data + ENTRY * (size_t)entry;
            for (int i = 0; i < ENTRY - 1; ++i)
                sum[i] += of[i];
            sum[ENTRY - 1] = wp::max(sum[ENTRY - 1], of[ENTRY - 1]);
        }
        weights.data[splat] = sum[10];
        for (int i = 0; i < 3; ++i)
            of_colors.data[3 * (size_t)splat + i] = sum[i];

        // A pixel's opacity is o exp(-d' C d / 2), where C is the conic and d runs to the pixel
        // from the centre. With m = gradient times opacity, o has the gradient (sum of m) / o, the
        // centre the sum of m C d, and the covariance, of which C is the inverse, half the sum of
        // m (C d) (C d)'.
        const float raw_opacity = opacities.data[splat];
        of_opacities.data[splat] = sum[4] / raw_opacity;
        const float of_x = conic_xx * sum[5] + conic_xy * sum[6];
        const float of_y = conic_xy * sum[5] + conic_yy * sum[6];
        of_screen.data[2 * (size_t)splat] = of_x;
        of_screen.data[2 * (size_t)splat + 1] = of_y;
        const float h00 = conic_xx * sum[7] + conic_xy * sum[8];
        const float h01 = conic_xx * sum[8] + conic_xy * sum[9];
        const float h10 = conic_xy * sum[7] + conic_yy * sum[8];
        const float h11 = conic_xy * sum[8] + conic_yy * sum[9];
        float of_xx = 0.5f * (h00 * conic_xx + h01 * conic_xy);
        float of_yy = 0.5f * (h10 * conic_xy + h11 * conic_yy);
        float of_xy = h00 * conic_xy + h01 * conic_yy;  // of either of the two
        if (antialiased && ratio > smallest_ratio) {
            // The opacity is proportional to the root of the ratio of two determinants.
            const float by = 0.5f * sum[4] / (ratio * determinant);
            of_xx += by * (raw_yy - ratio * cov_yy);
            of_yy += by * (raw_xx - ratio * cov_xx);
            of_xy += by * 2 * cov_xy * (ratio - 1);
        }

        float of_view[2][3] = {}, of_axes[3][3];  // of J W, and of R S
        for (int i = 0; i < 3; ++i) {
            const float of_b0 = 2 * of_xx * B[0][i] + of_xy * B[1][i];
            const float of_b1 = of_xy * B[0][i] + 2 * of_yy * B[1][i];
            float of_scale = 0.0f;
            for (int r = 0; r < 3; ++r) {
                const float of_axis = view[0][r] * of_b0 + view[1][r] * of_b1;
                of_view[0][r] += of_b0 * R[r][i] * s[i];
                of_view[1][r] += of_b1 * R[r][i] * s[i];
                of_scale += of_axis * R[r][i];
                of_axes[r][i] = of_axis * s[i];
            }
            of_scales.data[3 * (size_t)splat + i] = of_scale;
        }

        float of_j00 = 0, of_j02 = 0, of_j11 = 0, of_j12 = 0;
        for (int i = 0; i < 3; ++i) {
            of_j00 += of_view[0][i] * E[i];
            of_j02 += of_view[0][i] * E[8 + i];
            of_j11 += of_view[1][i] * E[4 + i];
            of_j12 += of_view[1][i] * E[8 + i];
        }
        // Of the slopes x / z and y / z: in the centre, and in J where they are not clamped.
        float of_slope_x = fx * of_x, of_slope_y = fy * of_y;
        if (u == slope_x)
            of_slope_x -= j00 * of_j02;
        if (v == slope_y)
            of_slope_y -= j11 * of_j12;
        const float of_X = of_slope_x * per_z, of_Y = of_slope_y * per_z;
        const float of_Z = sum[3] - (of_slope_x * slope_x + of_slope_y * slope_y
            + of_j00 * j00 + of_j02 * j02 + of_j11 * j11 + of_j12 * j12) * per_z;
        for (int i = 0; i < 3; ++i)
            of_centers.data[3 * (size_t)splat + i]
                = of_X * E[i] + of_Y * E[4 + i] + of_Z * E[8 + i];

        const auto& G = of_axes;
        const float of_w = 2 * (qx * (G[2][1] - G[1][2]) + qy * (G[0][2] - G[2][0])
            + qz * (G[1][0] - G[0][1]));
        const float of_i = 2 * (qw * (G[2][1] - G[1][2]) + qy * (G[0][1] + G[1][0])
            + qz * (G[0][2] + G[2][0]) - 2 * qx * (G[1][1] + G[2][2]));
        const float of_j = 2 * (qw * (G[0][2] - G[2][0]) + qx * (G[0][1] + G[1][0])
            + qz * (G[1][2] + G[2][1]) - 2 * qy * (G[0][0] + G[2][2]));
        const float of_k = 2 * (qw * (G[1][0] - G[0][1]) + qx * (G[0][2] + G[2][0])
            + qy * (G[1][2] + G[2][1]) - 2 * qz * (G[0][0] + G[1][1]));
        // What would lengthen the quaternion is lost as it is normalised.
        const float along = qw * of_w + qx * of_i + qy * of_j + qz * of_k;
        float* of_rotation = of_rotations.data + 4 * (size_t)splat;
        of_rotation[0] = (of_w - along * qw) / length;
        of_rotation[1] = (of_i - along * qx) / length;
        of_rotation[2] = (of_j - along * qy) / length;
        of_rotation[3] = (of_k - along * qz) / length;
    }
"""
).replace("ENTRY", str(ENTRY))


@kernel(FORWARD)
def splat_project(
    begin: int,
    end: int,
    centers: float32("splats", 3),
    scales: float32("splats", 3),
    rotations: float32("splats", 4),
    opacities: float32("splats"),
    colors: float32("splats", 3),
    world_to_camera: float32(12),
    fx: float,
    fy: float,
    cx: float,
    cy: float,
    low_x: float,
    high_x: float,
    low_y: float,
    high_y: float,
    near: float,
    smallest_ratio: float,
    antialiased: int,
    square: int,
    tiles_x: int,
    tiles_y: int,
    first_tile: int,
    records: float32("splats", RECORD),
    tiles: int32("splats", 4),
    counts: int32("splats"),
):
    """Project splats; find the tiles that hold theirs, and in how many of these they are seen."""


@kernel(LIST)
def splat_list(
    begin: int,
    end: int,
    order: int32("seen"),
    offsets: int64("seen + 1"),
    records: float32("splats", RECORD),
    tiles: int32("splats", 4),
    tiles_x: int,
    first_tile: int,
    entry_splats: int32("entries"),
    entry_tiles: int32("entries"),
):
    """List the tiles in which splats are seen, splat by splat in the given order."""


@kernel(BACKWARD)
def splat_project_backward(
    begin: int,
    end: int,
    order: int32("seen"),
    offsets: int64("seen + 1"),
    of_entries: float32("entries", ENTRY),
    centers: float32("splats", 3),
    scales: float32("splats", 3),
    rotations: float32("splats", 4),
    opacities: float32("splats"),
    world_to_camera: float32(12),
    fx: float,
    fy: float,
    low_x: float,
    high_x: float,
    low_y: float,
    high_y: float,
    smallest_ratio: float,
    antialiased: int,
    of_centers: float32("splats", 3),
    of_scales: float32("splats", 3),
    of_rotations: float32("splats", 4),
    of_opacities: float32("splats"),
    of_colors: float32("splats", 3),
    of_screen: float32("splats", 2),
    weights: float32("splats"),
):
    """Sum the gradients of a splat's entries, and find those of the splat."""
