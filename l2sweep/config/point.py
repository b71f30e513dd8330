"""One point of a sweep: its identity, and the request to its benchmark process."""

from __future__ import annotations

import functools
import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from typing import Any

from l2sweep.analysis.control import adapter_name
from l2sweep.bench.job import MIXED_PHASES, MOVING_PHASES, Job
from l2sweep.bench.workload import Workload
from l2sweep.config.adapter.in_force import is_evicting
from l2sweep.config.adapter.kinds import CLIENT_CACHE
from l2sweep.config.adapter.traits import AdapterTraits
from l2sweep.config.options import LONGEST_S, MEASURED, STORED, names_with
from l2sweep.config.point_options import PointOptions
from l2sweep.config.workload.clients import why_one_client

_START_ALLOWANCE_S = 120.0  # importing torch and LMCache and creating the adapter, on a slow machine
_MOST_MIXED = 6  # with concurrent=true: the rounds of a phase alone, and five times as many at most
_CHECK_ALLOWANCE_S_PER_GIB = 10.0  # making and checking payload: measured at 1 s, docs/benchmarks.md

# Two phases that agree on these find each other's keys.
_STORED_BY = names_with(PointOptions, STORED)
# These are the identity of a point, every night and on every host.
_MEASURED_BY = names_with(PointOptions, STORED, MEASURED)
# In this namespace, that of lmcache bench l2, the payload does not depend on the namespace.
SHARED_NAMESPACE = "bench-model"


