"""The Parquet data sets: what a row holds, how a file gets there, how it is read again."""
