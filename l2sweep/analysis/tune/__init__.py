"""Which setting is best, and whether the device or LMCache limits it."""
