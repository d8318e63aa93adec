"""Readers: files of a dataset -> Capture."""
