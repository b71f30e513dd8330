"""One attempt at a point: its processes on each host, and its rows."""
