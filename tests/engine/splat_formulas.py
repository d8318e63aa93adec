"""The picture of Gaussian splats by the formulas of the papers, in float64, one splat at a time."""

import numpy as np


def rotation_matrix(quaternion):
    w, x, y, z = quaternion / np.linalg.norm(quaternion)
    return np.array(
        [
            [1 - 2 * (y * y + z * z), 2 * (x * y - w * z), 2 * (x * z + w * y)],
            [2 * (x * y + w * z), 1 - 2 * (x * x + z * z), 2 * (y * z - w * x)],
            [2 * (x * z - w * y), 2 * (y * z + w * x), 1 - 2 * (x * x + y * y)],
        ]
    )


def on_screen(center, scale, rotation, opacity, camera, rules):
    """Centre, covariance, opacity and depth on the screen; None where a splat is not in front."""
    matrix = camera.world_to_camera.double().numpy()
    x, y, z = matrix[:, :3] @ center + matrix[:, 3]
    if z <= rules.near:
        return None
    half_x, half_y = camera.width / 2 / camera.fx, camera.height / 2 / camera.fy
    shift_x, shift_y = camera.cx / camera.fx - half_x, camera.cy / camera.fy - half_y
    u = np.clip(x / z, -1.3 * half_x - shift_x, 1.3 * half_x - shift_x)
    v = np.clip(y / z, -1.3 * half_y - shift_y, 1.3 * half_y - shift_y)
    derivative = np.array(
        [[camera.fx / z, 0, -camera.fx * u / z], [0, camera.fy / z, -camera.fy * v / z]]
    )
    turn = rotation_matrix(rotation)
    covariance = turn @ np.diag(scale**2) @ turn.T
    view = derivative @ matrix[:, :3]
    small = view @ covariance @ view.T
    wide = small + 0.3 * np.eye(2)
    if rules.antialiased:
        ratio = np.linalg.det(small) / np.linalg.det(wide)
        opacity = opacity * np.sqrt(max(ratio, rules.smallest_ratio))
    center = np.array([camera.fx * x / z + camera.cx, camera.fy * y / z + camera.cy])
    return center, wide, opacity, z


def opacity_in_pixels(center, covariance, opacity, camera, rules):
    """Opacity (H, W) of a splat, before what is too faint is left out."""
    rows, columns = np.mgrid[: camera.height, : camera.width] + 0.5
    offset = np.stack((columns - center[0], rows - center[1]), axis=-1)
    square = np.einsum("hwi,ij,hwj->hw", offset, np.linalg.inv(covariance), offset)
    return np.minimum(rules.most_opaque, opacity * np.exp(-square / 2))


def in_square(center, covariance, camera):
    """Pixels (H, W) of the 16-pixel tiles that INRIA's program draws a splat in."""
    middle, determinant = np.trace(covariance) / 2, np.linalg.det(covariance)
    largest = middle + np.sqrt(max(0.1, middle**2 - determinant))
    radius = int(np.ceil(3 * np.sqrt(largest)))
    counted = center - 0.5  # from the centre of the first pixel
    low = np.floor((counted - radius) / 16) * 16
    high = np.floor((counted + radius + 15) / 16) * 16
    rows, columns = np.mgrid[: camera.height, : camera.width]
    across = (low[0] <= columns) & (columns < high[0])
    return across & (low[1] <= rows) & (rows < high[1])


def picture(centers, scales, rotations, opacities, colors, camera, rules):
    """Channels (H, W, 5) of a cloud: premultiplied colour, alpha, and depth times alpha."""
    splats = [x.detach().double().numpy() for x in (centers, scales, rotations, opacities, colors)]
    seen = []
    for *shape, color in zip(*splats, strict=True):
        found = on_screen(*shape, camera, rules)
        if found is not None:
            seen.append((*found, color))
    channels = np.zeros((camera.height, camera.width, 5))
    light = np.ones((camera.height, camera.width))
    going = np.ones((camera.height, camera.width), dtype=bool)
    for center, covariance, opacity, depth, color in sorted(seen, key=lambda splat: splat[3]):
        alpha = opacity_in_pixels(center, covariance, opacity, camera, rules)
        drawn = going & (alpha >= 1 / 255)
        if rules.square:
            drawn &= in_square(center, covariance, camera)
        ends = drawn & (light * (1 - alpha) < 1e-4)
        going &= ~ends
        alpha = np.where(drawn & ~ends, alpha, 0)
        channels += (light * alpha)[..., None] * np.array([*color, 1, depth])
        light *= 1 - alpha
    return channels
