"""The theory of the control adapter, and the error of what was measured against it.

The control has ``servers`` servers with one queue, and each request takes a fixed service time. A round of
``in_flight`` requests that arrive together is served in batches of ``servers``. If a submit blocks until its
request completes, the requests are served one after another.
"""

from __future__ import annotations

import json
import math
import statistics
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pandas as pd

CONTROL = "control"
"""Name of the control adapter in tables. LMCache knows it by the type ``plugin``."""
CONTROL_MODULE = "l2sweep.bench.control.adapter"
"""The field ``module_path`` in the spec of the control adapter."""
# Nights before the control adapter measured mock as a control.
CONTROLS = {"fio": "disk", CONTROL: "harness", "mock": "harness"}
"""The adapters that are measured as controls, and what a change of each of them tells of: disk or harness."""


@dataclass(frozen=True)
class ControlTheory:
    """The times of the control adapter according to theory.

    Attributes:
        servers: Number of servers.
        service_s: Service time of a request.
        synchronous: Whether a submit blocks until its request completes.
    """

    servers: int
    service_s: float
    synchronous: bool = False

    @classmethod
    def of(cls, spec: Mapping[str, Any]) -> ControlTheory:
        """Return the theory of a spec of the control adapter.

        Args:
            spec: The adapter spec.

        Raises:
            KeyError: The spec is not one of the control adapter.
        """
        params = spec["adapter_params"]
        return cls(params["servers"], params["service_ms"] / 1000, params.get("synchronous", False))

    def duration_s(self, in_flight: int) -> float:
        """Return the duration of a round.

        Args:
            in_flight: Number of submits in the round.
        """
        return self.service_s * (in_flight if self.synchronous else math.ceil(in_flight / self.servers))

    def latency_s(self, position: int) -> float:
        """Return the time from a submit to its completion. All submits of the round arrive together.

        Args:
            position: Position of the submit in its round, from 0.
        """
        return self.service_s * (1 if self.synchronous else math.ceil((position + 1) / self.servers))


def adapter_name(spec: Mapping[str, Any]) -> str:
    """Return the type of an adapter, and ``control`` for the control adapter.

    Args:
        spec: The adapter spec.
    """
    return CONTROL if spec.get("module_path") == CONTROL_MODULE else str(spec.get("type"))


def adapter_name_of_row(row: Mapping[str, Any]) -> str:
    """Return the column ``adapter_type`` of a row, and ``control`` where the control adapter was measured.

    Args:
        row: A row of ``rounds`` or ``points``.
    """
    is_control = adapter_name(json.loads(row["adapter_spec"])) == CONTROL
    return CONTROL if is_control else str(row["adapter_type"])


def with_adapter_names(rows: pd.DataFrame) -> pd.DataFrame:
    """Return rows whose column ``adapter_type`` is ``control`` where the control adapter was measured.

    Args:
        rows: Rows of ``rounds`` or ``points``.
    """
    is_control = (rows["adapter_type"] == "plugin") & rows["adapter_spec"].str.contains(
        CONTROL_MODULE, regex=False, na=False
    )
    return rows.assign(adapter_type=rows["adapter_type"].mask(is_control, CONTROL))


def error_percent(rounds: pd.DataFrame) -> float:
    """Return the error of measured durations against theory: the median of ``|measured / theory - 1|``.

    Args:
        rounds: Rows of rounds of the control adapter, at least one, each with a duration.

    Returns:
        The error in percent.
    """
    errors = [
        abs(duration_s / ControlTheory.of(json.loads(spec)).duration_s(in_flight) - 1)
        for spec, in_flight, duration_s in zip(
            rounds["adapter_spec"], rounds["in_flight"], rounds["duration_s"], strict=True
        )
    ]
    return 100 * float(statistics.median(errors))
