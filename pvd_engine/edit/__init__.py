"""Edited and merged fields: regions, masks, placements.

Importing this package lets field files hold edited and merged fields.
"""

from ..fields.state import register_kind
from . import edited_field, merged_field

register_kind(edited_field.KIND)
register_kind(merged_field.KIND)
