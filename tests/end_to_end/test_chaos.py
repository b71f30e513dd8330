"""Random faults: no point is lost or doubled, no file is unreadable, nothing is left behind.

``make chaos TRIALS=200 SEED=1000`` runs as many trials as one likes. The name of a test contains the seed of
its trial: ``make chaos TRIALS=1 SEED=1017`` repeats one.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest
from chaos.trial import Trial
from conftest import RunL2Sweep

TRIALS = int(os.environ.get("L2SWEEP_TRIALS", "20"))
FIRST_SEED = int(os.environ.get("L2SWEEP_SEED", "0"))


@pytest.mark.every_trial
@pytest.mark.usefixtures("root")  # a small file system is mounted
@pytest.mark.parametrize("seed", range(FIRST_SEED, FIRST_SEED + TRIALS))
def test_a_sweep_with_faults_is_resumed_completely(
    seed: int, run_l2sweep: RunL2Sweep, tmp_path: Path, record_property: Callable[[str, object], None]
) -> None:
    trial = Trial(seed, tmp_path, run_l2sweep)
    trial.run()
    counts = trial.amiss.counts()
    record_property("chaos", {"faults": len(trial.history) - 1, **counts})
    story = "\n".join([f"seed {seed}", *trial.history, str(trial.amiss)])
    assert not any(counts.values()), story
