"""The benchmarks that a process can run: an adapter of LMCache, or fio as a control."""
