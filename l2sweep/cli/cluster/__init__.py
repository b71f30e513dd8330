"""Several hosts from the command line: the workers, and the hosts of a sweep."""
