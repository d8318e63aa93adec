"""Rays, occupancy, marching and compositing: fields -> pictures."""
