"""A field from images; the optimisation loop, which distillation uses too."""
