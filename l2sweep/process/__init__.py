"""Start, supervise, limit and end one benchmark process."""
