"""Tell how each phase run ended: its status, and why its rounds ended if their number was not fixed."""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from l2sweep.analysis.confirmation import what_load_found
from l2sweep.analysis.ended import (
    Measured,
    is_auto,
    known,
    phase_state,
    phase_status,
    process_of,
    requested_phases,
    requested_rounds,
)
from l2sweep.analysis.rounds.auto_rounds import AutoRounds, auto_rounds
from l2sweep.analysis.rounds.numbering import numbered
from l2sweep.analysis.rounds.phase_runs import ATTEMPT, PhaseRuns
from l2sweep.analysis.rounds.source import Integers, objects
from l2sweep.analysis.rounds.sums import Sums
from l2sweep.analysis.rounds.table import RoundTable

Row = Mapping[str, Any]


@dataclass(frozen=True)
class RunEnds:
    """The phase runs, and the processes of their attempts.

    Attributes:
        runs: The phase runs.
        sums: What is added up over the measured rounds of each.
        attempts: For each phase run, the number of its attempt.
        processes: The rows of ``points`` of each attempt, by its number; none if the runs are parts of
            attempts.
    """

    runs: PhaseRuns
    sums: Sums
    attempts: Integers
    processes: Mapping[int, Sequence[Row]]

    @classmethod
    def of(cls, runs: PhaseRuns, sums: Sums, points: Sequence[Row]) -> RunEnds:
        """Find the processes of some phase runs.

        Args:
            runs: The phase runs.
            sums: What is added up over the measured rounds of each.
            points: Rows of the data set ``points``.
        """
        rows = () if runs.is_split else points
        attempts = numbered(
            *(np.concatenate((runs.columns[name], objects([row[name] for row in rows]))) for name in ATTEMPT)
        )
        processes: dict[int, list[Row]] = defaultdict(list)
        for attempt, row in zip(attempts[len(runs) :].tolist(), rows, strict=True):
            processes[attempt].append(row)
        return cls(runs, sums, attempts[: len(runs)], dict(processes))

    def statuses(self) -> list[str]:
        """Return the state of each phase run. Without rows of ``points``, that of its measured rounds."""
        sums = self.sums
        enough = np.zeros(self.attempts.max(initial=-1) + 1)
        for attempt, own in self.processes.items():
            if attempt < len(enough):
                enough[attempt] = _rounds_of_all_phases(own)
        is_ok = (sums.ok_rounds == sums.rounds) & (sums.rounds >= enough[self.attempts])
        statuses = ["ok"] * len(self.runs)
        others = np.flatnonzero(~is_ok)
        measured = self._measured(set(self.attempts[others].tolist())) if len(others) else {}
        for run in others.tolist():
            statuses[run] = self._status(run, measured[self.attempts[run]])
        return statuses

    def ends(self, rounds: RoundTable) -> list[AutoRounds | None]:
        """Return for each phase run why its rounds ended; None if their number was fixed, or is not known.

        Args:
            rounds: All rows of the data set ``rounds``, with those of the warm-up.
        """
        processes = [row for own in self.processes.values() for row in own]
        has_open_warmup = any(known(row.get("warmup_auto")) for row in processes)
        if not has_open_warmup and not any(map(is_auto, processes)):
            return [None] * len(self.runs)
        warmups = _warmup_rounds(rounds) if has_open_warmup else Counter()
        columns = (self.runs.columns[name].tolist() for name in (*ATTEMPT, "phase"))
        ends = []
        for run, (*place, phase) in enumerate(zip(*columns, strict=True)):
            process = process_of(phase, self.processes.get(self.attempts[run], ()))
            number, warmup = self.sums.rounds[run].item(), warmups[*place, phase]
            ends.append(None if process is None else auto_rounds(phase, process, number, warmup))
        return ends

    def _measured(self, attempts: set[int]) -> Mapping[int, Mapping[str, Measured]]:
        """Return the numbers of measured rounds of some attempts, by phase."""
        found: dict[int, dict[str, Measured]] = defaultdict(dict)
        for run in np.flatnonzero(np.isin(self.attempts, list(attempts))).tolist():
            found[self.attempts[run].item()][self.runs.columns["phase"][run]] = self._measured_rounds(run)
        return found

    def _measured_rounds(self, run: int) -> Measured:
        sums = self.sums
        counts = (sums.rounds[run], sums.ok_rounds[run], sums.unconfirmed_rounds[run])
        return Measured(*(count.item() for count in counts))

    def _status(self, run: int, of_attempt: Mapping[str, Measured]) -> str:
        """Return the state of a phase run.

        Args:
            run: Its position.
            of_attempt: The measured rounds of its attempt, by phase.
        """
        phase, measured = self.runs.columns["phase"][run], self._measured_rounds(run)
        own = self.processes.get(self.attempts[run].item(), ())
        status, requested, is_limit = "ok", measured.rounds, False
        if any(process["status"] != "ok" for process in own):
            status = phase_status(phase, requested_phases(own[0]), of_attempt, own)
        if own:
            process = process_of(phase, own) or own[0]
            requested, is_limit = requested_rounds(phase, process, measured.rounds), is_auto(process)
        load_found = self._load_found(run) if measured.unconfirmed_rounds else None
        return phase_state(measured, requested, status, load_found, is_limit=is_limit)

    def _load_found(self, run: int) -> str | None:
        """Return what the load found in the unconfirmed rounds of a store; None if it has no rounds."""
        own = np.flatnonzero(self.attempts == self.attempts[run])
        rounds = self.runs.rounds.where(np.isin(self.runs.of_round, own))
        if not rounds.equal("phase", "load").any():
            return None
        names = ("phase", "round", "status", "is_warmup", "mismatched_keys")
        columns = [rounds.values(name).tolist() for name in names]
        return what_load_found(
            [dict(zip(names, values, strict=True)) for values in zip(*columns, strict=True)]
        )


def _rounds_of_all_phases(processes: Sequence[Row]) -> float:
    """Return a number of ok rounds with which every phase of an attempt is ok; infinite if there is none."""
    if any(row["status"] != "ok" or is_auto(row) for row in processes):
        return math.inf  # it depends on the phase
    return max(int(row["rounds"]) for row in processes)


def _warmup_rounds(rounds: RoundTable) -> Counter[tuple[Any, ...]]:
    """Return the number of warm-up rounds of each phase of an attempt."""
    warmups = rounds.where(rounds.values("is_warmup").astype(np.bool_))
    return Counter(zip(*(warmups.values(name).tolist() for name in (*ATTEMPT, "phase")), strict=True))
