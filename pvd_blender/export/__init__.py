"""The export of a Blender scene as a dataset."""
