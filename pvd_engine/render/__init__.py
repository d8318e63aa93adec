"""Pictures of any field."""

from .. import edit  # noqa: F401, lets edited and merged fields be loaded
