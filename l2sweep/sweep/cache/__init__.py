"""The page cache: drop it before a phase, and prove that the phase was cold."""
