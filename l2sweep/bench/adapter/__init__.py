"""Access to LMCache: adapter specs, adapters, their three verbs, and LMCache's log."""
