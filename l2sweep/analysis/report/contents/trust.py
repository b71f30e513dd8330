"""Section 2: can it be trusted?"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

CheckState = Literal["good", "warning", "bad", "unknown"]


@dataclass(frozen=True)
class Check:
    """The answer to one question about the measurement.

    Attributes:
        name: ``coldness``, ``verification``, ``failures``, ``controls``, ``drift`` or ``environment``.
        title: The name as a heading.
        state: ``good``: nothing speaks against the numbers. ``warning``: a reader must know it. ``bad``: some
            numbers are missing or wrong. ``unknown``: it was not measured.
        sentence: The answer in a sentence, with its numbers.
        details: More sentences; may be empty.
    """

    name: str
    title: str
    state: CheckState
    sentence: str
    details: tuple[str, ...] = ()


@dataclass(frozen=True)
class CacheStateCount:
    """How many processes ran a phase in a state of the page cache.

    Attributes:
        phase: load or lookup.
        cache_state: The state: ``cold``, ``bypassed``, ``warm``, ``claimed``, ``uncontrolled``; states that
            differ between the rounds of a process are joined by ``/``; None if there is no state.
        processes: Number of processes.
        rounds: Number of their measured rounds.
    """

    phase: str
    cache_state: str | None
    processes: int
    rounds: int


@dataclass(frozen=True)
class Verified:
    """What was checked of the keys in measured rounds.

    Attributes:
        loaded_keys: Keys that loads moved.
        verified_keys: Loaded keys of which every byte was compared.
        sampled_keys: Loaded keys of which words in each page were compared.
        mismatched_keys: Loaded keys with wrong bytes.
        looked_up_keys: Keys that lookups asked for.
        false_hits: Keys that were found although they were not stored.
        false_misses: Keys that were not found although they were stored.
    """

    loaded_keys: int
    verified_keys: int
    sampled_keys: int
    mismatched_keys: int
    looked_up_keys: int
    false_hits: int
    false_misses: int


@dataclass(frozen=True)
class HarnessFloor:
    """What a control of the harness measured: the shortest duration that l2sweep can tell.

    Attributes:
        adapter: ``mock`` or ``control``.
        phase: The phase.
        num_keys: Keys of a submit.
        in_flight: Submits of a round.
        data_size_kb: Size of a key, in KiB.
        median_s: Median duration of a round.
        median_low_s: Lower end of its 95% interval; None with fewer than 6 processes.
        median_high_s: Upper end.
    """

    adapter: str
    phase: str
    num_keys: int
    in_flight: int
    data_size_kb: int
    median_s: float
    median_low_s: float | None
    median_high_s: float | None


@dataclass(frozen=True)
class EnvironmentValue:
    """A property of the environment.

    Attributes:
        name: What it is, such as ``kernel``.
        values: Its values among the processes, sorted. Several values are a difference within the sweeps.
        base_values: Its values in the base, where they differ; empty without a base, and where they are the
            same.
    """

    name: str
    values: tuple[str, ...]
    base_values: tuple[str, ...] = ()


@dataclass(frozen=True)
class Trust:
    """Whether the numbers can be trusted.

    Attributes:
        checks: The questions with their answers, in the order of the page.
        cache_states: States of the page cache by phase.
        verified: What was checked of the keys.
        floor: What the controls of the harness measured; empty if none was measured.
        control_error_percent: Error of the control adapter against its theory: the median of
            ``|measured / theory - 1|``, in percent; None if it was not measured.
    """

    checks: tuple[Check, ...]
    cache_states: tuple[CacheStateCount, ...]
    verified: Verified
    floor: tuple[HarnessFloor, ...]
    control_error_percent: float | None
