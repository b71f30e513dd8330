"""The terminal output of a sweep: progress, plan, reports and tables."""
