"""The steps of an examination: what each of them saw, judged from the reports of the benchmark processes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from l2sweep.bench.messages import RoundMeasured
from l2sweep.process.report import ProcessReport

OK, FAILED, NOT_POSSIBLE = "ok", "failed", "not possible"
PROBE, STORE, LOOKUP, LOAD = "probe", "store", "lookup", "load"
OTHER_LOOKUP, DIRECT, DELETE = "lookup by another process", "O_DIRECT", "delete"
STEPS = (PROBE, STORE, LOOKUP, LOAD, DIRECT, OTHER_LOOKUP, DELETE)
"""The names of all steps, in their order."""

_NOTHING_STORED = "nothing was stored"


@dataclass(frozen=True)
class Step:
    """One step of an examination.

    Attributes:
        name: One of ``STEPS``.
        outcome: ``ok``, ``failed``, or ``not possible``.
        seen: What was seen, why it failed, or why it is not possible.
    """

    name: str
    outcome: str
    seen: str


@dataclass(frozen=True)
class Diagnosis:
    """The result of an examination.

    Attributes:
        adapter: Name of the adapter.
        steps: The steps.
    """

    adapter: str
    steps: Sequence[Step]

    @property
    def failed(self) -> list[Step]:
        """The steps that failed."""
        return [step for step in self.steps if step.outcome == FAILED]

    @property
    def exit_code(self) -> int:
        """0 if no step failed, 1 if one did."""
        return 1 if self.failed else 0

    @property
    def verdict(self) -> str:
        """One sentence: whether the adapter works, what was not checked, and the cause of what failed."""
        if not self.failed:
            works = ", ".join(step.name for step in self.steps if step.outcome == OK)
            unchecked = ", ".join(step.name for step in self.steps if step.outcome == NOT_POSSIBLE)
            return f"ok: {self.adapter} works: {works}" + (f"; not checked: {unchecked}" if unchecked else "")
        first, *others = self.failed
        also = f"; also failed: {', '.join(step.name for step in others)}" if others else ""
        return f"failed: {self.adapter}: {first.name}: {first.seen}{also}"


def store_step(report: ProcessReport) -> Step:
    """Return what the store of the first process showed.

    Args:
        report: The report of the process that stored.
    """
    one = measured(report, STORE)
    if one is None:
        return Step(STORE, FAILED, _why_ended(report))
    if problem := _problem(report, one):
        return Step(STORE, FAILED, problem)
    return Step(STORE, OK, f"{one.keys_ok} keys of {_kib(one)} KiB in {_ms(one)} ms")


def lookup_step(report: ProcessReport) -> Step:
    """Return what the lookup in the process that stored showed. A key whose store failed must not be found.

    Args:
        report: The report of the process that stored.
    """
    store, one = measured(report, STORE), measured(report, LOOKUP)
    if one is None:
        return _not_run(LOOKUP, report)
    if store is not None and _has_failed(store):
        if one.keys_ok > store.keys_ok:
            found = f"{one.keys_ok} keys are found, but {store.keys_ok} were stored"
            return Step(LOOKUP, FAILED, f"{found}: keys whose store failed stay visible")
        if not store.keys_ok and one.duration_s is not None:
            return Step(LOOKUP, NOT_POSSIBLE, _NOTHING_STORED)
        if one.keys_ok == store.keys_ok:
            return Step(LOOKUP, OK, f"{one.keys_ok} keys found, as many as were stored, in {_ms(one)} ms")
    if problem := _problem(report, one):
        return Step(LOOKUP, FAILED, problem)
    return Step(LOOKUP, OK, f"{one.keys_ok} of {one.keys_expected} keys found in {_ms(one)} ms")


def load_step(report: ProcessReport) -> Step:
    """Return what the load in the process that stored showed, in which every byte is checked.

    Args:
        report: The report of the process that stored.
    """
    store, one = measured(report, STORE), measured(report, LOAD)
    if one is None:
        return _not_run(LOAD, report)
    if store is not None and _has_failed(store) and not store.keys_ok and not one.keys_ok:
        return Step(LOAD, NOT_POSSIBLE, _NOTHING_STORED)
    if problem := _problem(report, one):
        return Step(LOAD, FAILED, problem)
    if not one.verified_keys:
        return Step(LOAD, FAILED, f"{one.keys_ok} keys loaded, but their bytes were not checked")
    return Step(LOAD, OK, f"{one.verified_keys} keys, every byte as stored, in {_ms(one)} ms")


def other_lookup_step(report: ProcessReport, first: ProcessReport) -> Step:
    """Return what the lookup in another process showed.

    Args:
        report: The report of the process that only looked up.
        first: The report of the process that stored.
    """
    store, one = measured(first, STORE), measured(report, LOOKUP)
    if one is None:
        return Step(OTHER_LOOKUP, FAILED, _why_ended(report))
    if store is None or (_has_failed(store) and not store.keys_ok):
        if one.keys_ok:
            seen = f"{one.keys_ok} keys are found, but none was stored: keys whose store failed stay visible"
            return Step(OTHER_LOOKUP, FAILED, seen)
        return Step(OTHER_LOOKUP, NOT_POSSIBLE, _NOTHING_STORED)
    if problem := _problem(report, one):
        return Step(OTHER_LOOKUP, FAILED, problem)
    return Step(OTHER_LOOKUP, OK, f"{one.keys_ok} of {one.keys_expected} keys found in {_ms(one)} ms")


def delete_step(report: ProcessReport, namespace: str, files_left: int | None, other_files: int = 0) -> Step:
    """Return what the deletion at the end showed: no key may be found after it, and no file be left.

    Args:
        report: The report of the process that deleted.
        namespace: Namespace of the keys.
        files_left: Number of files of these keys that were left; None: the adapter has no folder here.
        other_files: Number of files that the adapter left in a folder that did not exist before.
    """
    remain = f"keys of namespace {namespace} may remain"
    finished = report.finished
    if finished is None:
        return Step(DELETE, FAILED, f"{_why_ended(report)}; {remain}")
    if finished.keys_stay:
        adapter = report.created.adapter_class if report.created is not None else "the adapter"
        return Step(DELETE, NOT_POSSIBLE, f"{adapter} cannot delete: {remain}")
    if finished.keys_left:
        return Step(
            DELETE, FAILED, f"{finished.keys_left} keys are still found after they were deleted; {remain}"
        )
    if not finished.keys_removed:
        return Step(DELETE, FAILED, "; ".join(filter(None, (_why_ended(report), remain))))
    if files_left:
        return Step(DELETE, FAILED, f"no key is found any more, but {files_left} files of them were left")
    seen = "no key is found any more"
    if other_files:
        seen += f"; {other_files} files of the adapter stay in its new folder"
    elif files_left is not None:
        seen += ", and no file is left"
    return Step(DELETE, OK, seen)


def steps_not_run(names: Sequence[str], reason: str) -> list[Step]:
    """Return steps that were not run.

    Args:
        names: Their names.
        reason: Why they were not run.
    """
    return [Step(name, NOT_POSSIBLE, f"not run: {reason}") for name in names]


def measured(report: ProcessReport, phase: str) -> RoundMeasured | None:
    """Return the measured round of a phase; None if it was not run.

    Args:
        report: The report of a process.
        phase: store, lookup or load.
    """
    rounds = [one for one in report.rounds if one.phase == phase and not one.is_warmup]
    return rounds[-1] if rounds and rounds[-1].started_at_s is not None else None


def _not_run(name: str, report: ProcessReport) -> Step:
    """Return the step of a phase that was not run, because of an earlier one or by its own fault."""
    earlier = [one for one in report.rounds if one.phase != name and one.status != "ok"]
    if name not in report.resident_at_start:  # the phase has not started
        return Step(name, NOT_POSSIBLE, f"not run: {report.phase or 'the creation of the adapter'} failed")
    if earlier:
        return Step(name, NOT_POSSIBLE, f"not run: {earlier[0].phase} failed")
    return Step(name, FAILED, _why_ended(report))


def _problem(report: ProcessReport, one: RoundMeasured) -> str:
    """Return why a round does not count; empty if it does."""
    problem = report.problems.get(one.phase, "")
    if one.status == "ok" and not problem:
        return ""
    detail = "; ".join(filter(None, (problem, one.detail)))
    return detail.removeprefix(f"{one.phase}: ") or f"the round is {one.status}"


def _has_failed(store: RoundMeasured) -> bool:
    """Whether a store reported failure. One that timed out may still complete."""
    return store.status in ("partial", "error")


def _why_ended(report: ProcessReport) -> str:
    status, detail = report.outcome
    return detail or f"the process is {status}"


def _kib(one: RoundMeasured) -> int:
    return one.bytes_requested // max(1, one.keys_requested) // 1024


def _ms(one: RoundMeasured) -> str:
    return "-" if one.duration_s is None else f"{one.duration_s * 1000:.1f}"
