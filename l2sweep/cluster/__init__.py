"""Clients on several hosts: who takes part, and how the hosts meet."""
