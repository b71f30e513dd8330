"""Keys, their payload, and the memory that holds it."""
