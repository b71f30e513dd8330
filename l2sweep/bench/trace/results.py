"""Judge the completion of one submit of a replay by the bytes that moved."""

from __future__ import annotations

from collections.abc import Mapping

from l2sweep.bench.adapter.verbs import Completion
from l2sweep.bench.job import Job
from l2sweep.bench.trace.channel import Operation
from l2sweep.bench.trace.key_states import KeyStates
from l2sweep.bench.trace.memory import ReplayMemory
from l2sweep.bench.trace.seconds import Outcome


def outcome_of(
    operation: Operation,
    completion: Completion,
    memory: Mapping[str, ReplayMemory],
    keys: KeyStates,
    job: Job,
) -> Outcome:
    """Return what an operation adds to its second. Its memory is read, or overwritten after a store.

    Args:
        operation: The operation.
        completion: Its result.
        memory: The memory of the stores and of the loads.
        keys: The states of the keys at the completion.
        job: The job of the process.
    """
    if operation.verb == "store":
        memory["store"].overwrite(operation.slots)
    if rule := operation.rule or completion.broken_rule:
        return Outcome(rule=rule)
    if operation.verb == "store":
        return Outcome(
            keys_ok=completion.keys_ok,
            bytes_ok=completion.bytes_ok,
            reason=_store_shortfall(completion, len(operation.keys)),
        )
    found = completion.ok_positions or []
    if operation.verb == "lookup":
        answer = keys.judge(operation.keys, operation.before, found)
        return Outcome(
            keys_ok=len(answer.hits),
            keys_expected=answer.expected,
            false_hits=answer.false_hits,
            false_misses=answer.false_misses,
        )
    checked = memory["load"].check_load(operation.slots, operation.keys, found)
    missing = len(operation.keys) - len(found)
    reasons = [f"{missing} of {len(operation.keys)} keys not loaded" if missing else "", checked.detail]
    return Outcome(
        keys_ok=len(found) - checked.wrong,
        bytes_ok=completion.bytes_ok - checked.wrong * job.workload.data_size_bytes,
        verified_keys=len(found) if job.verify else 0,
        sampled_keys=len(found),
        mismatched_keys=checked.wrong,
        reason="; ".join(reason for reason in reasons if reason),
    )


def _store_shortfall(completion: Completion, num_keys: int) -> str:
    if completion.keys_ok == num_keys:
        return ""
    reason = "the store failed" if completion.failed else completion.shortfall
    return f"{completion.keys_ok} of {num_keys} keys stored: {reason}"
