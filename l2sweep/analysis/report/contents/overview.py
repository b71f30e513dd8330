"""Section 1: the verdict, and what was measured. The end of section 5: how to run it again."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True)
class Verdict:
    """The answer of the report.

    Attributes:
        sentence: The answer in a sentence. It says so if there is nothing to recommend, and why.
        reasons: Sentences that say how much, how sure, and what limits it: those of ``l2sweep tune``.
        compared: The answer of ``l2sweep compare`` in a sentence; None without a base.
        caveats: Why the answer may not hold, such as failed processes or a host that changed. Empty if
            nothing is known against it.
        certainty: How sure the answer is, and the numbers behind it, in sentences; empty if it has none.
    """

    sentence: str
    reasons: tuple[str, ...]
    compared: str | None
    caveats: tuple[str, ...]
    certainty: str = ""


@dataclass(frozen=True)
class Scope:
    """What was measured, when and where. Texts are as they were recorded: a page must escape them.

    Attributes:
        sweep_ids: The sweeps, oldest first.
        sweep_names: Their labels, without duplicates.
        base_ids: The sweeps of the base, oldest first; empty without a base.
        began: When the first process started, in UTC; None if that is not recorded.
        ended: When the last process ended, in UTC.
        wall_s: Seconds that the processes ran, all together.
        points: Number of points, repeats not counted.
        processes: Number of benchmark processes.
        rounds: Number of measured rounds.
        adapters: Names of the adapters, without controls.
        controls: Names of the controls that were measured (``fio``, ``control``, ``mock``).
        phases: The phases that were measured.
        cache_states: States of the page cache that were recorded in measured rounds.
        data_sizes_kb: Sizes of a key, in KiB, ascending.
        num_keys: Numbers of keys of a submit, ascending.
        in_flight: Numbers of submits in flight, ascending.
        models: Models whose chunks were moved.
        hosts: Host names.
        devices: Block devices below the data, with their file systems, such as ``nvme0n1 (ext4)``.
        releases: Releases of LMCache.
        l2sweep_versions: Versions of l2sweep that recorded the rows.
        where: The condition that the rows meet; None if there is none.
    """

    sweep_ids: tuple[str, ...]
    sweep_names: tuple[str, ...]
    base_ids: tuple[str, ...]
    began: datetime | None
    ended: datetime | None
    wall_s: float
    points: int
    processes: int
    rounds: int
    adapters: tuple[str, ...]
    controls: tuple[str, ...]
    phases: tuple[str, ...]
    cache_states: tuple[str, ...]
    data_sizes_kb: tuple[int, ...]
    num_keys: tuple[int, ...]
    in_flight: tuple[int, ...]
    models: tuple[str, ...]
    hosts: tuple[str, ...]
    devices: tuple[str, ...]
    releases: tuple[str, ...]
    l2sweep_versions: tuple[str, ...]
    where: str | None


@dataclass(frozen=True)
class RunAgain:
    """How to run a sweep again.

    Attributes:
        sweep_id: The sweep.
        command: A command line for a shell, without credentials; None if the sweep has no manifest that can
            be read.
        note: What to know before it is run again, such as credentials that were left out; empty if nothing.
    """

    sweep_id: str
    command: str | None
    note: str
