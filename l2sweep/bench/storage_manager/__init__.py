"""LMCache's ``StorageManager`` in the place of an adapter: L1, its controllers, and the serde above L2."""
