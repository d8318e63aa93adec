"""Images of captures: their size and their masks."""

MAX_DOWNSCALE = 64
"""Largest divisor of the sides of images."""

MAX_STOPS = 20
"""Largest exposure of linear light, in stops up or down."""
