"""One point of a sweep: its options, its identity, and the request to its benchmark process."""

from __future__ import annotations

import functools
import hashlib
import json
import shutil
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field
from pydantic.dataclasses import dataclass as checked_dataclass

from l2sweep.bench.job import Job
from l2sweep.bench.workload import Workload
from l2sweep.config.adapter.traits import AdapterTraits
from l2sweep.config.cache import CacheConfig
from l2sweep.config.options import (
    A_PATH,
    LARGEST,
    LONGEST_S,
    MEASURED,
    MOST,
    STORED,
    STRICT,
    PathText,
    Seconds,
    names_with,
    point_option,
    run_option,
)
from l2sweep.config.workload.trace import TraceOptions
from l2sweep.errors import shown

_START_ALLOWANCE_S = 120.0  # importing torch and LMCache and creating the adapter, on a slow machine
_CHECK_ALLOWANCE_S_PER_GIB = 10.0  # making and checking payload: measured at 1 s, docs/benchmarks.md


def _require_program(name: str) -> str:
    if shutil.which(name) is None:
        raise ValueError("not executable")
    return name


@checked_dataclass(frozen=True, kw_only=True, config=STRICT)
class PhaseTimeouts:
    """How long a round may take."""

    store: Seconds = run_option(120, "time limit of a store round, from its first submit", unit="s")
    lookup: Seconds = run_option(60, "time limit of a lookup round", unit="s")
    load: Seconds = run_option(120, "time limit of a load round", unit="s")


@checked_dataclass(frozen=True, kw_only=True, config=STRICT)
class PointOptions(TraceOptions):
    """The options of a point. Those of ``lmcache bench l2`` have its names and defaults."""

    skip_verify: bool = point_option(
        True, "false: check every byte of every measured load round", identity=MEASURED
    )
    only: Literal["store", "lookup", "load"] | None = point_option(
        None,
        "store, lookup or load: run this phase alone; the data stay for another process",
        identity=MEASURED,
    )
    l1_align_bytes: int = point_option(
        4096,
        "alignment of the buffers in bytes (1 in lmcache bench l2; 4096 also serves O_DIRECT)",
        identity=MEASURED,
        rare=True,
        ge=1,
        le=MOST,
    )
    l1_use_hugepages: bool = point_option(
        False, "take the buffers from the pool of 2 MiB pages (vm.nr_hugepages)", identity=MEASURED, rare=True
    )
    seed: int = point_option(
        0,
        "the payload follows from (seed, payload_namespace, key index)",
        identity=STORED,
        rare=True,
        ge=0,
        le=LARGEST,
    )
    namespace: Annotated[str, Field(pattern=r"^[^@\s\x00-\x1f]{1,128}$")] | None = point_option(
        None,
        "model name in every key; null: its own. bench-model shares the keys of lmcache bench l2",
        identity=MEASURED,
        rare=True,
        allowed="a text of 1 to 128 characters without @ and white space, or null",
    )
    payload_namespace: Annotated[str, Field(pattern=r"^[^\s\x00-\x1f]{1,128}$")] | None = point_option(
        None,
        "what the payload follows from besides (seed, key index); null: the namespace of the keys",
        rare=True,
        allowed="a text of 1 to 128 characters without white space, or null",
    )
    keep_data: bool = run_option(False, "true: a full run leaves what it stored", rare=True)
    allow_destructive: bool = run_option(
        False, "true: raw_block and dax may overwrite a device, or a file that is not l2sweep's", rare=True
    )
    profile: Literal["flamegraph"] | None = run_option(
        None, "flamegraph: record one of each phase; this disturbs it"
    )
    profile_mode: Literal["on-cpu", "off-cpu", "wakeup", "offwake", "wall", "gil"] = run_option(
        "on-cpu", "what is sampled: wall and gil by py-spy, on-cpu by perf, others by bcc"
    )
    profile_scripts_dir: PathText = run_option(
        "~/FlameGraph", "the FlameGraph scripts, for perf and bcc", allowed=A_PATH, rare=True
    )
    deadline_s: Seconds | None = run_option(
        None, "time limit of a point's process; null: long enough for its rounds", unit="s", rare=True
    )
    memory_limit_mib: int | None = run_option(
        None, "resident memory above which a point's process is ended", unit="MiB", ge=1, le=MOST
    )
    python: Annotated[str, AfterValidator(_require_program)] | None = run_option(
        None,
        "another interpreter to measure with, which has its own LMCache",
        allowed="an interpreter that can be run, or null",
    )
    lmcache_log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL"] = run_option(
        "WARNING", "what LMCache logs, in the point's log", rare=True
    )
    timeout_s: PhaseTimeouts = PhaseTimeouts()
    cache: CacheConfig = CacheConfig()

    def contradictions(self) -> list[str]:
        """Return a sentence for each combination of options that cannot be used."""
        problems = [
            *self.cache.contradictions(),
            *self.trace_contradictions(),
            *(() if self.is_trace else self.round_contradictions(self.only)),
            *self._only_with_rounds(),
        ]
        if self.profile is None and self.profile_mode != "on-cpu":
            problems.append(f"profile_mode={self.profile_mode}: needs profile=flamegraph")
        if self.data_size_kb * 1024 % self.l1_align_bytes:
            problems.append(
                f"data_size_kb={self.data_size_kb}: {self.data_size_kb} KiB must be a multiple of "
                f"l1_align_bytes={self.l1_align_bytes}"
            )
        return problems

    def _only_with_rounds(self) -> Iterator[str]:
        """Yield a sentence for each option that a trace, whose phases run at the same time, cannot have."""
        given = {"only": self.only, "cache": self.cache.mode, "profile": self.profile}
        for name, none in {"only": None, "cache": "hot", "profile": None}.items():
            if self.is_trace and given[name] != none:
                yield (
                    f"{name}={given[name]}: must be {shown(none)} with workload=trace, "
                    "whose stores, lookups and loads run at the same time"
                )


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
        return AdapterTraits.of(self.adapter_spec, self.cache.paths)

    @property
    def phases(self) -> tuple[str, ...]:
        """The phases of this point."""
        return self.traits.kind.phases if self.only is None else (self.only,)

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
            trace=self.replay,
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
        gib = self.moved_bytes / 2**30
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
        return {} if self.payload_namespace is None else {"payload_namespace": self.payload_namespace}

    def _hash(self, names: Sequence[str], more: Mapping[str, Any] | None = None) -> str:
        measured = {
            "adapter": self.spec_identity,
            **{name: getattr(self, name) for name in names},
            **(more or {}),
        }
        text = json.dumps(measured, sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(text.encode()).hexdigest()[:16]
