"""Files: whole or not there when written, checked when read."""
