"""Examine one adapter spec: its server, then benchmark processes that store, find, load and delete 4 keys.

The processes are those that measure a point, with its phases and its checks. Nothing is recorded.
"""

from __future__ import annotations

import os
import secrets
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path

from l2sweep import credentials, interrupts
from l2sweep.analysis.control import adapter_name
from l2sweep.bench.job import Job
from l2sweep.bench.page_cache import data_files
from l2sweep.config.point import PointConfig
from l2sweep.config.point_options import PhaseTimeouts
from l2sweep.errors import RequestError
from l2sweep.process.bench_process import ProcessLimits
from l2sweep.process.log import PointLog
from l2sweep.process.report import ProcessReport
from l2sweep.process.starter import StartProcess
from l2sweep.process.supervisor import supervise
from l2sweep.sweep.attempt.point_job import job_here, storage_stacks
from l2sweep.sweep.checks.probe import probe_problem
from l2sweep.sweep.doctor import steps
from l2sweep.sweep.doctor.direct_io import direct_step
from l2sweep.sweep.doctor.new_places import new_places_removed
from l2sweep.sweep.doctor.steps import Diagnosis, Step
from l2sweep.sweep.state.leftovers import remove_files, remove_keys
from l2sweep.sweep.state.own_names import is_file_of, run_label

KEYS = 4
_PROBE_S = 5.0
# Not measured: a choice between a slow server and a command that answers soon. 4 keys take milliseconds.
_PHASE_S = 4.0
# Starting the process takes up to 5 s without the fork server, and a hanging phase its time limit.
_AFTER_TIMEOUT_S = 1.0
_STORE_DEADLINE_S = 25.0
_DELETE_DEADLINE_S = 15.0

OnStep = Callable[[Step], None]


def examine(point: PointConfig, start: StartProcess, on_step: OnStep) -> Diagnosis:
    """Examine the adapter of a point.

    Args:
        point: From :func:`small_point`.
        start: Starts a benchmark process.
        on_step: Called with each step as soon as it is known.

    Raises:
        RequestError: LMCache refuses the spec.
        BenchError: A process cannot be started.
        KeyboardInterrupt: The user asked to stop. The keys were deleted, unless the user asked twice.
    """
    examination = _Examination(point, start, on_step)
    traits = point.traits
    new_removed = new_places_removed((*traits.cached_paths, traits.storage_path), traits.overwritten_path)
    with interrupts.deferred(), new_removed:
        examination.run()
    return Diagnosis(adapter_name(point.adapter_spec), tuple(examination.seen))


def small_point(point: PointConfig) -> PointConfig:
    """Return a point with the adapter of another one that moves 4 keys once, and checks every byte.

    Args:
        point: The other point.
    """
    given = point.timeout_s
    return replace(
        point,
        num_keys=KEYS,
        in_flight=1,
        rounds=1,
        warmup_rounds=0,
        lookup_max_hit_rate=1.0,
        skip_verify=False,
        only=None,
        namespace=None,
        keep_data=False,
        profile=None,
        workload="rounds",
        trace=None,
        concurrent=False,
        clients=1,
        timeout_s=PhaseTimeouts(
            store=min(given.store, _PHASE_S),
            lookup=min(given.lookup, _PHASE_S),
            load=min(given.load, _PHASE_S),
        ),
        cache=replace(
            point.cache, mode="hot", drop_before=[], method="none", command=None, store_durable=False
        ),
    )


def probe_step(point: PointConfig) -> Step:
    """Ask the server or the place that the spec names whether it can be used.

    Args:
        point: The point.
    """
    problem = probe_problem(point.adapter_spec, timeout_s=_PROBE_S)
    return Step(steps.PROBE, steps.FAILED if problem else steps.OK, problem or "no problem found")


