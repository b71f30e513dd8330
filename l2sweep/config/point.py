"""One point of a sweep: its options, its identity, and the request to its benchmark process."""

from __future__ import annotations

import functools
import hashlib
import json
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field
from pydantic.dataclasses import dataclass as checked_dataclass

from l2sweep.bench.job import Job
from l2sweep.bench.workload import Workload
from l2sweep.config.adapter.traits import AdapterTraits
from l2sweep.config.cache import CacheConfig
from l2sweep.config.options import (
    LARGEST,
    MEASURED,
    MOST,
    POINT,
    RUN,
    STORED,
    STRICT,
    Fraction,
    Seconds,
    names_with,
    option,
)

_START_ALLOWANCE_S = 120.0  # importing torch and LMCache and creating the adapter, on a slow machine
_CHECK_ALLOWANCE_S_PER_GIB = 10.0  # making and checking payload: measured at 1 s, docs/benchmarks.md


def _require_program(name: str) -> str:
    if shutil.which(name) is None:
        raise ValueError("not executable")
    return name


@checked_dataclass(frozen=True, kw_only=True, config=STRICT)
class PhaseTimeouts:
    """How long a round may take."""

    store: Seconds = option(120, "time limit of a store round, from its first submit", section=RUN, unit="s")
    lookup: Seconds = option(60, "time limit of a lookup round", section=RUN, unit="s")
    load: Seconds = option(120, "time limit of a load round", section=RUN, unit="s")


@checked_dataclass(frozen=True, kw_only=True, config=STRICT)
class PointOptions:
    """The options of a point. Those of ``lmcache bench l2`` have its names and defaults."""

    num_keys: int = option(32, "keys in one submit", section=POINT, identity=STORED, ge=1, le=MOST)
    in_flight: int = option(
        1, "submits of a round that are in flight together", section=POINT, identity=STORED, ge=1, le=MOST
    )
    data_size_kb: int = option(
        256, "payload of a key", section=POINT, unit="KiB", identity=STORED, ge=1, le=MOST
    )
    rounds: int = option(1, "measured rounds of each phase", section=POINT, identity=STORED, ge=1, le=MOST)
    warmup_rounds: int = option(
        1,
        "rounds before them: recorded and marked, never part of a result",
        section=POINT,
        identity=STORED,
        ge=0,
        le=MOST,
    )
    lookup_max_hit_rate: Fraction = option(
        0.0,
        "share of a lookup's keys that were stored; at the default every lookup misses",
        section=POINT,
        identity=MEASURED,
    )
    skip_verify: bool = option(
        True, "false: check every byte of every measured load round", section=POINT, identity=MEASURED
    )
    only: Literal["store", "lookup", "load"] | None = option(
        None,
        "store, lookup or load: run this phase alone; the data stay for another process",
        section=POINT,
        identity=MEASURED,
    )
    l1_align_bytes: int = option(
        4096,
        "alignment of the buffers in bytes (1 in lmcache bench l2; 4096 also serves O_DIRECT)",
        section=POINT,
        identity=MEASURED,
        rare=True,
        ge=1,
        le=MOST,
    )
    l1_use_hugepages: bool = option(
        False,
        "take the buffers from the pool of 2 MiB pages (vm.nr_hugepages)",
        section=POINT,
        identity=MEASURED,
        rare=True,
    )
    seed: int = option(
        0,
        "the payload follows from (seed, key index)",
        section=POINT,
        identity=STORED,
        rare=True,
        ge=0,
        le=LARGEST,
    )
    namespace: Annotated[str, Field(pattern=r"^[^@\s\x00-\x1f]{1,128}$")] | None = option(
        None,
        "model name in every key; null: its own. bench-model shares the keys of lmcache bench l2",
        section=POINT,
        identity=MEASURED,
        rare=True,
        allowed="a text of 1 to 128 characters without @ and white space, or null",
    )
    keep_data: bool = option(False, "true: a full run leaves what it stored", section=RUN, rare=True)
    allow_destructive: bool = option(
        False,
        "true: raw_block and dax may overwrite a device, or a file that is not l2sweep's",
        section=RUN,
        rare=True,
    )
    deadline_s: Seconds | None = option(
        None,
        "time limit of a point's process; null: long enough for its rounds",
        section=RUN,
        unit="s",
        rare=True,
    )
    memory_limit_mib: int | None = option(
        None,
        "resident memory above which a point's process is ended",
        section=RUN,
        unit="MiB",
        ge=1,
        le=MOST,
    )
    python: Annotated[str, AfterValidator(_require_program)] | None = option(
        None,
        "another interpreter to measure with, which has its own LMCache",
        section=RUN,
        allowed="an interpreter that can be run, or null",
    )
    lmcache_log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL"] = option(
        "WARNING", "what LMCache logs, in the point's log", section=RUN, rare=True
    )
    timeout_s: PhaseTimeouts = PhaseTimeouts()
    cache: CacheConfig = CacheConfig()

    def contradictions(self) -> list[str]:
        """Return a sentence for each combination of options that cannot be used."""
        problems = self.cache.contradictions()
        if self.data_size_kb * 1024 % self.l1_align_bytes:
            problems.append(
                f"data_size_kb={self.data_size_kb}: {self.data_size_kb} KiB must be a multiple of "
                f"l1_align_bytes={self.l1_align_bytes}"
            )
        return problems


