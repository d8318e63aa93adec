"""Gaussian splats: a cloud as a value, its `.ply`, and Blender's own splat objects."""
