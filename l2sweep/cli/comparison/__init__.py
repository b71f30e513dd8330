"""Print a comparison of sweeps: as text, Markdown, JSON or JUnit XML."""
