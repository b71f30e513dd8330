"""The commands beside a run: one module for each, with a click command named ``command``."""
