"""A field from a field: Progressive Volume Distillation."""
