"""Read the files of the data sets as Arrow tables, without importing pandas."""
