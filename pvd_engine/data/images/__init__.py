"""Images of captures: their size and their masks."""
