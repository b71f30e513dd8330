"""Delete the keys of a point, and prove it as far as lookups can.

LMCache's ``delete`` reports nothing: an adapter that cannot reach its server logs and returns, and its
lookups then find no key. So one stored key, the sentinel, stays until the others are looked up, and it is
deleted last.
"""

from __future__ import annotations

from dataclasses import dataclass

from l2sweep.bench.checks.sentinel import Sentinel


@dataclass(frozen=True)
class Deletion:
    """The result of a deletion.

    Attributes:
        num_keys: Number of keys of the point.
        keys_left: Number of keys that a lookup still found.
        why_unproven: Why it does not follow that the others are deleted; empty if it does.
    """

    num_keys: int
    keys_left: int
    why_unproven: str = ""

    @property
    def is_proven(self) -> bool:
        """Whether no key is left."""
        return not self.keys_left and not self.why_unproven

    def problem(self, namespace: str, storage: str) -> str:
        """Return a sentence that says how many keys are left; empty if none is.

        Args:
            namespace: Namespace of the keys.
            storage: Where they are.
        """
        keys = f"{self.num_keys} keys of namespace {namespace!r}"
        if self.keys_left:
            return f"{self.keys_left} of {keys} are still found after they were deleted ({storage})"
        return f"{keys} may be left ({storage}): {self.why_unproven}" if self.why_unproven else ""


def delete_keys(sentinel: Sentinel) -> Deletion:
    """Delete all keys of a point, the sentinel last.

    That the sentinel itself is gone cannot be proven in the same way: no key is left that must be found.

    Args:
        sentinel: The sentinel of the process. If no key of the point is stored, one is stored.

    Raises:
        NoAnswerError: The adapter raised an error, or a lookup did not complete in time.
    """
    keys = sentinel.keys
    stored = keys.job.key_layout.owned
    has_sentinel = sentinel.choose_stored()
    others = [index for index in stored if index != sentinel.index]
    keys.delete(others)
    has_sentinel = has_sentinel or sentinel.store_own()
    left = keys.count_left(others)
    why_unproven = ""
    if not has_sentinel:
        why_unproven = f"no stored key is found, and {sentinel} could not be stored: {sentinel.why_none}"
    elif not sentinel.is_found():
        why_unproven = f"{sentinel} is not found either"
    if sentinel.index is not None:
        keys.delete([sentinel.index])
        left += keys.count_left([sentinel.index])
    # A process that only deletes also removes what an earlier one may have left.
    if sentinel.own_may_exist or not keys.job.phases:
        own_problem = sentinel.delete_own()
        why_unproven = why_unproven or own_problem
    return Deletion(len(stored), left, why_unproven)
