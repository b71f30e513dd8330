"""The options of a recorded trace, which a point replays instead of rounds."""

from __future__ import annotations

import functools
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field
from pydantic.dataclasses import dataclass

from l2sweep.bench.trace.reading import read_trace
from l2sweep.bench.trace.requests import Trace, TraceReplay, planned_seconds
from l2sweep.config.options import A_PATH, MOST_ROUNDS, STRICT, PathText, options_of, point_option
from l2sweep.config.workload.options import WorkloadOptions
from l2sweep.errors import shown

TRACE = "trace"
_MOST_SPEED = 1_000_000

Speed = Annotated[float, Field(gt=0, le=_MOST_SPEED)] | Literal["max"]


@dataclass(frozen=True, kw_only=True, config=STRICT)
class TraceOptions(WorkloadOptions):
    """What a point moves: rounds of equal submits, or the operations of a trace."""

    workload: Literal["rounds", "trace"] = point_option(
        "rounds", "rounds, or trace: replay the L2 operations of a recorded trace (docs/trace.md)"
    )
    trace: PathText | None = point_option(
        None,
        "workload=trace: the file, of lmcache trace or Mooncake's JSONL",
        allowed=f"{A_PATH}, or null",
    )
    trace_speed: Speed = point_option(
        1.0, "workload=trace: recorded seconds that pass in one second; max: without pauses"
    )

    @property
    def is_trace(self) -> bool:
        """Whether the point replays a trace."""
        return self.workload == TRACE

    @property
    def replay_speed(self) -> float | None:
        """Recorded seconds that are replayed in one second; None: as fast as possible."""
        return None if isinstance(self.trace_speed, str) else float(self.trace_speed)

    @property
    def recorded(self) -> Trace | None:
        """The trace, which is read once; None for rounds.

        Raises:
            OSError: It cannot be read.
            ValueError: It is no trace.
        """
        return self._read[0] if self.is_trace else None

    @property
    def replay(self) -> TraceReplay | None:
        """What a benchmark process needs to know of the trace; None for rounds.

        Raises:
            OSError: It cannot be read.
            ValueError: It is no trace.
        """
        if not self.is_trace:
            return None
        trace, sha256 = self._read
        return TraceReplay(str(self._path), sha256, self.replay_speed, trace.num_keys)

    @property
    def round_limits(self) -> dict[str, Any]:
        """The fields of a workload that say how many rounds, or seconds of a trace, a phase runs."""
        if (trace := self.recorded) is None:
            return super().round_limits
        seconds = planned_seconds(trace.duration_s, self.replay_speed)
        unused = {"precision": None, "max_seconds": None, "warmup_auto": False}
        return {"rounds": seconds, "warmup_rounds": 0, **unused}

    @property
    def trace_identity(self) -> dict[str, Any]:
        """What is measured with a trace: its content, and the speed; empty for rounds."""
        replay = self.replay
        return {} if replay is None else {"trace": replay.sha256, "trace_speed": replay.speed}

    @property
    def trace_columns(self) -> dict[str, Any]:
        """The columns ``trace`` and ``trace_speed`` of the records: the file and its SHA-256."""
        replay = self.replay
        if replay is None:
            return {"trace": None, "trace_speed": None}
        return {"trace": f"{Path(replay.path).name} {replay.sha256[:12]}", "trace_speed": replay.speed}

    def trace_contradictions(self) -> Iterator[str]:
        """Yield a sentence for each of these options that cannot be used, and for an unreadable trace."""
        if not self.is_trace:
            if self.trace is not None:
                yield f"trace={shown(self.trace)}: needs workload=trace"
            if self.trace_speed != 1.0:
                yield f"trace_speed={shown(self.trace_speed)}: needs workload=trace"
            return
        defaults = {one.name: one.default for one in options_of(WorkloadOptions)}
        for name in ("rounds", "warmup_rounds", "lookup_max_hit_rate"):
            if (value := getattr(self, name)) != defaults[name]:
                yield f"{name}={shown(value)}: must be left out with workload=trace, which has no rounds"
        if self.trace is None:
            yield "trace=null: must be the path of a recorded trace with workload=trace"
            return
        try:
            duration_s = self._read[0].duration_s
            if self.replay_speed is not None and duration_s / self.replay_speed >= MOST_ROUNDS:
                yield (
                    f"trace_speed={shown(self.trace_speed)}: must replay the {duration_s:g} s of "
                    f"trace={shown(self.trace)} in less than {MOST_ROUNDS} s"
                )
        except OSError as error:
            yield f"trace={shown(self.trace)}: cannot be read: {error.strerror}"
        except ValueError as error:
            yield f"trace={shown(self.trace)}: {shown(error)}"

    @property
    def _path(self) -> Path:
        assert self.trace is not None
        return Path(self.trace).expanduser().absolute()

    @functools.cached_property
    def _read(self) -> tuple[Trace, str]:
        status = self._path.stat()
        return _read_once(self._path, status.st_mtime_ns, status.st_size)


@functools.lru_cache(maxsize=8)
def _read_once(path: Path, changed_ns: int, num_bytes: int) -> tuple[Trace, str]:
    """Read a trace once for all points of a sweep, as long as the file does not change."""
    return read_trace(path)
