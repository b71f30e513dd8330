"""Many points: one process each, its messages, its deadline, its records."""
