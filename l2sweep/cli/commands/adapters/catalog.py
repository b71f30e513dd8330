"""What LMCache tells of its adapter types in a benchmark process, with what l2sweep knows of them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from l2sweep.analysis.control import CONTROL
from l2sweep.bench.job import FIO, Job
from l2sweep.bench.messages import Accepted, AdapterDescribed
from l2sweep.bench.workload import Workload
from l2sweep.config.adapter.kinds import ADAPTER_KINDS, REMOTE
from l2sweep.config.shipped import config_folder
from l2sweep.errors import BenchError
from l2sweep.process.starter import StartProcess
from l2sweep.process.supervisor import run_unrecorded

_NOT_OF_LMCACHE = (CONTROL, FIO)
_WRAPPERS = ("fault_inject",)  # what is known of their data is known of the adapter inside
_NOTHING = Workload(
    num_keys=1,
    in_flight=1,
    data_size_kb=4,
    rounds=1,
    warmup_rounds=0,
    lookup_max_hit_rate=0.0,
    seed=0,
    l1_align_bytes=4096,
    l1_use_hugepages=False,
)


@dataclass(frozen=True)
class Catalog:
    """The adapter types of an LMCache.

    Attributes:
        lmcache_version: Its release.
        rows: What is known of each type that was asked for.
        known: All types of LMCache that l2sweep knows.
    """

    lmcache_version: str | None
    rows: list[dict[str, Any]]
    known: tuple[str, ...]


def read_catalog(start: StartProcess, adapter_type: str | None, python: str | None) -> Catalog:
    """Ask LMCache about its adapter types, in a benchmark process.

    Args:
        start: Starts the benchmark process.
        adapter_type: The only type; None: all.
        python: Path of the interpreter that runs it; None: the running one.

    Raises:
        BenchError: The process could not be started, or did not answer.
    """
    known = tuple(sorted(set(ADAPTER_KINDS) - set(_NOT_OF_LMCACHE)))
    asked = known if adapter_type is None else (adapter_type,)
    needed = {
        name: tuple(package.module for package in ADAPTER_KINDS.get(name, REMOTE).packages) for name in asked
    }
    job = Job(
        adapter_spec={},
        workload=_NOTHING,
        phases=(),
        namespace="",
        fresh_namespace=True,
        verify=False,
        delete_before=False,
        delete_after=False,
        timeout_s={},
        described_types=needed,
        describes_others=adapter_type is None,
    )
    messages = run_unrecorded(start, job, python)
    accepted = next((one for one in messages if isinstance(one, Accepted)), None)
    if accepted is None:
        raise BenchError("adapters: the process that asks LMCache ended without an answer")
    rows = [_row(one) for one in messages if isinstance(one, AdapterDescribed)]
    return Catalog(accepted.lmcache_version, rows, known)


def example(adapter_type: str) -> str:
    """Return a command that measures an adapter type, with the fields that must be given.

    Args:
        adapter_type: The type as LMCache knows it.
    """
    file = config_folder() / "adapter" / f"{config_name(adapter_type)}.yaml"
    if not file.is_file():
        return f'python -m l2sweep adapter_json=\'{{"type": "{adapter_type}"}}\''
    given = "".join(f" adapter.{name}={name.upper()}" for name in _must_be_given(file))
    destructive = " allow_destructive=true" if ADAPTER_KINDS.get(adapter_type, REMOTE).is_destructive else ""
    return f"python -m l2sweep adapter={file.stem}{given}{destructive}"


def config_name(adapter_type: str) -> str:
    """Return the name of an adapter type in ``conf/adapter``."""
    return adapter_type.replace("-", "_")


def _must_be_given(file: Path) -> list[str]:
    from omegaconf import OmegaConf

    spec: Any = OmegaConf.to_container(OmegaConf.load(file))
    return [str(name) for name, value in spec.items() if value == "???"]


def _row(told: AdapterDescribed) -> dict[str, Any]:
    kind = ADAPTER_KINDS.get(told.adapter_type, REMOTE)
    is_known = told.adapter_type in ADAPTER_KINDS and told.adapter_type not in _WRAPPERS
    state = "usable" if not told.problem else f"missing: {told.missing_module or told.problem}"
    install = _how_to_install(told)
    return {
        "type": told.adapter_type,
        "state": state,
        "problem": told.problem,
        "install": install,
        "needs": "; ".join(part for part in (install, kind.needs) if part),
        "data": kind.place if is_known else None,
        "survives": kind.survives if is_known else None,
        "can_delete": kind.can_delete,
        "lookup_locks": kind.lookup_locks,
        "lookup_answered_by": kind.lookup_answered_by,
        "alignment_bytes": kind.alignment_bytes,
        "leaves_files": kind.leaves_files,
        "reconnects": kind.reconnects,
        "is_destructive": kind.is_destructive,
        "secret_fields": list(kind.secret_fields),
        "example": example(told.adapter_type),
        "fields": told.fields,
    }


def _how_to_install(told: AdapterDescribed) -> str:
    """Return how to get what a type lacks here; empty if it lacks nothing."""
    if not told.problem:
        return ""
    packages = ADAPTER_KINDS.get(told.adapter_type, REMOTE).packages
    for package in packages:
        # The module that is missing may be a part of the package, or the package above it.
        if told.missing_module and (
            f"{package.module}.".startswith(f"{told.missing_module}.")
            or f"{told.missing_module}.".startswith(f"{package.module}.")
        ):
            return package.install
    return f"install the package with the module {told.missing_module}" if told.missing_module else ""
