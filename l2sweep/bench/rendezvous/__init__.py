"""Let the clients of a point start each round together: a barrier between processes."""
