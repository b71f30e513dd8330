"""The options of a point, and which of them contradict each other."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from typing import Annotated, Literal

from pydantic import AfterValidator, Field
from pydantic.dataclasses import dataclass as checked_dataclass

from l2sweep.bench.job import ADAPTER
from l2sweep.config.adapter.trait_options import TraitOptions
from l2sweep.config.cache import CacheConfig
from l2sweep.config.options import (
    A_PATH,
    LARGEST,
    MEASURED,
    MOST,
    STORED,
    STRICT,
    PathText,
    Seconds,
    point_option,
    run_option,
)
from l2sweep.config.releases import A_RELEASE, RELEASE, release_problem
from l2sweep.config.workload.through import ThroughOptions
from l2sweep.config.workload.trace import TraceOptions
from l2sweep.errors import shown

_OF_ROUNDS = {"only": None, "cache": "hot", "profile": None, "through": ADAPTER, "concurrent": False}
"""Values that these options have with a trace."""


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
class PointOptions(ThroughOptions, TraceOptions):
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
    release: Annotated[str, Field(pattern=f"^{RELEASE}$")] | None = run_option(
        None,
        "a release of LMCache to measure with: the installed one, or one that l2sweep envs added",
        allowed=f"{A_RELEASE}, or null",
    )
    lmcache_log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL"] = run_option(
        "WARNING", "what LMCache logs, in the point's log", rare=True
    )
    adapter_traits: TraitOptions = TraitOptions()
    timeout_s: PhaseTimeouts = PhaseTimeouts()
    cache: CacheConfig = CacheConfig()

    def contradictions(self) -> list[str]:
        """Return a sentence for each combination of options that cannot be used."""
        problems = [
            *self.cache.contradictions(),
            *self.through_contradictions(
                self.only, self.l1_align_bytes, hugepages=self.l1_use_hugepages, is_cold=self.cache.is_cold
            ),
            *self.trace_contradictions(),
            *(() if self.is_trace else self.round_contradictions(self.only)),
            *self._only_with_rounds(),
        ]
        if self.profile is None and self.profile_mode != "on-cpu":
            problems.append(f"profile_mode={self.profile_mode}: needs profile=flamegraph")
        if self.release is not None and self.python is not None:
            problems.append(
                f"release={self.release}: cannot be given with python={self.python}, which has an LMCache"
            )
        elif self.release is not None and (problem := release_problem(self.release)):
            problems.append(problem)
        if self.data_size_kb * 1024 % self.l1_align_bytes:
            problems.append(
                f"data_size_kb={self.data_size_kb}: {self.data_size_kb} KiB must be a multiple of "
                f"l1_align_bytes={self.l1_align_bytes}"
            )
        return problems

    def _only_with_rounds(self) -> Iterator[str]:
        """Yield a sentence for each option that a trace, whose phases run at the same time, cannot have."""
        given = {
            "only": self.only,
            "cache": self.cache.mode,
            "profile": self.profile,
            "through": self.through,
            "concurrent": self.concurrent,
        }
        for name, none in _OF_ROUNDS.items():
            if self.is_trace and given[name] != none:
                yield (
                    f"{name}={shown(given[name])}: must be {shown(none)} with workload=trace, "
                    "whose stores, lookups and loads run at the same time"
                )
