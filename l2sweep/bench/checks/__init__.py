"""Checks that an adapter did what it reports. They run outside the clock."""
