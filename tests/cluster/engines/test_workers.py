"""What an engine is asked to start, and what it says of a worker that has ended."""

from __future__ import annotations

from pathlib import Path

from l2sweep.cluster.engines.workers import EndedWorker, WantedWorkers


def test_the_command_line_of_a_worker_has_its_rank_and_no_token() -> None:
    wanted = WantedWorkers("10.0.0.1:29500", 4, "a-secret-of-the-sweep", Path("/data"))
    arguments = wanted.arguments(3)
    assert arguments == ["worker", "--rendezvous", "10.0.0.1:29500", "--rank", "3", "--size", "4"]
    assert wanted.token not in arguments


def test_a_worker_that_ended_is_named_with_its_host_and_the_last_line_that_it_wrote() -> None:
    ended = EndedWorker(2, "node3", 1, ("a warning", "l2sweep: refused: another version"))
    assert ended.sentence == "the worker on node3 ended with exit code 1: refused: another version"
    assert EndedWorker(2, "node3", -9, ()).sentence == "the worker on node3 ended with exit code -9"


def test_a_worker_whose_actor_was_lost_has_no_exit_code() -> None:
    lost = EndedWorker(0, "node3", None, ())
    assert lost.sentence == "the worker on node3 is lost: its actor or node has ended"
