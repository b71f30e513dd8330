"""Upload what a sweep records into the object store that ``results_dir`` names."""
