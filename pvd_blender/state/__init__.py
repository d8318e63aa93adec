"""State that is kept in Blender: properties, settings, presets, paths."""
