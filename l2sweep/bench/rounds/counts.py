"""What the completed submits of a round count together, as far as they know it."""

from __future__ import annotations

from collections.abc import Collection

from l2sweep.bench.adapter.verbs import Completion


def stored_bytes(completions: Collection[Completion]) -> int | None:
    """Return the bytes that L2 reports for the keys of a store round; None if no submit knows them."""
    known = [done.stored_bytes for done in completions if done.stored_bytes is not None]
    return sum(known) if known else None


def evicted_keys(completions: Collection[Completion]) -> int | None:
    """Return how many keys of a load round were evicted before; None if no submit knows it."""
    known = [done.evicted_keys for done in completions if done.evicted_keys is not None]
    return sum(known) if known else None


def loaded_from(completions: Collection[Completion]) -> list[int]:
    """Return how many keys of a load round came from each L2 adapter; empty if there is only one."""
    parts = [done.loaded_from for done in completions if done.loaded_from]
    return [sum(of_adapter) for of_adapter in zip(*parts, strict=True)]
