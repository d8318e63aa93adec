"""Lenses, rays, maps of space and the occupancy grid."""
