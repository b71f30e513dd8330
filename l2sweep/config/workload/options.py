"""The options that say how much a point moves, and in how many rounds: a number, or until they are enough."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Any, Literal

from pydantic import Field
from pydantic.dataclasses import dataclass

from l2sweep.bench.rounds.steadiness import DRIFT_WINDOW, SMALLEST_SAMPLE
from l2sweep.config.options import (
    MEASURED,
    MOST,
    MOST_IN_FLIGHT,
    MOST_ROUNDS,
    STORED,
    STRICT,
    Fraction,
    Seconds,
    point_option,
)

AUTO = "auto"
_MOST_AUTO_ROUNDS = 10_000  # the interval of the median of more rounds takes over 10 ms to compute
_PRECISION, _MAX_ROUNDS, _MAX_SECONDS, _MAX_WARMUP_ROUNDS = 0.05, 50, 120, 20

MeasuredRounds = Annotated[int, Field(ge=1, le=MOST_ROUNDS)] | Literal["auto"]
WarmupRounds = Annotated[int, Field(ge=0, le=MOST_ROUNDS)] | Literal["auto"]


@dataclass(frozen=True, kw_only=True, config=STRICT)
class WorkloadOptions:
    """What a point moves. Names and defaults are those of ``lmcache bench l2`` where it has the option."""

    num_keys: int = point_option(32, "keys in one submit", identity=STORED, ge=1, le=MOST)
    in_flight: int = point_option(
        1, "submits of a round that are in flight together", identity=STORED, ge=1, le=MOST_IN_FLIGHT
    )
    data_size_kb: int = point_option(256, "payload of a key", unit="KiB", identity=STORED, ge=1, le=MOST)
    rounds: MeasuredRounds = point_option(
        1, "measured rounds of each phase; auto: until the median duration is known", identity=STORED
    )
    precision: Annotated[float, Field(gt=0, le=1)] = point_option(
        _PRECISION, "rounds=auto: half-width of the median's 95% interval, as a share, to get below"
    )
    max_rounds: int = point_option(
        _MAX_ROUNDS, "rounds=auto: measured rounds at most", ge=SMALLEST_SAMPLE, le=_MOST_AUTO_ROUNDS
    )
    max_seconds: Seconds = point_option(
        _MAX_SECONDS, "rounds=auto: a phase starts no measured round after this time", unit="s"
    )
    warmup_rounds: WarmupRounds = point_option(
        1,
        "rounds before them, never part of a result; auto: until durations stop drifting",
        identity=STORED,
    )
    max_warmup_rounds: int = point_option(
        _MAX_WARMUP_ROUNDS,
        "warmup_rounds=auto: warm-up rounds at most",
        rare=True,
        ge=DRIFT_WINDOW,
        le=_MOST_AUTO_ROUNDS,
    )
    lookup_max_hit_rate: Fraction = point_option(
        0.0,
        "share of a lookup's keys that were stored; at the default every lookup misses",
        identity=MEASURED,
    )

    @property
    def round_limits(self) -> dict[str, Any]:
        """The fields of a workload that say how many rounds a phase runs."""
        is_auto, is_warmup_auto = self.rounds == AUTO, self.warmup_rounds == AUTO
        return {
            "rounds": self.max_rounds if is_auto else self.rounds,
            "precision": float(self.precision) if is_auto else None,
            "max_seconds": float(self.max_seconds) if is_auto else None,
            "warmup_rounds": self.max_warmup_rounds if is_warmup_auto else self.warmup_rounds,
            "warmup_auto": is_warmup_auto,
        }

    @property
    def rounds_stored(self) -> dict[str, Any]:
        """What says which keys a point can store: as many as the most rounds need."""
        return {name: self.round_limits[name] for name in ("rounds", "warmup_rounds")}

    @property
    def rounds_measured(self) -> dict[str, Any]:
        """What says which rounds are measured, where their number is open."""
        limits = {}
        if self.rounds == AUTO:
            limits = {
                "precision": float(self.precision),
                "max_rounds": self.max_rounds,
                "max_seconds": float(self.max_seconds),
            }
        if self.warmup_rounds == AUTO:
            limits["max_warmup_rounds"] = self.max_warmup_rounds
        return limits

    def round_contradictions(self, only: str | None) -> Iterator[str]:
        """Yield a sentence for each combination of these options that cannot be used.

        Args:
            only: The option with this name.
        """
        auto: dict[str, dict[str, float]] = {
            "rounds": {
                "precision": _PRECISION,
                "max_rounds": _MAX_ROUNDS,
                "max_seconds": _MAX_SECONDS,
            },
            "warmup_rounds": {"max_warmup_rounds": _MAX_WARMUP_ROUNDS},
        }
        for name, options in auto.items():
            if getattr(self, name) != AUTO:
                given = {option: getattr(self, option) for option in options}
                yield from (
                    f"{option}={value}: needs {name}=auto"
                    for option, value in given.items()
                    if value != options[option]
                )
            elif only == "store":
                yield (
                    f"{name}=auto: must be a number with only=store; {name}={self.round_limits[name]} stores "
                    f"what only=lookup or only=load with {name}=auto may use"
                )
