"""A field's density as a Volume object, and back."""
