"""How much a point moves, and how often."""
