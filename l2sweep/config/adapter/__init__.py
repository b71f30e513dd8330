"""The adapter's spec, and what l2sweep knows of each adapter type."""
