"""The verbs, one file each: what people and Blender ask for."""
