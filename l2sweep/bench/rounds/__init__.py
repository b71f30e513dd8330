"""How many rounds a phase runs."""
