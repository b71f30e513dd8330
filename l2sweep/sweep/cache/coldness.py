"""Decide whether a phase was cold, from kernel counters and not from what was requested."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from l2sweep.bench.messages import RoundMeasured
from l2sweep.bench.page_cache import Residency
from l2sweep.config.point import PointConfig
from l2sweep.records.environment import Storage

COLD, WARM, BYPASSED, UNCONTROLLED = "cold", "warm", "bypassed", "uncontrolled"

# Not 1.0, because some file systems store the tail of a file elsewhere. The limit for a warm load of a hot
# point mirrors it; between the two limits nothing is certain.
_MIN_COLD_DEVICE_READ_FRACTION = 0.9
_MAX_WARM_DEVICE_READ_FRACTION = 0.1

# Their files are memory: no device holds the data.
_MEMORY_FILE_SYSTEMS = ("tmpfs", "ramfs", "hugetlbfs")
# The server has a cache as well, which cannot be observed from this machine.
_NETWORK_FILE_SYSTEMS = (
    *("nfs", "nfs4", "cifs", "smb3", "9p", "ceph", "lustre", "gpfs", "glusterfs", "beegfs", "afs"),
    *("virtiofs", "fuse", "fuseblk"),
)
# The pages of an overlay belong to the layer below, and ZFS keeps its data in a cache of its own:
# cachestat(2) and mincore(2) do not show them.
_HIDDEN_PAGES_FILE_SYSTEMS = ("overlay", "zfs")


@dataclass(frozen=True)
class CacheEvidence:
    """What was measured of the page cache around one phase of a point.

    A value is None where it was not measured, or where the kernel does not report it.

    Attributes:
        method: The method that dropped the page cache; empty where it was not dropped.
        drops_metadata: Whether that method also drops names and inodes, which a lookup of files reads.
        before: Pages before the drop.
        after: Pages after the drop.
        drop_s: Seconds that the drop took.
        resident_at_start: Fraction of the pages that were in the page cache just before the first round.
        resident_at_end: Fraction of the pages that were in the page cache after the last round.
        block_device_read_bytes: Bytes that the block device read during the phase, for any process.
    """

    method: str = ""
    drops_metadata: bool = False
    before: Residency | None = None
    after: Residency | None = None
    drop_s: float | None = None
    resident_at_start: float | None = None
    resident_at_end: float | None = None
    block_device_read_bytes: int | None = None

    @property
    def resident_after(self) -> float | None:
        """Fraction of the pages in the page cache when the phase began, from the latest measurement."""
        if self.resident_at_start is not None:
            return self.resident_at_start
        return None if self.after is None else self.after.resident_fraction


def device_read_fraction(rounds: Sequence[RoundMeasured]) -> float | None:
    """Return the bytes read from the device divided by the bytes loaded.

    The device bytes of a round count at most up to its loaded bytes. Otherwise other reads in one round
    (read-ahead, libraries) could hide that another round was served from memory.

    Args:
        rounds: Rounds of one process, including warm-up rounds. Rounds of other phases are ignored.

    Returns:
        1 if the device delivered all bytes, 0 if memory did; None if nothing was loaded, or if the kernel
        does not report what the process read.
    """
    loads = [one for one in rounds if one.phase == "load" and one.bytes_ok]
    if not loads or any(one.device_read_bytes is None for one in loads):
        return None
    from_device = sum(min(one.device_read_bytes or 0, one.bytes_ok) for one in loads)
    return from_device / sum(one.bytes_ok for one in loads)


def cache_state(
    point: PointConfig,
    phase: str,
    storages: Sequence[Storage],
    evidence: CacheEvidence,
    rounds: Sequence[RoundMeasured],
    *,
    cold_requested: bool,
) -> str | None:
    """Return the state of the page cache that a phase ran with.

    Args:
        point: The point.
        phase: store, lookup or load; ``all`` for a process that runs all phases, of which the load is judged.
        storages: The storage of each path that holds the data of the adapter.
        evidence: The measurements around the phase.
        rounds: The rounds of the process.
        cold_requested: Whether the configuration requires a cold phase.

    Returns:
        ``cold``; ``warm``; ``bypassed`` (O_DIRECT or a raw device, confirmed by the reads of the device); or
        ``uncontrolled`` (a cache that cannot be observed from this machine). None for a store, which reads
        nothing; for a load that loaded nothing; for a lookup that was not requested cold; and for an adapter
        that keeps its data in its process.
    """
    traits = point.traits
    if phase == "store" or traits.kind.lost_because:
        return None
    if not traits.cached_paths:
        return COLD if evidence.method == "command" else UNCONTROLLED
    if any(map(is_network, storages)) and evidence.method != "command":
        return UNCONTROLLED
    limit = point.cache.max_resident_fraction
    resident = evidence.resident_after
    if phase == "lookup":
        if not cold_requested:
            return None
        if resident is not None and resident > limit:
            return WARM
        return COLD if evidence.drops_metadata else UNCONTROLLED
    if cold_requested and resident is not None and resident > limit:
        return WARM
    if not any(one.phase == "load" and one.bytes_ok for one in rounds):
        return None
    read = device_read_fraction(rounds)
    from_device = read is not None and read >= _MIN_COLD_DEVICE_READ_FRACTION
    not_cached_at_end = evidence.resident_at_end is not None and evidence.resident_at_end <= limit
    if traits.asks_for_direct and from_device and not_cached_at_end:
        return BYPASSED
    if not cold_requested:
        return WARM if read is not None and read <= _MAX_WARM_DEVICE_READ_FRACTION else UNCONTROLLED
    if read is None and resident is None:
        return UNCONTROLLED
    return COLD if read is None or from_device else WARM


def hides_pages(storage: Storage) -> bool:
    """Whether files on this storage are in the page cache but the kernel reports none of their pages."""
    return storage.fs_type in _HIDDEN_PAGES_FILE_SYSTEMS


def is_network(storage: Storage) -> bool:
    """Whether a server holds the data, judged by the type of the file system."""
    fs_type = storage.fs_type or ""
    return fs_type in _NETWORK_FILE_SYSTEMS or fs_type.startswith("fuse.")


def why_never_cold(point: PointConfig) -> str:
    """Return why a point with ``cache=cold`` cannot be measured cold; empty if it can."""
    traits = point.traits
    if point.cache.is_cold and traits.kind.lost_because:
        return (
            f"cache=cold: the {point.adapter_type} adapter {traits.kind.lost_because}, so no later process "
            "can find what was stored; use cache=hot"
        )
    for path in traits.cached_paths if point.cache.is_cold and point.cache.drop_before else ():
        fs_type = Storage.behind(path).fs_type
        if fs_type in _MEMORY_FILE_SYSTEMS:
            return (
                f"cache=cold: {path} is on {fs_type}, whose files are memory and cannot be cold; "
                "use a folder on a disk, or cache=hot"
            )
    return ""
