"""Remove the objects of a sweep from a store."""

from __future__ import annotations

from l2sweep.records.store.counted import (
    SWEEPS,
    Counted,
    is_key_of,
    is_record,
    manifest_key,
    object_keys,
    read_counted,
)
from l2sweep.records.store.object_store import ObjectStore


def remove_objects(store: ObjectStore, sweep_id: str) -> None:
    """Remove all objects of a sweep but its claims. The caller holds the claim on it.

    First the manifest object names none of them any more, so that no reader finds a part of the sweep. It is
    deleted last: until then it names what is left, and another call goes on.

    Args:
        store: The store.
        sweep_id: The sweep.

    Raises:
        StoreError: The store did not do it. No reader finds the sweep, or nothing was changed.
        ValueError: The manifest object is damaged.
    """
    counted = read_counted(store, sweep_id)
    keys = {*object_keys(counted.objects), *counted.replaced}
    folders = {key.rpartition("/")[0] for key in keys if is_record(key)} | {f"{SWEEPS}/{sweep_id}"}
    for folder in folders:
        keys |= {f"{folder}/{name}" for name in store.ages_ns(folder)}
    keys.discard(manifest_key(sweep_id))
    named = sorted(key for key in keys if is_key_of(key, sweep_id))
    store.put(manifest_key(sweep_id), Counted(sweep_id, {}, named).to_json())
    for key in sorted(keys):
        store.delete(key)
    store.delete(manifest_key(sweep_id))


def is_half_removed(store: ObjectStore, sweep_id: str) -> bool:
    """Whether a removal of a sweep did not end.

    Raises:
        StoreError: The store did not tell.
        ValueError: The manifest object is damaged.
    """
    counted = read_counted(store, sweep_id)
    return not counted.objects and bool(counted.replaced)
