"""Compare the keys that a lookup found with the keys that were stored."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from l2sweep.bench.adapter.verbs import Completion, Submit
from l2sweep.bench.job import Job


@dataclass(frozen=True)
class LookupHits:
    """The keys that a lookup round found.

    Attributes:
        hits: Number of found keys that are in the stored range of the layout. Only these count as found.
        false_hits: Number of found keys that were never stored; None if others may have stored them.
        false_misses: Number of stored keys that were not found; None if no store phase belongs to the point,
            so that it is unknown which keys are stored.
        detail: The counts that are not 0; empty if each key was found where it should be, and no other.
    """

    hits: int
    false_hits: int | None
    false_misses: int | None
    detail: str


def judge_lookup(job: Job, submits: Sequence[Submit], completions: Mapping[int, Completion]) -> LookupHits:
    """Count the hits of a lookup round, and the keys that were found or missed wrongly.

    In a namespace that the user chose (``namespace=bench-model``, for example), a key beyond the stored range
    may exist: a run of another shape may have stored it. It is then neither a hit nor a false hit, and the
    detail names how many there are.

    Args:
        job: Gives the stored range, and who may have stored keys.
        submits: The submits of the round.
        completions: Those that completed, by their position.
    """
    stored = job.key_layout.stored
    hits = beyond = missed = 0
    for position, completion in completions.items():
        if completion.broken_rule:  # it says nothing about any key
            continue
        indices = submits[position].indices
        found = {indices[key_position] for key_position in completion.ok_positions or ()}
        hits_of_submit = sum(index in stored for index in found)
        hits += hits_of_submit
        beyond += len(found) - hits_of_submit
        missed += sum(index in stored and index not in found for index in indices)
    false_hits = None if job.shared_namespace else beyond
    false_misses = missed if job.keys_stored else None
    counts = [(false_hits, "false hits"), (false_misses, "false misses")]
    detail = ", ".join(f"{count} {name}" for count, name in counts if count is not None)
    if job.shared_namespace and beyond:
        others = f"{beyond} keys beyond the stored range found in namespace {job.namespace!r}"
        return LookupHits(hits, None, false_misses, f"{others}: others may have stored them")
    return LookupHits(hits, false_hits, false_misses, detail if false_hits or false_misses else "")
