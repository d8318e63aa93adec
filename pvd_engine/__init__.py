"""Train, edit, convert and render radiance fields."""

__version__ = "0.1.0"

PROTOCOL_VERSION = 1
"""Version of the job folder and event protocol; the add-on refuses an engine with another."""
