"""Parquet data sets: their columns and files, and how they are written, read and pruned."""
