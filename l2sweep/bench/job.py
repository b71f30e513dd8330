"""The job of a benchmark process."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import MISSING, asdict, dataclass, fields, replace
from typing import Any

from l2sweep.bench.data.keys import KeyLayout
from l2sweep.bench.rendezvous.address import Rendezvous
from l2sweep.bench.trace.requests import TraceReplay
from l2sweep.bench.workload import Workload

PHASES = ("store", "lookup", "load")
ADAPTER, STORAGE_MANAGER = "adapter", "storage_manager"
"""What a point is driven through: the adapter alone, or LMCache's ``StorageManager`` above it."""
MIXED_PHASES = ("mixed_store", "mixed_load")
"""What ``concurrent=true`` adds: the stores and the loads that are in flight at the same time."""
MOVING_PHASES = ("store", "load")
"""The phases that move payload. The storage manager has no other: its prefetch looks up the keys."""
FIO = "fio"
"""An adapter type that is not an adapter of LMCache: fio(1), measured as a control."""
PATH_FIELDS = ("base_path", "device_path", "file_path")
"""Fields of a spec, or of a mapping inside it, that name the local place of an adapter's data."""
MORE_ADAPTERS = "more_adapters"
"""Field of a spec, which LMCache never sees: the specs of further L2 adapters behind one storage manager. It
is a mapping from the number of the adapter, from "2" on, to its spec."""


