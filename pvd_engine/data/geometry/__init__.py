"""Geometry of captures: lenses, poses, boxes, points."""
