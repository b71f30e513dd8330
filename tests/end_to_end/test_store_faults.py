"""A sweep whose results go into a store survives SIGKILL, and a store that is away: no row lost or doubled.

``L2SWEEP_STORE_TRIALS=20`` runs as many trials as one likes, from ``L2SWEEP_SEED`` on; a few are enough for
every day.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from chaos.store_trial import StoreTrial
from real_servers import running
from stores import ResultsStore

TRIALS = int(os.environ.get("L2SWEEP_STORE_TRIALS", "3"))
FIRST_SEED = int(os.environ.get("L2SWEEP_SEED", "0"))


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ResultsStore]:
    server = ResultsStore(tmp_path_factory.mktemp("store"))
    with running(server), pytest.MonkeyPatch.context() as patch:
        server.make_bucket()
        for name, value in server.environment.items():
            patch.setenv(name, value)
        yield server


@pytest.mark.every_trial
@pytest.mark.long
@pytest.mark.parametrize("seed", range(FIRST_SEED, FIRST_SEED + TRIALS))
def test_no_row_is_lost_or_doubled_by_faults_of_the_launcher_and_the_store(
    seed: int, tmp_path: Path, store: ResultsStore
) -> None:
    trial = StoreTrial(seed, tmp_path, store)
    trial.run()
    story = "\n".join([f"seed {seed}", *trial.history, *trial.amiss])
    print(story)
    assert not trial.amiss, story
