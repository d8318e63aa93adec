"""Files: written completely or not at all, checked when read."""
