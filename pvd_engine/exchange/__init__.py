"""Fields in the formats of other programs."""
