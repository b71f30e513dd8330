"""The rows of a process: every column of the schema, and no credentials."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from fake_process import round_measured
from shipped import point

import l2sweep
from l2sweep.bench.messages import Accepted, AdapterCreated, Finished
from l2sweep.bench.page_cache import Residency
from l2sweep.bench.rounds.schedule import RoundsEnd
from l2sweep.config.cache import CacheConfig
from l2sweep.config.point import PointConfig
from l2sweep.config.sweep import SweepConfig
from l2sweep.process.bench_process import ProcessEnd
from l2sweep.process.report import ProcessReport
from l2sweep.records.environment import Machine, Storage
from l2sweep.records.schema import POINTS, ROUNDS
from l2sweep.records.writer import write_point
from l2sweep.sweep.cache.coldness import CacheEvidence
from l2sweep.sweep.plan import PlannedPoint
from l2sweep.sweep.rows import PointColumns, Row, confirmed_rows

MACHINE = Machine("bench-1", "Linux 6.1", "EPYC", 8, 2**36)
STORAGE = Storage("ext4", "/mnt", "rw", "nvme0n1")
STARTED_AT = datetime(2026, 11, 24, 1, 2, 3, tzinfo=UTC)
RESP = {"type": "resp", "host": "h", "port": 1, "password": "hunter2"}
REPORT = ProcessReport(
    accepted=Accepted("0.5.6", "2.6.0", "3.11.7"),
    created=AdapterCreated("FSL2Adapter", 0.25),
    rounds=[round_measured("store"), replace(round_measured("load"), device_read_bytes=65536)],
    finished=Finished(0, "", 5 << 20),
    end=ProcessEnd(0, None, "", "", 1.5, 4 << 20),
    isolation="forkserver",
)


def columns_of(config: PointConfig) -> PointColumns:
    sweep = SweepConfig(sweep_id="mine", sweep_name="nightly")
    planned = PlannedPoint(3, 1, 2, config, attempt=4)
    return PointColumns(sweep, MACHINE, "0" * 40, planned, config.job("test"), STORAGE, "sweeps/a.log")


def row_of(
    config: PointConfig | None = None,
    report: ProcessReport = REPORT,
    outcome: tuple[str, str] = ("ok", ""),
    evidence: CacheEvidence | None = None,
    state: str | None = None,
) -> Row:
    columns = columns_of(config or point(num_keys=2))
    return columns.point_row("all", report, outcome, STARTED_AT, evidence or CacheEvidence(), state)


def test_a_row_of_points_has_the_columns_of_the_schema() -> None:
    assert set(row_of()) == set(POINTS.names)


def test_rows_of_rounds_have_the_columns_of_the_schema() -> None:
    rows = columns_of(point()).round_rows(REPORT, [None, None])
    assert [set(row) for row in rows] == [set(ROUNDS.names)] * 2


def test_rows_can_be_written_and_read(tmp_path: Path) -> None:
    columns = columns_of(point(num_keys=2))
    write_point(tmp_path, "mine.00003.4", columns.round_rows(REPORT, [None, "cold"]), [row_of()])
    (recorded,) = l2sweep.load_points(tmp_path).to_dict("records")
    assert (recorded["sweep_id"], recorded["point_index"]) == ("mine", 3)
    assert l2sweep.load_rounds(tmp_path)["phase"].tolist() == ["store", "load"]


def test_a_row_contains_the_point_and_its_place_in_the_sweep() -> None:
    config = point(num_keys=2, keep_data=True)
    expected = {
        "sweep_id": "mine",
        "sweep_name": "nightly",
        "point_id": config.point_id,
        "point_index": 3,
        "repeat": 2,
        "attempt": 4,
        "num_keys": 2,
        "keep_data": True,
        "namespace": f"l2sweep-{config.point_id}-test",
        "host": "bench-1",
        "cpu_count": 8,
        "fs_type": "ext4",
        "block_device": "nvme0n1",
        "config_git_commit": "0" * 40,
        "log_file": "sweeps/a.log",
    }
    row = row_of(config)
    assert {name: row[name] for name in expected} == expected


def test_a_row_contains_the_report_of_the_process() -> None:
    expected = {
        "phase": "all",
        "status": "ok",
        "exit_code": 0,
        "signal": None,
        "isolation": "forkserver",
        "started_at": STARTED_AT,
        "wall_s": 1.5,
        "adapter_create_s": 0.25,
        "peak_rss_bytes": 5 << 20,
        "lmcache_version": "0.5.6",
        "torch_version": "2.6.0",
        "python_version": "3.11.7",
    }
    row = row_of()
    assert {name: row[name] for name in expected} == expected


def test_a_row_says_how_many_rounds_were_asked_for_and_why_those_of_each_phase_ended() -> None:
    ends = {"store": RoundsEnd("precision", "steady", 0.041), "load": RoundsEnd("stored_rounds", "", 0.09)}
    auto = point(rounds="auto", precision=0.02, max_rounds=30, max_seconds=9, warmup_rounds="auto")
    row = row_of(auto, replace(REPORT, ends=ends))
    assert (row["rounds"], row["precision"], row["max_seconds"]) == (30, 0.02, 9.0)
    assert (row["warmup_rounds"], row["warmup_auto"]) == (20, True)
    names = ("rounds_ended_by", "warmup_ended_by", "precision_reached")
    assert [row[f"store_{name}"] for name in names] == ["precision", "steady", 0.041]
    assert [row[f"lookup_{name}"] for name in names] == [None, None, None]
    assert [row[f"load_{name}"] for name in names] == ["stored_rounds", None, 0.09]
    fixed = row_of(point(rounds=3))
    assert (fixed["rounds"], fixed["precision"], fixed["max_seconds"]) == (3, None, None)
    assert (fixed["warmup_auto"], fixed["store_rounds_ended_by"]) == (False, None)


def test_the_peak_memory_of_a_process_that_died_is_that_of_the_kernel() -> None:
    died = replace(REPORT, finished=None, end=ProcessEnd(None, 9, "", "", 1.5, 4 << 20))
    row = row_of(report=died)
    assert (row["exit_code"], row["signal"], row["peak_rss_bytes"]) == (None, 9, 4 << 20)


def test_a_process_that_was_not_started_has_empty_columns() -> None:
    row = row_of(report=ProcessReport(), outcome=("failed", "no drop"))
    empty = ("exit_code", "signal", "isolation", "adapter_create_s", "lmcache_version", "torch_version")
    assert {row[name] for name in empty} == {None}
    assert (row["wall_s"], row["peak_rss_bytes"]) == (0.0, 0)
    assert set(row) == set(POINTS.names)


def test_no_credential_is_in_a_row() -> None:
    config = replace(point(adapter=RESP), overrides=("adapter.password=hunter2", "+x=hunter2"))
    row = row_of(config, outcome=("failed", "AUTH hunter2 refused"))
    assert "hunter2" not in str(row)
    assert json.loads(row["adapter_spec"])["password"] == "***"
    assert row["detail"] == "AUTH *** refused"
    assert row["overrides"] == ["adapter.password=***", "+x=***"]
    assert "hunter2" not in str(columns_of(config).round_rows(REPORT, [None, None]))


def test_the_measurements_of_the_page_cache_are_columns() -> None:
    evidence = CacheEvidence(
        method="fadvise",
        before=Residency(100, 90, 25),
        after=Residency(100, 2, None),
        drop_s=0.5,
        resident_at_end=0.75,
        block_device_read_bytes=4096,
    )
    expected = {
        "cache_mode": "cold",
        "cache_method": "fadvise",
        "cache_state": "warm",
        "resident_before_fraction": 0.9,
        "resident_after_fraction": 0.02,
        "resident_at_end_fraction": 0.75,
        "dirty_before_fraction": 0.25,
        "dirty_after_fraction": None,
        "drop_s": 0.5,
        "device_read_fraction": 0.5,
        "block_device_read_bytes": 4096,
    }
    row = row_of(replace(point(), cache=CacheConfig(mode="cold")), evidence=evidence, state="warm")
    assert {name: row[name] for name in expected} == expected


def test_a_point_whose_page_cache_was_not_dropped_has_no_method() -> None:
    row = row_of()
    assert (row["cache_mode"], row["cache_method"], row["resident_before_fraction"]) == ("hot", None, None)


def test_a_round_has_its_start_time_and_a_cache_state_of_its_own() -> None:
    store, load = columns_of(point()).round_rows(REPORT, [None, "cold"])
    assert store["started_at"] == datetime(1970, 1, 1, 0, 0, 1, tzinfo=UTC)
    assert "started_at_s" not in store
    assert (store["cache_state"], load["cache_state"]) == (None, "cold")


def test_a_round_that_was_not_run_has_no_start_time() -> None:
    report = ProcessReport(rounds=[replace(round_measured(), started_at_s=None)])
    (row,) = columns_of(point()).round_rows(report, [None])
    assert row["started_at"] is None


@pytest.mark.parametrize(
    ("spec", "data_size_kb", "effective"),
    [
        ({"type": "fs", "use_odirect": True}, 64, True),
        ({"type": "fs_native", "use_odirect": True}, 64, True),
        ({"type": "fs", "use_odirect": True}, 1, False),
        ({"type": "fs"}, 64, False),
        ({"type": "mock"}, 64, None),
    ],
)
def test_a_file_adapter_uses_o_direct_only_for_multiples_of_the_block_size(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, spec: dict[str, Any], data_size_kb: int, effective: Any
) -> None:
    class FileSystem:
        f_bsize = 4096

    monkeypatch.setattr("l2sweep.sweep.rows.os.statvfs", lambda path: FileSystem)
    has_path = spec["type"] != "mock"
    full_spec = {**spec, "base_path": str(tmp_path / "not" / "yet")} if has_path else spec
    config = point(adapter=full_spec, data_size_kb=data_size_kb, l1_align_bytes=1024)
    assert row_of(config)["effective_odirect"] is effective


def test_every_row_of_a_profiled_point_names_the_profiler() -> None:
    profiled = point(num_keys=2, profile="flamegraph", profile_mode="wall")
    rows = [row_of(profiled), *columns_of(profiled).round_rows(REPORT, [None] * len(REPORT.rounds))]
    assert {row["profile"] for row in rows} == {"flamegraph:wall"}
    assert row_of()["profile"] is None


@pytest.mark.parametrize(
    ("options", "recorded"),
    [
        ({}, None),
        ({"payload_namespace": "fixed"}, "fixed"),
        ({"namespace": "bench-model"}, "bench-model"),
        ({"namespace": "old", "payload_namespace": "bench-model"}, "bench-model"),
    ],
    ids=str,
)
def test_every_row_names_what_the_payload_follows_from(options: dict[str, Any], recorded: Any) -> None:
    config = point(num_keys=2, **options)
    rows = [row_of(config), *columns_of(config).round_rows(REPORT, [None, None])]
    assert {row["payload_namespace"] for row in rows} == {recorded or rows[0]["namespace"]}


def test_no_round_of_a_phase_with_a_problem_counts() -> None:
    problem = "store: 16 of 32 stored keys are not found by a lookup"
    rounds = [replace(one, detail="a warning") for one in REPORT.rounds]
    report = replace(REPORT, rounds=rounds, problems={"store": problem})
    store, load = columns_of(point()).round_rows(report, [None] * len(report.rounds))
    assert (store["status"], store["keys_ok"], store["bytes_ok"]) == ("error", 0, 0)
    assert store["detail"] == f"{problem}; a warning"
    assert store["duration_s"] == REPORT.rounds[0].duration_s
    assert (load["status"], load["detail"]) == ("ok", "a warning")
    assert load["bytes_ok"] == REPORT.rounds[1].bytes_ok > 0


def test_a_cold_store_whose_load_found_wrong_bytes_failed() -> None:
    store = replace(round_measured("store"), detail="a warning")
    load = replace(round_measured("load"), status="partial", keys_ok=1, mismatched_keys=1)
    columns = columns_of(point())
    rounds = columns.round_rows(replace(REPORT, rounds=[store, load]), [None, None])
    points = [{**row_of(), "phase": "store"}, {**row_of(outcome=("failed", "wrong")), "phase": "load"}]
    judged, (confirmed, same) = confirmed_rows({"type": "fs"}, points, rounds)
    assert (confirmed["status"], same["status"]) == ("unconfirmed", "partial")
    assert [row["status"] for row in judged] == ["failed", "failed"]
    assert judged[0]["detail"] == "store: 1 rounds not confirmed: the load found wrong bytes"
    assert judged[1] == points[1]


def test_keys_that_fault_inject_does_not_load_are_not_missing() -> None:
    load = replace(round_measured("load"), status="partial", keys_ok=1)
    report = replace(REPORT, rounds=[round_measured("store"), load])
    rounds = columns_of(point()).round_rows(report, [None, None])
    spec = {"type": "fault_inject", "inner": {"type": "fs"}}
    assert confirmed_rows(spec, [row_of()], rounds) == ([row_of()], rounds)
    _, (store, _) = confirmed_rows({"type": "fs"}, [row_of()], rounds)
    assert store["detail"] == "not confirmed by its load: 1 of 2 keys are missing"


S3 = {"type": "s3", "s3_endpoint": "b.host:1", "s3_region": "r"}
FS = {"type": "fs", "base_path": "/a"}
LOOKUP = round_measured("lookup")
STORED_AND_LOOKED_UP = replace(REPORT, rounds=[round_measured("store"), LOOKUP, round_measured("load")])


@pytest.mark.parametrize(
    ("spec", "options", "report", "answered_by"),
    [
        (S3, {"lookup_max_hit_rate": 1.0}, STORED_AND_LOOKED_UP, "client_cache"),
        (S3, {"lookup_max_hit_rate": 0.0}, STORED_AND_LOOKED_UP, "server"),  # a miss asks the server
        (S3, {"lookup_max_hit_rate": 0.1, "num_keys": 4}, STORED_AND_LOOKED_UP, "server"),  # no hit of 4
        (
            S3,
            {"lookup_max_hit_rate": 1.0, "only": "lookup"},
            replace(STORED_AND_LOOKED_UP, rounds=[LOOKUP]),
            "server",
        ),
        ({"type": "raw_block", "device_path": "/d"}, {}, STORED_AND_LOOKED_UP, "index"),
        (FS, {}, STORED_AND_LOOKED_UP, "server"),
        ({"type": "plugin", "module_path": "m", "class_name": "C"}, {}, STORED_AND_LOOKED_UP, None),
    ],
)
def test_a_row_says_what_answered_its_lookups(
    spec: dict[str, Any], options: dict[str, Any], report: ProcessReport, answered_by: str | None
) -> None:
    config = point(adapter=spec, **options)
    rows = columns_of(config).round_rows(report, [None] * len(report.rounds))
    found = {row["phase"]: row["lookup_answered_by"] for row in rows}
    assert found == {**{row["phase"]: None for row in rows}, "lookup": answered_by}
    phase = "lookup" if config.only else "all"
    columns = columns_of(config)
    row = columns.point_row(phase, report, ("ok", ""), STARTED_AT, CacheEvidence(), None)
    assert row["lookup_answered_by"] == answered_by


def test_a_process_without_a_lookup_has_nothing_that_answered_one() -> None:
    for config, phase in ((point(only="store"), "store"), (point(), "store"), (point(), "load")):
        row = columns_of(config).point_row(phase, REPORT, ("ok", ""), STARTED_AT, CacheEvidence(), None)
        assert row["lookup_answered_by"] is None


def test_a_row_has_the_service_and_not_its_address_which_is_another_one_in_each_sweep() -> None:
    planned = point(adapter={"type": "resp", "host": "???"}, service="redis")
    served = replace(planned, adapter_spec=RESP, planned_spec=planned.adapter_spec)
    row = row_of(served)
    assert row["service"] == "redis"
    assert json.loads(row["adapter_spec"]) == {"type": "resp", "host": "<redis>", "port": "<redis>"}
    assert row_of()["service"] is None
