"""Tell which process runs a sweep whose results go into a store."""

from __future__ import annotations

from pathlib import Path

from l2sweep.records.store.claim import claims_on
from l2sweep.records.store.place import Place, StorePath
from l2sweep.sweep.state.sweep_lock import Runner, who_runs


def runner_of(place: Place, sweep_id: str) -> Runner | None:
    """Return the process that runs a sweep, or may run it; None if there is none.

    Args:
        place: Folder or store of the results.
        sweep_id: The sweep.

    Raises:
        StoreError: The store did not tell.
    """
    if isinstance(place, Path):
        return who_runs(place / "sweeps" / sweep_id)
    return _claimant(place, sweep_id)


def _claimant(place: StorePath, sweep_id: str) -> Runner | None:
    for owner in claims_on(place.sweeps.store, sweep_id):
        return Runner(f"sweep {sweep_id} is being run by {owner}", is_certain=True)
    return None
