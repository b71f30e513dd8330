"""The processes of a point, and the page cache between them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from shipped import point

from l2sweep.bench.page_cache import PAGE_BYTES, Residency
from l2sweep.config.cache import CacheConfig
from l2sweep.config.point import PointConfig
from l2sweep.errors import BenchError
from l2sweep.sweep.attempt import process_steps as process_steps_module
from l2sweep.sweep.attempt.process_steps import ProcessStep, drop_page_cache, process_steps
from l2sweep.sweep.cache.drop import CacheDrop
from l2sweep.sweep.clients.share import Share

FS = {"type": "fs", "base_path": "/mnt/kv"}
HOT = replace(point(), adapter_spec=FS, spec_identity=FS)


def cold(*drop_before: str, **changes: Any) -> PointConfig:
    cache = CacheConfig(mode="cold", drop_before=list(drop_before), method="fadvise")
    return replace(HOT, cache=cache, **changes)


def steps_of(config: PointConfig) -> list[ProcessStep]:
    return list(process_steps(config, config.job("test"), *Share.all_of(1, config.clients)))


def test_a_hot_point_has_one_process_for_all_phases() -> None:
    job = HOT.job("test")
    (share,) = Share.all_of(1, 1)
    expected = ProcessStep("all", job, is_cold=False, inspected_paths=(), share=share)
    assert list(process_steps(HOT, job, share)) == [expected]
    assert job.phases == ("store", "lookup", "load")


def test_the_process_of_a_hot_point_with_one_phase_has_its_name() -> None:
    (step,) = steps_of(replace(HOT, only="load"))
    assert (step.phase, step.job.phases, step.is_cold) == ("load", ("load",), False)


def test_a_cold_point_has_a_process_per_phase_with_the_same_keys() -> None:
    steps = steps_of(cold("lookup", "load"))
    assert [step.phase for step in steps] == ["store", "lookup", "load"]
    assert [step.job.phases for step in steps] == [("store",), ("lookup",), ("load",)]
    assert [step.is_cold for step in steps] == [False, True, True]
    assert len({step.job.namespace for step in steps}) == 1


def test_only_the_last_process_of_a_cold_point_deletes_the_keys() -> None:
    steps = steps_of(cold("lookup", "load"))
    assert [step.job.delete_after for step in steps] == [False, False, True]
    steps = steps_of(cold("lookup", "load", keep_data=True))
    assert [step.job.delete_after for step in steps] == [False, False, False]


def test_the_page_cache_is_dropped_only_before_the_requested_phases() -> None:
    steps = steps_of(cold("load"))
    assert [step.is_cold for step in steps] == [False, False, True]


def test_only_a_cold_phase_has_a_limit_of_resident_pages() -> None:
    steps = steps_of(cold("load"))
    assert [step.job.max_resident_fraction for step in steps] == [None, None, 0.01]


def test_the_process_of_a_cold_lookup_does_not_count_pages() -> None:
    steps = steps_of(cold("lookup", "load"))
    assert [step.job.cache_paths for step in steps] == [("/mnt/kv",), (), ("/mnt/kv",)]
    assert [step.inspected_paths for step in steps] == [("/mnt/kv",)] * 3


def test_the_process_of_a_lookup_that_is_not_cold_counts_pages() -> None:
    steps = steps_of(cold("load"))
    assert [step.job.cache_paths for step in steps] == [("/mnt/kv",)] * 3


class FakeDrop(CacheDrop):
    """Remember each drop."""

    def __init__(self, name: str = "fake", *, drops_metadata: bool = False) -> None:
        self.name = name
        self.drops_metadata = drops_metadata
        self.drops: list[tuple[Sequence[str], str]] = []

    def why_unusable(self) -> str:
        return ""

    def drop(self, paths: Sequence[str], namespace: str) -> None:
        self.drops.append((paths, namespace))


def count_pages(monkeypatch: pytest.MonkeyPatch, *resident: int | None) -> list[str]:
    """Let the pages be counted as resident of 100, in this order; return the list of the namespaces."""
    counts = iter(resident)
    namespaces: list[str] = []

    def residency(paths: Sequence[str], namespace: str) -> Residency | None:
        namespaces.append(namespace)
        count = next(counts)
        return None if count is None else Residency(100, count, 0)

    monkeypatch.setattr(process_steps_module, "residency", residency)
    return namespaces


COLD_LOAD = steps_of(cold("load"))[-1]


def test_the_pages_are_counted_before_and_after_the_drop(monkeypatch: pytest.MonkeyPatch) -> None:
    namespaces = count_pages(monkeypatch, 90, 1)
    method = FakeDrop()
    evidence = drop_page_cache(method, COLD_LOAD, ["/mnt/kv"])
    assert method.drops == [(["/mnt/kv"], COLD_LOAD.job.namespace)]
    assert namespaces == [COLD_LOAD.job.namespace] * 2
    assert (evidence.before, evidence.after) == (Residency(100, 90, 0), Residency(100, 1, 0))
    assert (evidence.method, evidence.drops_metadata) == ("fake", False)
    assert evidence.drop_s is not None


@pytest.mark.parametrize(
    ("resident", "num_drops", "resident_after"),
    [((90, 50, 0), 2, 0), ((90, 50, 40, 0), 3, 0), ((90, 50, 40, 30), 3, 30)],
)
def test_pages_that_stay_are_dropped_again_up_to_three_times(
    monkeypatch: pytest.MonkeyPatch, resident: tuple[int, ...], num_drops: int, resident_after: int
) -> None:
    count_pages(monkeypatch, *resident)
    method = FakeDrop()
    evidence = drop_page_cache(method, COLD_LOAD, ["/mnt/kv"])
    assert len(method.drops) == num_drops
    assert evidence.after == Residency(100, resident_after, 0)


def test_names_and_inodes_that_the_count_loaded_are_dropped_again(monkeypatch: pytest.MonkeyPatch) -> None:
    count_pages(monkeypatch, 90, 0)
    method = FakeDrop(drops_metadata=True)
    assert drop_page_cache(method, COLD_LOAD, ["/mnt/kv"]).drops_metadata
    assert len(method.drops) == 2


def test_pages_that_cannot_be_counted_are_dropped_once(monkeypatch: pytest.MonkeyPatch) -> None:
    count_pages(monkeypatch, None, None)
    method = FakeDrop()
    evidence = drop_page_cache(method, COLD_LOAD, ["/mnt/kv"])
    assert (len(method.drops), evidence.before, evidence.after) == (1, None, None)


def test_without_paths_no_pages_are_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    namespaces = count_pages(monkeypatch)
    method = FakeDrop()
    drop_page_cache(method, replace(COLD_LOAD, inspected_paths=()), [])
    assert (len(method.drops), namespaces) == (1, [])


def test_a_point_whose_page_cache_is_not_dropped_has_no_method(monkeypatch: pytest.MonkeyPatch) -> None:
    count_pages(monkeypatch, 0, 0)
    assert drop_page_cache(FakeDrop("none"), COLD_LOAD, []).method == ""


def test_a_drop_that_fails_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    class Failing(FakeDrop):
        def drop(self, paths: Sequence[str], namespace: str) -> None:
            raise BenchError("cache.command: 'false' ended with exit code 1")

    count_pages(monkeypatch, 90)
    with pytest.raises(BenchError, match="ended with exit code 1"):
        drop_page_cache(Failing(), COLD_LOAD, [])


def stay(monkeypatch: pytest.MonkeyPatch, *loop_pages: int) -> None:
    """Let the pages of the point be gone, and those of the loop file be resident as given, in this order."""
    counts = iter(loop_pages)

    def residency(paths: Sequence[str], namespace: str) -> Residency:
        return Residency(10**6, 0, 0) if namespace else Residency(10**6, next(counts), 0)

    monkeypatch.setattr(process_steps_module, "residency", residency)


# 1 % of the payload (9 rounds of 1 MiB), and 1 MiB of metadata.
STEP_OF_9_MIB = steps_of(cold("load", num_keys=4, in_flight=1, data_size_kb=256, rounds=9, warmup_rounds=0))[
    -1
]
LIMIT_PAGES = (9 * 2**20 // 100 + 2**20) // PAGE_BYTES


@pytest.mark.parametrize(
    ("loop_pages", "num_drops", "stayed"),
    [
        ((LIMIT_PAGES,), 1, False),
        ((LIMIT_PAGES + 1, 0), 2, False),
        ((LIMIT_PAGES + 1,) * 3, 3, True),
    ],
)
def test_the_file_of_a_loop_device_is_dropped_and_observed_as_well(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, loop_pages: Sequence[int], num_drops: int, stayed: bool
) -> None:
    image = tmp_path / "image"
    image.touch()
    stay(monkeypatch, *loop_pages)
    method = FakeDrop()
    evidence = drop_page_cache(method, STEP_OF_9_MIB, ["/mnt/kv"], [str(image), "/not/here"])
    assert [paths for paths, _ in method.drops] == [["/mnt/kv", str(image)]] * num_drops
    assert evidence.loop_files_stayed is stayed


def test_each_client_has_a_job_and_all_meet_at_one_place() -> None:
    (step,) = steps_of(replace(HOT, clients=3))
    assert step.share.clients == range(3)
    jobs = step.jobs
    assert [job.namespace for job in jobs] == [f"{step.job.namespace}-c00{client}" for client in range(3)]
    places = [job.rendezvous for job in jobs if job.rendezvous is not None]
    assert [(place.rank, place.size, place.port) for place in places] == [(0, 3, 0), (1, 3, 0), (2, 3, 0)]
    assert len({place.token for place in places}) == 1
    (another,) = steps_of(replace(HOT, clients=3))
    assert another.jobs[0].rendezvous != places[0]  # each attempt has tokens of its own
    first, *_, last = (step.jobs[0].rendezvous for step in steps_of(cold("load", clients=3)))
    assert first != last  # and so has each step
    assert all(place.remote == () for place in places)


def test_each_host_has_its_clients_and_all_meet_at_one_place() -> None:
    config = replace(HOT, clients=2, hosts=2)
    steps = [list(process_steps(config, config.job("test"), one)) for one in Share.all_of(2, 2, "10.0.0.1")]
    jobs = [job for of_host in steps for step in of_host for job in step.jobs]
    assert [job.namespace[-5:] for job in jobs] == ["-c000", "-c001", "-c002", "-c003"]
    places = [job.rendezvous for job in jobs if job.rendezvous is not None]
    assert [(place.rank, place.size, place.host) for place in places] == [
        (client, 4, "10.0.0.1") for client in range(4)
    ]
    assert len({place.token for place in places}) == 1
    assert {place.remote for place in places} == {(2, 3)}


def test_one_client_has_the_job_of_the_point() -> None:
    (step,) = steps_of(HOT)
    assert step.jobs == [step.job]
    assert step.job.rendezvous is None
