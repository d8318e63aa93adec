"""A Blender scene as a dataset."""