@dataclass(frozen=True)
class Job:
    """One point, or some phases of it, as a benchmark process needs to know it.

    Attributes:
        adapter_spec: The spec that is passed to LMCache, including credentials. The benchmark process only
            replaces references to secrets by their values.
        workload: The workload of the point.
        phases: The phases to run in this process, in the order of ``PHASES``.
        namespace: Model name in every key.
        fresh_namespace: Whether no key was ever stored in this namespace.
        shared_namespace: Whether others may have stored keys in it, because the user chose it.
        verify: Whether to check every byte of each measured load round.
        delete_before: Whether to delete the point's keys before the first store.
        delete_after: Whether to delete the point's keys at the end.
        timeout_s: For each phase, the seconds that a round may take.
        keys_stored: Whether the point has a store phase, here or in an earlier process, so that a lookup must
            find its keys.
        stored_rounds: Number of rounds that the store phase ran, here or in an earlier process; None: as many
            as the workload allows.
        cache_paths: Folders, files and devices whose pages in the page cache are counted; empty: none.
        max_resident_fraction: Largest fraction of these pages, 0 to 1, with which a lookup or load may start;
            None: any.
        flush_paths: Paths that are flushed after each store round, outside its duration.
        block_devices: Names in ``/dev`` of the lowest block devices that hold the point's data.
        hides_pages: Whether the kernel does not report the pages of the point's files.
        payload_namespace: Namespace of the payload; empty: the same bytes in every namespace.
        profile_mode: What the profiler of LMCache samples during each phase; empty: it does not run.
        profile_stem: Path of the flame graphs, without the phase, the mode and the extension.
        profile_scripts_dir: Folder of the FlameGraph scripts.
        through: ``adapter`` or ``storage_manager``.
        serde_tolerance: Largest relative error of a loaded number, where the spec has a serde; None: that of
            the serde.
        concurrent: Whether keys are also loaded while others are stored, after the phases.
        trace: The trace that the process replays instead of rounds; None: it runs rounds.
        folder: Current folder of the process, to which relative paths refer; empty: where it was started.
        described_types: For a job that only describes adapter types: for each of them, the modules that it
            needs besides its own. Types of LMCache that are not named are described as well, unless
            ``describes_others`` is false. None for any other job.
        describes_others: See ``described_types``.
        remembers_stored: Whether a process looks up the keys that it stored in its own memory.
        import_paths: Folders that are added at the end of ``sys.path``, so that they replace no module.
        rendezvous: Where the clients of the point meet before each round; None: it has one client.
    """

    adapter_spec: dict[str, Any]
    workload: Workload
    phases: tuple[str, ...]
    namespace: str
    fresh_namespace: bool
    verify: bool
    delete_before: bool
    delete_after: bool
    timeout_s: Mapping[str, float]
    shared_namespace: bool = False
    keys_stored: bool = False
    stored_rounds: int | None = None
    cache_paths: tuple[str, ...] = ()
    max_resident_fraction: float | None = None
    flush_paths: tuple[str, ...] = ()
    block_devices: tuple[str, ...] = ()
    hides_pages: bool = False
    payload_namespace: str = ""
    profile_mode: str = ""
    profile_stem: str = ""
    profile_scripts_dir: str = ""
    trace: TraceReplay | None = None
    folder: str = ""
    described_types: Mapping[str, tuple[str, ...]] | None = None
    describes_others: bool = False
    remembers_stored: bool = False
    import_paths: tuple[str, ...] = ()
    through: str = ADAPTER
    serde_tolerance: float | None = None
    concurrent: bool = False
    rendezvous: Rendezvous | None = None

    @property
    def kv_rank(self) -> int | None:
        """The ``kv_rank`` of every key; None: the index of the key, as in ``lmcache bench l2``.

        The store controller of LMCache submits the keys of each ``kv_rank`` apart (``_group_keys_by_shape``).
        """
        return 1 if self.through == STORAGE_MANAGER else None

    @property
    def only_checks_spec(self) -> bool:
        """Whether the process only checks that the spec is accepted."""
        return not self.phases and not self.delete_after

    @property
    def key_layout(self) -> KeyLayout:
        """The indices of the keys of the point."""
        return KeyLayout(
            self.workload,
            self.stored_rounds,
            is_concurrent=self.concurrent,
            trace_keys=None if self.trace is None else self.trace.num_keys,
        )

    @property
    def sentinel_namespace(self) -> str:
        """The namespace of a key that is stored only as a sentinel (``bench/checks/sentinel.py``).

        It differs from the namespace of the point, where every key may be counted, or belong to others. It
        does not contain that name either: the files of the point are found by it. The same job has the same
        one, so that a later process finds what a killed one left.
        """
        return f"l2sweep-sentinel-{hashlib.sha256(self.namespace.encode()).hexdigest()[:16]}"

    def of_client(self, client: int) -> Job:
        """Return the job of one of several clients, which has keys and bytes of its own.

        Args:
            client: Number of the client, from 0.
        """
        # Of one length, so that no name contains that of another client: files are found by it.
        own = f"-c{client:03d}"
        payload = f"{self.payload_namespace or self.namespace}{own}"
        return replace(self, namespace=f"{self.namespace}{own}", payload_namespace=payload)

    def to_json(self) -> str:
        """Return the job as JSON text."""
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, text: str) -> Job:
        """Return the job in the JSON text that :meth:`to_json` wrote, in this release or an earlier one.

        Raises:
            ValueError: The text is not JSON.
            KeyError: A field of the workload is missing.
            TypeError: A field is missing or unknown.
        """
        values = json.loads(text)
        if "workload" not in values:  # written by a release before Workload: all fields are at the top level
            required = [field.name for field in fields(Workload) if field.default is MISSING]
            values["workload"] = {name: values.pop(name) for name in required}
            values["max_resident_fraction"] = values.pop("max_resident", None)
        values["workload"] = Workload(**values["workload"])
        for name in ("phases", "cache_paths", "flush_paths", "block_devices", "import_paths"):
            values[name] = tuple(values.get(name, ()))
        if values.get("trace") is not None:
            values["trace"] = TraceReplay(**values["trace"])
        if values.get("rendezvous") is not None:
            rendezvous = values["rendezvous"]
            remote = tuple(rendezvous.get("remote", ()))
            values["rendezvous"] = Rendezvous(**{**rendezvous, "remote": remote})
        return cls(**values)


def specs_of(spec: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return the spec of each L2 adapter of a point, the first one without ``MORE_ADAPTERS``.

    Args:
        spec: The spec of a point.
    """
    first = {name: value for name, value in spec.items() if name != MORE_ADAPTERS}
    return [first, *map(dict, spec.get(MORE_ADAPTERS, {}).values())]


def local_paths(spec: Mapping[str, Any]) -> list[str]:
    """Return the local places of an adapter's data: the fields ``PATH_FIELDS`` of a spec, its own first.

    Args:
        spec: An adapter spec.
    """
    own = [str(spec[name]) for name in PATH_FIELDS if isinstance(spec.get(name), str)]
    inside = [path for value in spec.values() if isinstance(value, Mapping) for path in local_paths(value)]
    return own + [path for path in inside if path]


def adapter_types(spec: Mapping[str, Any]) -> list[str]:
    """Return the adapter type of a spec, and the types of the specs that it contains.

    Args:
        spec: An adapter spec.
    """
    inside = [name for value in spec.values() if isinstance(value, Mapping) for name in adapter_types(value)]
    return [str(spec["type"]), *inside] if "type" in spec else inside
