"""Recorded traces: read them, and replay their L2 operations at the recorded pace."""
