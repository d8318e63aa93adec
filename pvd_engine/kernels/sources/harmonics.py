"""Warp source of the colours of splats by spherical harmonics; work items are splats."""

# Annotations are values here, unknown to type checkers.
# pyright: reportInvalidTypeForm=false, reportCallIssue=false

from ..declare import Size, float32, kernel

HARMONICS = """
    for (int splat = begin; splat < end; ++splat) {
        const float* center = centers.data + 3 * (size_t)splat;
        const float way_x = center[0] - eye.data[0], way_y = center[1] - eye.data[1];
        const float way_z = center[2] - eye.data[2];
        const float length = wp::max(
            wp::sqrt(way_x * way_x + way_y * way_y + way_z * way_z), 1e-12f);
        const float x = way_x / length, y = way_y / length, z = way_z / length;
        const float xx = x * x, yy = y * y, zz = z * z, xy = x * y, yz = y * z, xz = x * z;
        const float across = xx + yy, apart = xx - yy, in_x = xx - 3 * yy, in_y = 3 * xx - yy;
        float basis[25];
        basis[0] = 0.28209479177387814f;
        if (count > 1) {
            basis[1] = -0.4886025119029199f * y;
            basis[2] = 0.4886025119029199f * z;
            basis[3] = -0.4886025119029199f * x;
        }
        if (count > 4) {
            basis[4] = 1.0925484305920792f * xy;
            basis[5] = -1.0925484305920792f * yz;
            basis[6] = 0.31539156525252005f * (2 * zz - across);
            basis[7] = -1.0925484305920792f * xz;
            basis[8] = 0.5462742152960396f * apart;
        }
        if (count > 9) {
            basis[9] = -0.5900435899266435f * y * in_y;
            basis[10] = 2.890611442640554f * xy * z;
            basis[11] = -0.4570457994644658f * y * (4 * zz - across);
            basis[12] = 0.3731763325901154f * z * (2 * zz - 3 * across);
            basis[13] = -0.4570457994644658f * x * (4 * zz - across);
            basis[14] = 1.445305721320277f * z * apart;
            basis[15] = -0.5900435899266435f * x * in_x;
        }
        if (count > 16) {
            basis[16] = 2.5033429417967046f * xy * apart;
            basis[17] = -1.7701307697799304f * yz * in_y;
            basis[18] = 0.9461746957575601f * xy * (6 * zz - across);
            basis[19] = -0.6690465435572892f * yz * (4 * zz - 3 * across);
            basis[20] = 0.10578554691520431f
                * (8 * zz * zz - 24 * zz * across + 3 * across * across);
            basis[21] = -0.6690465435572892f * xz * (4 * zz - 3 * across);
            basis[22] = 0.47308734787878004f * apart * (6 * zz - across);
            basis[23] = -1.7701307697799304f * xz * in_x;
            basis[24] = 0.6258357354491761f * (xx * in_x - yy * in_y);
        }
        const float* rows = coefficients.data + 3 * (size_t)count * splat;
"""
"""The harmonics of the direction to a splat, as in `kernels.harmonics`."""

FORWARD = (
    HARMONICS
    + """
        float r = 0.5f, g = 0.5f, b = 0.5f;
        for (int k = 0; k < count; ++k) {
            r += basis[k] * rows[3 * k];
            g += basis[k] * rows[3 * k + 1];
            b += basis[k] * rows[3 * k + 2];
        }
        colors.data[3 * (size_t)splat] = wp::max(r, 0.0f);
        colors.data[3 * (size_t)splat + 1] = wp::max(g, 0.0f);
        colors.data[3 * (size_t)splat + 2] = wp::max(b, 0.0f);
    }
"""
)