@dataclass(frozen=True, kw_only=True)
class PointConfig(PointOptions):
    """One checked point.

    Attributes:
        adapter_spec: The spec that goes to LMCache word for word, including credentials: never write it down.
        spec_identity: The part of it that says what is measured; without credentials.
        service: Name of the service that is its server; empty: none is. Until the service runs, the text
            ``<redis>`` stands in the spec for what only the running service knows.
        planned_spec: The spec before the service ran, which is the one to record; None where none runs.
        model: The model whose chunks are moved, where one was chosen.
        overrides: The overrides of the command line, as they were given.
    """

    adapter_spec: Mapping[str, Any]
    spec_identity: Mapping[str, Any]
    service: str = ""
    planned_spec: Mapping[str, Any] | None = None
    model: str | None = None
    overrides: tuple[str, ...] = ()

    @property
    def adapter_type(self) -> str:
        """The type that LMCache knows the adapter by."""
        return str(self.adapter_spec["type"])

    @functools.cached_property
    def traits(self) -> AdapterTraits:
        """What is known of its adapter."""
        return AdapterTraits.of(self.adapter_spec, self.cache.paths, self.adapter_traits)

    def spec_contradictions(self) -> list[str]:
        """Return a sentence for each option that cannot be used with the adapter."""
        adapter, needed = adapter_name(self.traits.inner), self.traits.alignment_bytes
        problems = self.adapter_traits.problems(adapter)
        if not problems and self.l1_align_bytes % needed:
            problems.append(
                f"l1_align_bytes={self.l1_align_bytes}: must be a multiple of {needed} with "
                f"adapter={adapter}, which needs buffers that are aligned to it"
            )
        if self.all_clients > 1 and (reason := why_one_client(self.traits)):
            problems.append(f"{self.clients_given}: must be 1 with {reason}")
        return problems

    @property
    def is_evicting(self) -> bool:
        """Whether LMCache may evict its keys."""
        return is_evicting(self.adapter_spec, self.through)

    @property
    def phases(self) -> tuple[str, ...]:
        """The phases of this point."""
        if self.only is not None:
            return (self.only,)
        return MOVING_PHASES if self.is_managed else self.traits.kind.phases

    @property
    def reported_phases(self) -> tuple[str, ...]:
        """The phases of this point, and those that ``concurrent=true`` runs at the same time."""
        return (*self.phases, *(MIXED_PHASES if self.concurrent else ()))

    @functools.cached_property
    def amount(self) -> Workload:
        """What it asks of the adapter."""
        limits = self.round_limits
        given = {field.name for field in fields(Workload)} - set(limits)
        return Workload(**limits, **{name: getattr(self, name) for name in given})

    @functools.cached_property
    def point_id(self) -> str:
        """A hash of what is measured: 16 hexadecimal digits."""
        profile = {} if self.profiler is None else {"profile": self.profiler}
        more = {
            **self.rounds_measured,
            **self.cache.identity,
            **self._stored_when_given,
            **profile,
            **self.trace_identity,
            **self.clients_measured,
        }
        return self._hash(_MEASURED_BY, more)

    @property
    def profiler(self) -> str | None:
        """The profiler and its mode, which disturb what is measured; None where there is none."""
        return None if self.profile is None else f"{self.profile}:{self.profile_mode}"

    def job(self, run_label: str) -> Job:
        """Return the request to a benchmark process that runs all phases.

        Args:
            run_label: Unlike that of any other run. A full run's keys carry it, so that nothing that was
                stored before can matter. With ``only`` the keys follow from the point's options instead.
        """
        if self.namespace is not None:
            namespace = self.namespace
        elif self.only is not None:
            namespace = f"l2sweep-{self._hash(_STORED_BY, {**self.rounds_stored, **self._stored_when_given})}"
        else:
            namespace = f"l2sweep-{self.point_id}-{run_label}"
        payload = self.payload_namespace or namespace
        cache, traits = self.cache, self.traits
        return Job(
            adapter_spec=dict(self.adapter_spec),
            workload=self.amount,
            phases=self.phases,
            namespace=namespace,
            fresh_namespace=self.namespace is None and self.only is None,
            shared_namespace=self.namespace is not None,
            verify=not self.skip_verify,
            delete_before="store" in self.phases,
            delete_after=self.only is None and not self.keep_data,
            timeout_s=asdict(self.timeout_s),
            keys_stored="store" in self.phases,
            cache_paths=traits.cached_paths if cache.is_cold or traits.asks_for_direct else (),
            max_resident_fraction=cache.max_resident_fraction if cache.is_cold else None,
            flush_paths=traits.cached_paths if cache.store_durable else (),
            payload_namespace="" if payload == SHARED_NAMESPACE else payload,
            profile_mode="" if self.profile is None else self.profile_mode,
            profile_scripts_dir=self.profile_scripts_dir,
            through=self.through,
            serde_tolerance=self.serde_tolerance,
            concurrent=self.concurrent,
            trace=self.replay,
            remembers_stored=any(one.kind.lookup_answered_by == CLIENT_CACHE for one in traits.every),
        )

    @property
    def process_deadline_s(self) -> float:
        """Seconds that the point's process may live: as given, or long enough for its rounds and time limits.

        At most ``LONGEST_S``, which is 23 days: no wait can be longer.
        """
        if self.deadline_s is not None:
            return self.deadline_s
        trace = self.recorded
        # Without a pace, the requests of a trace may be in progress one after another.
        rounds = self.amount.total_rounds if trace is None else self.amount.rounds + len(trace.requests)
        rounds *= _MOST_MIXED if self.concurrent else 1
        gib = self.moved_bytes * self.clients * (_MOST_MIXED if self.concurrent else 1) / 2**30
        # A round that times out may be waited for once more, and keys are looked up and deleted.
        waiting = sum(getattr(self.timeout_s, phase) for phase in self.phases) * (rounds + 1)
        return min(LONGEST_S, float(_START_ALLOWANCE_S + waiting + gib * _CHECK_ALLOWANCE_S_PER_GIB))

    @property
    def stored_bytes(self) -> int:
        """Payload of all keys that the point stores, including warm-up rounds; at most, where it is open."""
        trace = self.recorded
        if trace is None:
            return self.amount.round_bytes * self.amount.total_rounds
        return trace.num_keys * self.amount.data_size_bytes

    @property
    def moved_bytes(self) -> int:
        """Payload that the point stores, or loads, whichever is larger; at most, where it is open."""
        trace = self.recorded
        return self.stored_bytes if trace is None else trace.key_references * self.amount.data_size_bytes

    @property
    def _stored_when_given(self) -> dict[str, Any]:
        """Options that are part of an identity only where they are given, so that older identities stay."""
        payload = {} if self.payload_namespace is None else {"payload_namespace": self.payload_namespace}
        return {**payload, **self.through_measured}

    def _hash(self, names: Sequence[str], more: Mapping[str, Any] | None = None) -> str:
        measured = {
            "adapter": self.spec_identity,
            **{name: getattr(self, name) for name in names},
            **(more or {}),
        }
        text = json.dumps(measured, sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(text.encode()).hexdigest()[:16]
