"""Ask the server of an adapter spec, before a sweep, whether it answers and accepts the credentials."""

from l2sweep.sweep.checks.probe.probing import probe_problem

__all__ = ["probe_problem"]
