"""Ask the server of an adapter spec whether it can be used: before a sweep, and after rounds that failed."""

from l2sweep.sweep.checks.probe.probing import probe_problem

__all__ = ["probe_problem"]