# Two phases that agree on these find each other's keys.
_STORED_BY = names_with(PointOptions, STORED)
# These are the identity of a point, every night and on every host.
_MEASURED_BY = names_with(PointOptions, STORED, MEASURED)


@dataclass(frozen=True, kw_only=True)
class PointConfig(PointOptions):
    """One checked point.

    Attributes:
        adapter_spec: The spec that goes to LMCache word for word, including credentials: never write it down.
        spec_identity: The part of it that says what is measured; without credentials.
        model: The model whose chunks are moved, where one was chosen.
        overrides: The overrides of the command line, as they were given.
    """

    adapter_spec: Mapping[str, Any]
    spec_identity: Mapping[str, Any]
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
    def workload(self) -> Workload:
        """What it asks of the adapter."""
        return Workload(**{field.name: getattr(self, field.name) for field in fields(Workload)})

    @functools.cached_property
    def point_id(self) -> str:
        """A hash of what is measured: 16 hexadecimal digits."""
        return self._hash(_MEASURED_BY, self.cache.identity)

    def job(self, run_label: str) -> Job:
        """Return the request to a benchmark process that runs all phases.

        Args:
            run_label: Unlike that of any other run. A full run's keys carry it, so that nothing that was
                stored before can matter. With ``only`` the keys follow from the point's options instead.
        """
        if self.namespace is not None:
            namespace = self.namespace
        elif self.only is not None:
            namespace = f"l2sweep-{self._hash(_STORED_BY)}"
        else:
            namespace = f"l2sweep-{self.point_id}-{run_label}"
        cache, traits = self.cache, self.traits
        return Job(
            adapter_spec=dict(self.adapter_spec),
            workload=self.workload,
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
        )

    @property
    def process_deadline_s(self) -> float:
        """Seconds that the point's process may live: as given, or long enough for its time limits."""
        if self.deadline_s is not None:
            return self.deadline_s
        rounds = self.workload.total_rounds
        gib = rounds * self.workload.round_bytes / 2**30
        # A round that times out may be waited for once more, and keys are looked up and deleted.
        waiting = sum(getattr(self.timeout_s, phase) for phase in self.phases) * (rounds + 1)
        return float(_START_ALLOWANCE_S + waiting + gib * _CHECK_ALLOWANCE_S_PER_GIB)

    def _hash(self, names: Sequence[str], more: Mapping[str, Any] | None = None) -> str:
        measured = {
            "adapter": self.spec_identity,
            **{name: getattr(self, name) for name in names},
            **(more or {}),
        }
        text = json.dumps(measured, sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(text.encode()).hexdigest()[:16]
