"""The page cache: dropped before a phase, and judged by what the kernel counted."""
