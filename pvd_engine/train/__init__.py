"""A field from images."""
