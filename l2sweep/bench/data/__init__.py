"""Keys, their payload, and the memory of the payload."""
