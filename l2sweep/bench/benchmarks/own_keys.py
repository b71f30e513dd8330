"""The keys of a point in its adapters: those of an earlier run are deleted first, its own ones at the end."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from l2sweep.bench.adapter import create as adapters
from l2sweep.bench.benchmarks.base import Report
from l2sweep.bench.checks.deleted_keys import delete_keys
from l2sweep.bench.checks.sentinel import Sentinel
from l2sweep.bench.checks.stored_keys import NoAnswerError, StoredKeys
from l2sweep.bench.job import local_paths
from l2sweep.bench.messages import Note
from l2sweep.errors import BenchError


@dataclass
class OwnKeys:
    """Delete the keys of a point, and remember what became of them.

    Attributes:
        report: Called with each message as soon as it applies.
        failures: The failures of the process: one line is added for each reason why a cleanup failed.
        is_stuck: Whether a task of the adapter did not complete.
        are_removed: Whether it is proven that no key is left.
        stay: Whether keys may stay, because an adapter cannot delete.
        left: Number of keys that were found after they were deleted; None if that is unknown.
    """

    report: Report
    failures: list[str]
    is_stuck: bool = False
    are_removed: bool = False
    stay: bool = False
    left: int | None = None

    def remove_old(self, keys: StoredKeys) -> None:
        """Delete the point's own keys if an earlier run may have left them, and check that none is left.

        Args:
            keys: Deletes and looks up the keys.

        Raises:
            BenchError: Keys are left: a store of them would move nothing.
        """
        job, adapter = keys.job, keys.adapter
        if "store" not in job.phases or job.fresh_namespace:
            return
        stored = job.key_layout.owned
        if job.delete_before and self._can_delete(keys, len(stored)):
            keys.delete(stored)
        try:
            present = len(keys.find(stored))
        except NoAnswerError as error:
            self.is_stuck = error.is_stuck
            raise BenchError(f"the lookup of keys of earlier runs failed: {error}") from error
        if present and not adapters.can_delete(adapter):
            raise BenchError(
                f"store: {present} keys of namespace {job.namespace!r} are already stored, and "
                f"{adapters.class_name(adapter)} cannot delete; choose another namespace (namespace=...)"
            )
        if present:
            raise BenchError(
                f"store: {present} keys of namespace {job.namespace!r} are still stored after "
                "they were deleted"
            )

    def remove(self, sentinels: Sequence[Sentinel]) -> None:
        """Delete what must not stay at the end: the point's own keys, or only the sentinel if it is extra.

        Keys that are left fail the process, as any cleanup that failed does: its numbers are true, but data
        stay in the store of the user. So does a deletion that is not proven.

        Args:
            sentinels: The sentinel in each adapter.
        """
        removed: list[bool] = []
        try:
            for sentinel in sentinels:
                job = sentinel.keys.job
                if job.delete_after:
                    removed.append(self._remove_stored(sentinel))
                elif sentinel.own_may_exist and self._can_delete(sentinel.keys, 1):
                    problem = sentinel.delete_own()
                    self.failures += [problem] if problem else []
        except NoAnswerError as error:
            self.is_stuck = error.is_stuck
            self.failures.append(f"the lookup of deleted keys failed: {error}")
            removed.append(False)
        self.are_removed = bool(removed) and all(removed)

    def _remove_stored(self, sentinel: Sentinel) -> bool:
        """Delete the keys in one adapter, and return whether it is proven that none is left."""
        job = sentinel.keys.job
        if not self._can_delete(sentinel.keys, len(job.key_layout.owned)):
            self.stay = True
            return False
        deletion = delete_keys(sentinel)
        if deletion.keys_left or deletion.is_proven:
            self.left = (self.left or 0) + deletion.keys_left
        if problem := deletion.problem(job.namespace, _storage_of(job.adapter_spec)):
            self.report(Note(problem))
            self.failures.append(problem)
        return deletion.is_proven

    def _can_delete(self, keys: StoredKeys, num_keys: int) -> bool:
        """Return whether the adapter can delete. If it cannot, report how many keys may stay."""
        if not adapters.can_delete(keys.adapter):
            text = f"{num_keys} keys" if num_keys > 1 else "1 key"
            self.report(Note(f"{adapters.class_name(keys.adapter)} cannot delete: {text} may stay"))
            return False
        return True


def _storage_of(spec: Mapping[str, Any]) -> str:
    """Return the type of an adapter, and the path of its data if the spec names one.

    Only values of these fields are shown: others may be credentials.
    """
    return ", ".join([str(spec["type"]), *local_paths(spec)])
