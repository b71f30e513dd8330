"""A request, checked: what holds for a sweep, and each of its points."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from l2sweep.bench.request import PHASES, PointRequest
from l2sweep.config import adapter_spec
from l2sweep.config.adapter_traits import Traits
from l2sweep.config.cache import CacheConfig
from l2sweep.config.constraints import unreadable
from l2sweep.config.model import model_name
from l2sweep.config.options import (
    BUDGET_RULES,
    POINT_RULES,
    SWEEP_RULES,
    missing_values,
    point_problems,
    sweep_problems,
)
from l2sweep.errors import RequestError

_START_ALLOWANCE_S = 120.0  # importing torch and LMCache, creating the adapter, on a slow machine
_CHECK_ALLOWANCE_S_PER_GIB = 10.0  # making and checking payload, far slower than it is


# What says which keys a phase finds: two phases that agree on these meet each other's keys.
_STORED_BY = ("num_keys", "in_flight", "data_size_kb", "rounds", "warmup_rounds", "seed")
# What says what is measured: the identity of a point, on any night and any host.
_MEASURED_BY = (
    *_STORED_BY,
    "lookup_max_hit_rate",
    "skip_verify",
    "only",
    "l1_align_bytes",
    "l1_use_hugepages",
    "namespace",
)


@dataclass(frozen=True)
class SweepConfig:
    """What holds for all points of a sweep, and for a single point's run.

    Attributes:
        quiet: Print nothing.
        results_dir: Where records and logs go.
        sweep_name: A label of the user's.
        sweep_id: Names this run.
        scratch_dir: Where the default adapter keeps its files.
        isolation: How benchmark processes are started.
        constraints: Conditions on a point's fields; points that do not meet them are left out.
        zip: Options whose values go together, instead of each with each.
        repeats: How often every point is measured.
        order: In which order points and repeats are run.
        order_seed: What a random order follows from.
        on_infeasible: Whether a point that cannot be run here is left out, or fails the request.
        on_failure: Whether a point that fails ends the sweep.
        dry_run: Print the plan and run nothing.
        resume: Id of the sweep to go on with, or ``latest``.
        retry_failed: Whether points that failed are then run again.
        lock: What another sweep on this host means.
        objective: What a sweeper that searches is told of a point.
        budget_minutes: After this time no further point is begun.
        budget_disk_gb: What a point may write to disk, in 10^9 bytes.
    """

    quiet: bool
    results_dir: str
    sweep_name: str
    sweep_id: str
    scratch_dir: str
    isolation: str
    constraints: Sequence[str]
    zip: Sequence[Sequence[str]]
    repeats: int
    order: str
    order_seed: int
    on_infeasible: str
    on_failure: str
    dry_run: bool
    resume: str | None
    retry_failed: bool
    lock: str
    objective: str
    budget_minutes: float | None = None
    budget_disk_gb: float | None = None


@dataclass(frozen=True)
class PointConfig:
    """One checked point. The options are explained in ``conf/config.yaml``.

    Attributes:
        adapter_spec: What goes to LMCache word for word, credentials included: never write it down.
        spec_identity: What of it says what is measured; no credentials.
        model: The model whose chunks it moves, where one was chosen.
        overrides: The command line's overrides, as they were given.
    """

    adapter_spec: Mapping[str, Any]
    spec_identity: Mapping[str, Any]
    num_keys: int
    in_flight: int
    data_size_kb: int
    rounds: int
    warmup_rounds: int
    lookup_max_hit_rate: float
    skip_verify: bool
    only: str | None
    l1_align_bytes: int
    l1_use_hugepages: bool
    seed: int
    namespace: str | None
    keep_data: bool
    timeout_s: Mapping[str, float]
    deadline_s: float | None
    lmcache_log_level: str
    allow_destructive: bool
    memory_limit_mb: int | None
    python: str | None
    cache: CacheConfig
    model: str | None = None
    overrides: tuple[str, ...] = ()

    @property
    def adapter_type(self) -> str:
        """The type that LMCache knows the adapter by."""
        return str(self.adapter_spec["type"])

    @property
    def phases(self) -> tuple[str, ...]:
        """The operations of this point."""
        if self.only is not None:
            return (self.only,)
        return PHASES if self.adapter_type != "fio" else ("store", "load")  # which has no lookup

    @property
    def traits(self) -> Traits:
        """Where its adapter keeps its data."""
        return Traits.of(self.adapter_spec, self.cache.paths)

    @property
    def point_id(self) -> str:
        """A hash of what is measured: 16 hexadecimal digits."""
        return self._hash(_MEASURED_BY)

    def request(self, run_label: str) -> PointRequest:
        """Return what a benchmark process is asked to do.

        Args:
            run_label: Unlike any other run's: a full run's keys carry it, so that nothing that was stored
                before can matter. With ``only`` the keys follow from the point's parameters instead.
        """
        if self.namespace is not None:
            namespace = self.namespace
        elif self.only is not None:
            namespace = f"l2sweep-{self._hash(_STORED_BY)}"
        else:
            namespace = f"l2sweep-{self.point_id}-{run_label}"
        return PointRequest(
            adapter_spec=dict(self.adapter_spec),
            phases=self.phases,
            num_keys=self.num_keys,
            in_flight=self.in_flight,
            data_size_kb=self.data_size_kb,
            rounds=self.rounds,
            warmup_rounds=self.warmup_rounds,
            lookup_max_hit_rate=self.lookup_max_hit_rate,
            namespace=namespace,
            fresh_namespace=self.namespace is None and self.only is None,
            seed=self.seed,
            verify=not self.skip_verify,
            delete_before="store" in self.phases,
            delete_after=self.only is None and not self.keep_data,
            l1_align_bytes=self.l1_align_bytes,
            l1_use_hugepages=self.l1_use_hugepages,
            timeout_s=dict(self.timeout_s),
            keys_stored="store" in self.phases,
            cache_paths=self.traits.paths if self.cache.is_cold or self.traits.asks_for_direct else (),
            max_resident=self.cache.max_resident if self.cache.is_cold else None,
            flush_paths=self.traits.paths if self.cache.store_durable else (),
        )

    @property
    def process_deadline_s(self) -> float:
        """Seconds that the point's process may live: what was asked for, or what its time-outs allow."""
        if self.deadline_s is not None:
            return self.deadline_s
        total_rounds = self.rounds + self.warmup_rounds
        gib = total_rounds * self.num_keys * self.in_flight * self.data_size_kb / 2**20
        # A round that times out may be waited for once more, and keys are looked up and deleted.
        waiting = sum(self.timeout_s[phase] for phase in self.phases) * (total_rounds + 1)
        return _START_ALLOWANCE_S + waiting + gib * _CHECK_ALLOWANCE_S_PER_GIB

    def _hash(self, fields: Sequence[str]) -> str:
        measured = {
            "adapter": self.spec_identity,
            **{name: getattr(self, name) for name in fields},
            **(self.cache.measured if fields is _MEASURED_BY else {}),
        }
        text = json.dumps(measured, sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(text.encode()).hexdigest()[:16]


def read_sweep(config: Mapping[str, Any]) -> SweepConfig:
    """Check and return what holds for a whole sweep.

    Args:
        config: The composed configuration as plain containers, interpolations resolved.

    Raises:
        RequestError: With everything that is wrong with it.
    """
    problems = sweep_problems(config)
    if not problems:
        problems = [f"constraints: {problem}" for problem in unreadable(config["constraints"])]
    if problems:
        raise RequestError(problems)
    budget = {f"budget_{name}": config["budget"][name] for name in BUDGET_RULES}
    return SweepConfig(**{name: config[name] for name in SWEEP_RULES}, **budget)


def read_point(
    config: Mapping[str, Any], overrides: Sequence[str], environment: Mapping[str, str]
) -> PointConfig:
    """Check and return a point.

    Args:
        config: The composed configuration as plain containers, interpolations resolved.
        overrides: The command line's overrides of this point.
        environment: The process's environment, for ``L2_ADAPTER_JSON``.

    Raises:
        RequestError: With everything that is wrong with it.
    """
    problems = point_problems(config)
    spec: dict[str, Any] = {}
    try:
        spec = adapter_spec.choose_spec(
            config.get("adapter"),
            config.get("adapter_json"),
            overrides,
            environment,
            str(config.get("scratch_dir")),
        )
        problems += missing_values(spec, "adapter")
    except adapter_spec.SpecError as problem:
        problems.append(str(problem))
    if problems:
        raise RequestError(problems)
    values: dict[str, Any] = {name: config[name] for name in POINT_RULES}
    values["lookup_max_hit_rate"] = float(values["lookup_max_hit_rate"])
    return PointConfig(
        adapter_spec=spec,
        spec_identity=adapter_spec.identity(spec, str(config["scratch_dir"])),
        timeout_s={phase: float(config["timeout_s"][phase]) for phase in PHASES},
        cache=CacheConfig(**config["cache"]),
        model=model_name(config.get("model")),
        overrides=tuple(overrides),
        **values,
    )
