"""Edited fields: regions, masks."""
