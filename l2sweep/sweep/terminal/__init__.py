"""What a person sees of a sweep: console, progress, plan table, point report, result table."""
