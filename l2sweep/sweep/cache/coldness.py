"""What was cold, judged by what the kernel counted, never by what was asked for."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from l2sweep.bench.messages import RoundMeasured
from l2sweep.bench.page_cache import Residency
from l2sweep.config.point import PointConfig
from l2sweep.records.environment import Storage

COLD, WARM, BYPASSED, UNCONTROLLED = "cold", "warm", "bypassed", "uncontrolled"

LEAST_DEVICE_READ = 0.9
"""Share of the loaded bytes that must come from the device: some file systems keep small tails elsewhere."""
_MOST_OF_WARM = 0.1

# Their files are memory: there is nothing colder behind it.
MEMORY_FILE_SYSTEMS = ("tmpfs", "ramfs", "hugetlbfs")
# The server has a cache, too, which nothing here can see.
_NETWORK_FILE_SYSTEMS = (
    *("nfs", "nfs4", "cifs", "smb3", "9p", "ceph", "lustre", "gpfs", "glusterfs", "beegfs", "afs"),
    *("virtiofs", "fuse", "fuseblk"),
)
# An overlay's pages are with the layer below, ZFS keeps its data in a cache of its own: cachestat(2) and
# mincore(2) see none of them.
_BLIND_FILE_SYSTEMS = ("overlay", "zfs")


@dataclass(frozen=True)
class CacheEvidence:
    """What is known of the page cache around one operation of a point; None: not looked at, or not told.

    Attributes:
        method: How it was dropped; empty where it was not.
        drops_metadata: Whether that drops names and inodes as well, which a lookup of files reads.
        before: Pages before the drop.
        after: Pages after it.
        drop_s: Seconds that the drop took.
        resident_at_start: Share of the pages in the page cache just before the first round.
        resident_at_end: The same after the last one.
        block_device_read_bytes: What the block device read meanwhile, for whomever.
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
        """Share of the pages in the page cache when the operation began: looked at as late as can be."""
        if self.resident_at_start is not None:
            return self.resident_at_start
        return None if self.after is None else self.after.resident_share


def device_read_fraction(rounds: Sequence[RoundMeasured]) -> float | None:
    """Return the bytes that the device was read for over the bytes that were loaded.

    Of a round no more counts than it loaded: what it read besides, of a library or ahead, must not stand in
    for what came from memory in another one.

    Args:
        rounds: Of one process; those that are no loads are passed over. Warm-up rounds count as any other.

    Returns:
        1 where all came from the device, 0 where all came from memory; None where nothing was loaded or the
        kernel does not tell.
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
    asked_cold: bool,
) -> str | None:
    """Say what an operation found in the page cache.

    Args:
        point: The point.
        phase: store, lookup, load; ``all`` for a process that does all three, where the load is judged.
        storages: What each of the paths of the adapter's data lies on.
        evidence: What was seen.
        rounds: What the process measured.
        asked_cold: Whether the operation was to be cold.

    Returns:
        ``cold``, ``warm``, ``bypassed`` (O_DIRECT or a raw device, seen by the device's reads),
        ``uncontrolled`` (a cache that cannot be seen from here), or None for a store, which reads nothing,
        a load that loaded nothing, a lookup that was not to be cold, and an adapter that keeps its data in
        its process.
    """
    traits = point.traits
    if phase == "store" or traits.lost_because:
        return None
    if not traits.paths:
        return COLD if evidence.method == "command" else UNCONTROLLED
    if any(map(is_network, storages)) and evidence.method != "command":
        return UNCONTROLLED
    limit = point.cache.max_resident
    resident = evidence.resident_after
    if phase == "lookup":
        if not asked_cold:
            return None
        if resident is not None and resident > limit:
            return WARM
        return COLD if evidence.drops_metadata else UNCONTROLLED
    if asked_cold and resident is not None and resident > limit:
        return WARM
    if not any(one.phase == "load" and one.bytes_ok for one in rounds):
        return None  # nothing was loaded, so nothing was cold
    read = device_read_fraction(rounds)
    from_device = read is not None and read >= LEAST_DEVICE_READ
    stayed_out = evidence.resident_at_end is not None and evidence.resident_at_end <= limit
    if traits.asks_for_direct and from_device and stayed_out:
        return BYPASSED
    if not asked_cold:
        return WARM if read is not None and read <= _MOST_OF_WARM else UNCONTROLLED
    if read is None and resident is None:
        return UNCONTROLLED  # nothing tells
    return COLD if read is None or from_device else WARM


def hides_pages(storage: Storage) -> bool:
    """Whether the kernel shows none of the pages of files there, though they are in the page cache."""
    return storage.fs_type in _BLIND_FILE_SYSTEMS


def is_network(storage: Storage) -> bool:
    """Whether the data are on a server, by the type of the file system."""
    fs_type = storage.fs_type or ""
    return fs_type in _NETWORK_FILE_SYSTEMS or fs_type.startswith("fuse.")


def never_cold(point: PointConfig) -> str:
    """Return why a point cannot be measured cold at all; an empty text where it can."""
    traits = point.traits
    if point.cache.is_cold and traits.lost_because:
        return (
            f"cache=cold: the {point.adapter_type} adapter {traits.lost_because}, so that no later process "
            "could find what was stored; use cache=hot"
        )
    for path in traits.paths if point.cache.is_cold and point.cache.between else ():
        fs_type = Storage.behind(path).fs_type
        if fs_type in MEMORY_FILE_SYSTEMS:
            return (
                f"cache=cold: {path} is on {fs_type}, whose files are memory and cannot be cold; "
                "give a folder on a disk, or use cache=hot"
            )
    return ""
