"""Panels, status lines and operators."""
