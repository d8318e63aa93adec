"""The report of a conversion: what it came to, as JSON and as a page to read."""
