"""Radiance fields: encoders (block 1), decoders (block 2), presets, storage."""
