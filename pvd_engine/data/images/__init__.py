"""Images of captures: their size and their masks."""

MAX_DOWNSCALE = 64
"""The largest number that the sides of images are divided by."""
