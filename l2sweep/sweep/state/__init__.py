"""The files of a sweep that outlive its process: manifest, journals and locks."""
