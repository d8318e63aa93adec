"""Convert Field: train, edit and convert radiance fields inside Blender.

Scripts use `api`; panels and operators are thin over it.
"""

from .registration import register, unregister

__all__ = ["register", "unregister"]
