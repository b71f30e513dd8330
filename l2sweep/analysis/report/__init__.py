"""The report of sweeps: every number of the page, as data."""
