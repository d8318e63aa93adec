"""Radiance fields: encoders, decoders, field files."""
