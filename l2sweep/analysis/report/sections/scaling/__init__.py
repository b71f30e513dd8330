"""The section Scaling: throughput against the number of clients, and where it stops growing."""
