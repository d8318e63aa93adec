"""Axes of splat files, as matrices from Blender's axes."""

import numpy as np

BLENDER = np.eye(4)
"""Blender's own: z up. A file with them lies where the object is when Blender imports it."""

RIGHT_DOWN_FORWARD = np.array(
    [[1.0, 0.0, 0.0, 0.0], [0.0, 0.0, -1.0, 0.0], [0.0, 1.0, 0.0, 0.0], [0.0, 0.0, 0.0, 1.0]]
)
"""Those of 3DGS: x right, y down, z forward, as seen along Blender's y."""

AXES = {"BLENDER": BLENDER, "3DGS": RIGHT_DOWN_FORWARD}
"""Axes of a file that does not say which way they point, by their identifiers."""
