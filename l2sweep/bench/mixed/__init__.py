"""Stores of new keys and loads of stored keys at the same time (``concurrent=true``)."""
