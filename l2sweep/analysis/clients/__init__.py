"""Rows of several clients: merged into those of a point, and compared with each other."""
