"""The control: an adapter of LMCache whose durations and latencies follow exactly from theory."""