BACKWARD = (
    HARMONICS
    + """
        const float* color = colors.data + 3 * (size_t)splat;
        const float* of_color = of_colors.data + 3 * (size_t)splat;
        float* of_rows = of_coefficients.data + 3 * (size_t)count * splat;
        // A colour that is cut at zero has no gradient.
        const float r = color[0] > 0 ? of_color[0] : 0.0f;
        const float g = color[1] > 0 ? of_color[1] : 0.0f;
        const float b = color[2] > 0 ? of_color[2] : 0.0f;
        float v[25];  // gradient of each harmonic
        for (int k = 0; k < count; ++k) {
            of_rows[3 * k] = basis[k] * r;
            of_rows[3 * k + 1] = basis[k] * g;
            of_rows[3 * k + 2] = basis[k] * b;
            v[k] = rows[3 * k] * r + rows[3 * k + 1] * g + rows[3 * k + 2] * b;
        }
        float of_x = 0.0f, of_y = 0.0f, of_z = 0.0f;
        auto add = [&](float factor, float by_x, float by_y, float by_z) {
            of_x += factor * by_x;
            of_y += factor * by_y;
            of_z += factor * by_z;
        };
        if (count > 1)
            add(0.4886025119029199f, -v[3], -v[1], v[2]);
        if (count > 4) {
            add(1.0925484305920792f, v[4] * y - v[7] * z, v[4] * x - v[5] * z,
                -v[5] * y - v[7] * x);
            add(0.31539156525252005f * v[6], -2 * x, -2 * y, 4 * z);
            add(0.5462742152960396f * v[8], 2 * x, -2 * y, 0);
        }
        if (count > 9) {
            add(-0.5900435899266435f * v[9], 6 * xy, 3 * apart, 0);
            add(2.890611442640554f * v[10], yz, xz, xy);
            add(-0.4570457994644658f * v[11], -2 * xy, 4 * zz - xx - 3 * yy, 8 * yz);
            add(0.3731763325901154f * v[12], -6 * xz, -6 * yz, 6 * zz - 3 * across);
            add(-0.4570457994644658f * v[13], 4 * zz - 3 * xx - yy, -2 * xy, 8 * xz);
            add(1.445305721320277f * v[14], 2 * xz, -2 * yz, apart);
            add(-0.5900435899266435f * v[15], 3 * apart, -6 * xy, 0);
        }
        if (count > 16) {
            const float xyz = xy * z, down = 4 * zz - 3 * across;
            add(2.5033429417967046f * v[16], y * in_y, x * in_x, 0);
            add(-1.7701307697799304f * v[17], 6 * xyz, 3 * z * apart, y * in_y);
            add(0.9461746957575601f * v[18], y * (6 * zz - 3 * xx - yy),
                x * (6 * zz - xx - 3 * yy), 12 * xyz);
            add(-0.6690465435572892f * v[19], -6 * xyz, z * (down - 6 * yy), y * (down + 8 * zz));
            add(0.10578554691520431f * v[20], x * (12 * across - 48 * zz),
                y * (12 * across - 48 * zz), z * (32 * zz - 48 * across));
            add(-0.6690465435572892f * v[21], z * (down - 6 * xx), -6 * xyz, x * (down + 8 * zz));
            add(0.47308734787878004f * v[22], x * (12 * zz - 4 * xx), y * (4 * yy - 12 * zz),
                12 * z * apart);
            add(-1.7701307697799304f * v[23], 3 * z * apart, -6 * xyz, x * in_x);
            add(0.6258357354491761f * v[24], 4 * x * in_x, -4 * y * in_y, 0);
        }
        // What would lengthen the direction is lost as it is normalised.
        const float along = of_x * x + of_y * y + of_z * z;
        of_centers.data[3 * (size_t)splat] = (of_x - along * x) / length;
        of_centers.data[3 * (size_t)splat + 1] = (of_y - along * y) / length;
        of_centers.data[3 * (size_t)splat + 2] = (of_z - along * z) / length;
    }
"""
)


@kernel(FORWARD)
def sh_colors_forward(
    begin: int,
    end: int,
    count: Size,
    coefficients: float32("splats", "count", 3),
    centers: float32("splats", 3),
    eye: float32(3),
    colors: float32("splats", 3),
):
    """Compute the colours of splats."""


@kernel(BACKWARD)
def sh_colors_backward(
    begin: int,
    end: int,
    count: Size,
    coefficients: float32("splats", "count", 3),
    centers: float32("splats", 3),
    eye: float32(3),
    colors: float32("splats", 3),
    of_colors: float32("splats", 3),
    of_coefficients: float32("splats", "count", 3),
    of_centers: float32("splats", 3),
):
    """Compute the gradients of coefficients and centres."""
