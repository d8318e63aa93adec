"""A field from images; the loop that distillation shares."""
