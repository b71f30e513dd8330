"""Tell which process runs a sweep whose results go into a store."""

from __future__ import annotations

import time
from pathlib import Path

from l2sweep.errors import shown
from l2sweep.records.store.claim import EXPIRES_S, claims_on
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
    for claim in claims_on(place.sweeps.store, sweep_id):
        if claim.owner.is_alive:
            return Runner(f"sweep {sweep_id} is being run by {claim.owner}", is_certain=True)
        # As far as the clocks of the store and of this host agree.
        age_s = max(0.0, time.time() - claim.put_ns / 1e9)
        last_seen = f"last seen {_ago(age_s)} on {shown(claim.owner.host.name)}"
        if age_s > EXPIRES_S:
            what = "it has died, or is cut off from the store; the sweep can be resumed"
        else:
            what = f"if it has died, its claim expires after {EXPIRES_S / 60:.0f} minutes"
        sentence = f"sweep {sweep_id} is not finished: {claim.owner} was last seen {_ago(age_s)}: {what}"
        return Runner(sentence, last_seen=last_seen)
    return None


def _ago(age_s: float) -> str:
    for seconds, unit in ((86400.0, "days"), (3600.0, "h"), (60.0, "min")):
        if age_s >= 2 * seconds:
            return f"{age_s / seconds:.0f} {unit} ago"
    return f"{age_s:.0f} s ago"
