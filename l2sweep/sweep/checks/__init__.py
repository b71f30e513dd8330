"""Checks before anything runs: requests that are refused and points that are skipped."""
