"""Compute results from recorded rows: statistics, the objective of a search, the summary of a night."""