@dataclass
class _Examination:
    """The examination of one point.

    Attributes:
        point: The point.
        start: Starts a benchmark process.
        on_step: Called with each step.
        seen: The steps so far.
    """

    point: PointConfig
    start: StartProcess
    on_step: OnStep
    seen: list[Step] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._stacks = storage_stacks(self.point)
        self._job = job_here(self.point, run_label("doctor", 0, 1, secrets.token_hex(3)), self._stacks)
        self._secrets = credentials.secrets_of(self.point.adapter_spec)
        self._keys_remain = False
        storage_path = self.point.traits.storage_path
        is_new = storage_path is not None and not os.path.lexists(storage_path)
        self._new_folder = Path(storage_path) if storage_path is not None and is_new else None

    def run(self) -> None:
        """Run all steps that are possible."""
        self._add(probe_step(self.point))
        if self.seen[-1].outcome == steps.FAILED:
            self._add(*steps.steps_not_run(steps.STEPS[1:], "the probe failed"))
            return
        try:
            self._run_processes()
        finally:
            self._remove_rest()

    def _run_processes(self) -> None:
        lost_because = self.point.traits.kind.lost_because
        job = replace(self._job, delete_after=bool(lost_because))
        first = self._supervised(job, _STORE_DEADLINE_S)
        self._add(steps.store_step(first), steps.lookup_step(first), steps.load_step(first))
        self._add(direct_step(self.point, self._stacks, first))
        if first.created is None:
            self._keys_remain = False
            reason = "the adapter was not created"
            self._add(*steps.steps_not_run((steps.OTHER_LOOKUP, steps.DELETE), reason))
            return
        last = first
        if lost_because:
            why = f"the {adapter_name(self.point.adapter_spec)} adapter {lost_because}"
            self._add(Step(steps.OTHER_LOOKUP, steps.NOT_POSSIBLE, why))
        else:
            job = replace(self._job, phases=("lookup",), stored_rounds=1)
            last = self._supervised(job, _DELETE_DEADLINE_S)
            self._add(steps.other_lookup_step(last, first))
        self._keys_remain = False  # or an attempt to delete them has failed just now
        self._add(steps.delete_step(last, job.namespace, self._files_left(), self._other_files()))

    def _supervised(self, job: Job, deadline_s: float) -> ProcessReport:
        """Run a job, and return its report.

        Raises:
            RequestError: LMCache refuses the spec.
            KeyboardInterrupt: The user asked to stop.
        """
        limits = ProcessLimits(
            deadline_s,
            lmcache_log_level=self.point.lmcache_log_level,
            python=self.point.python,
            after_timeout_s=_AFTER_TIMEOUT_S,
        )
        log = PointLog(Path(os.devnull), self._secrets)  # is not opened: nothing is recorded
        self._keys_remain = True
        report = supervise(self.start, job, limits, log, self._secrets, lambda _: None)
        if report.interrupted:
            raise KeyboardInterrupt
        if report.refused is not None:
            self._keys_remain = False
            raise RequestError([report.refused.problem])
        return report

    def _files_left(self) -> int | None:
        """Return how many files of the keys are left, and remove them; None if there is no folder."""
        folders = [path for path in self.point.traits.cached_paths if Path(path).is_dir()]
        if not folders:
            return None
        namespace = self._job.namespace
        names = [path.rpartition("/")[2] for path in data_files(folders, namespace)]
        for folder in folders:
            remove_files(Path(folder), namespace)
        return sum(is_file_of(name, namespace) for name in names)

    def _other_files(self) -> int:
        """Return how many other files are in a folder that did not exist before, as those of a pool."""
        folder = self._new_folder
        return 0 if folder is None else sum(path.is_file() for path in folder.rglob("*"))

    def _remove_rest(self) -> None:
        """Delete the keys if the user asked to stop before they were deleted, unless the user asked twice."""
        if not self._keys_remain or self.point.traits.kind.lost_because or interrupts.hurried():
            return
        with interrupts.only_when_hurried():
            remove_keys(self._job, self.point.python, self.start)

    def _add(self, *found: Step) -> None:
        for step in found:
            self.seen.append(step)
            self.on_step(step)
