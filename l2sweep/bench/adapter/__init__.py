"""LMCache behind our own shapes: the adapter, its three verbs, its log."""
