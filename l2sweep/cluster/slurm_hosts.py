"""The list of hosts that Slurm puts into the environment of a task.

It is expanded here and not by ``scontrol show hostnames``, because a container on a node of Slurm usually has
no ``scontrol``.
"""

from __future__ import annotations

import itertools
import math
import re

from l2sweep.errors import RequestError, shown

_MOST_HOSTS = 100_000
# An expression such as rack[1-2]node[01-03,7]-ib: text and ranges in turn.
_ONE = re.compile(r"(?:[A-Za-z0-9._-]+|\[[0-9,-]+\])+")
_PARTS = re.compile(r"\[(?P<ranges>[0-9,-]+)\]|(?P<text>[^\[\]]+)")
_RANGE = re.compile(r"(?P<first>[0-9]{1,9})(?:-(?P<last>[0-9]{1,9}))?")
_COMMA_OUTSIDE_BRACKETS = re.compile(r",(?![^\[]*\])")


def expand_hosts(expression: str) -> list[str]:
    """Return the hosts that a host list expression of Slurm means, in its order.

    Source: scontrol(1), ``show hostnames``. A number keeps the leading zeros of the first one of its range.

    Args:
        expression: Such as ``node[01-03,7],login``, from ``SLURM_STEP_NODELIST``.

    Raises:
        RequestError: It is not such an expression, or means more than 100,000 hosts.
    """
    hosts: list[str] = []
    for one in _COMMA_OUTSIDE_BRACKETS.split(expression):
        if not _ONE.fullmatch(one):
            raise _wrong(expression)
        choices = [_choices(part, expression) for part in _PARTS.finditer(one)]
        if len(hosts) + math.prod(map(len, choices)) > _MOST_HOSTS:
            raise RequestError([f"{shown(expression)}: must be at most {_MOST_HOSTS} hosts"])
        hosts += ["".join(parts) for parts in itertools.product(*choices)]
    return hosts


def _choices(part: re.Match[str], expression: str) -> list[str]:
    """Return what one part of an expression stands for: itself, or each number of its ranges."""
    if part["ranges"] is None:
        return [part["text"]]
    numbers: list[str] = []
    for one in part["ranges"].split(","):
        found = _RANGE.fullmatch(one)
        if found is None:
            raise _wrong(expression)
        first, last = int(found["first"]), int(found["last"] or found["first"])
        if not first <= last < first + _MOST_HOSTS:
            raise _wrong(expression)
        numbers += [str(number).zfill(len(found["first"])) for number in range(first, last + 1)]
    return numbers


def _wrong(expression: str) -> RequestError:
    return RequestError([f"{shown(expression)}: must be a list of hosts such as node[01-03,7],login"])
