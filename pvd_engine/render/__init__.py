"""Rays, occupancy, marching and compositing: fields of every kind -> pictures."""

from .. import edit  # noqa: F401, lets edited and merged fields be loaded
