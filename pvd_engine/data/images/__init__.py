"""Images of captures: their size and their masks."""

MAX_DOWNSCALE = 64
"""Largest divisor of the sides of images."""
