"""Gaussian splats in the files of other programs, one file a format."""
