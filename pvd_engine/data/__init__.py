"""Captures: formats, cameras, images, writers."""
