"""Tests of l2sweep.analysis.report.sections.scope: computed again from the rows."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from made_nights import small_night
from made_reports import DEPTHS, SIZES_KB, made_rows, made_source, source_of

from l2sweep.analysis.compare.comparison import compare_tables
from l2sweep.analysis.compare.rows.environment import ENVIRONMENT
from l2sweep.analysis.control import CONTROLS
from l2sweep.analysis.report.measured import Measured
from l2sweep.analysis.report.sections.scope import environment, scope


def test_what_was_measured_follows_from_the_rows() -> None:
    source = made_source()
    found = scope(Measured.of(source))
    assert found.sweep_ids == ("night-000",)
    assert found.sweep_names == ("nightly",)
    assert found.points == source.points["point_id"].nunique() == 27
    assert found.processes == len(source.points) == 81
    assert found.rounds == len(source.rounds)
    assert (found.adapters, found.controls) == (("fs", "fs_native"), ("fio",))
    assert found.phases == ("store", "lookup", "load")
    assert (found.data_sizes_kb, found.in_flight, found.num_keys) == (SIZES_KB, DEPTHS, (4,))
    assert found.cache_states == ("cold",)
    assert found.wall_s == pytest.approx(source.points["wall_s"].sum())
    assert found.began == datetime(2026, 11, 1, tzinfo=UTC)
    assert found.ended == datetime(2026, 11, 1, tzinfo=UTC) + timedelta(seconds=80 + 4.7)
    assert (found.hosts, found.devices, found.releases) == (("bench-1",), ("nvme0n1 (ext4)",), ("0.5.6",))


def test_the_environment_has_each_value_and_what_the_base_had() -> None:
    rounds, points = made_rows(sizes_kb=(256,), depths=(1,))
    points[0]["kernel"] = "Linux 6.8"
    base = small_night(0, changes={"torch_version": "2.12.0"}).rows()
    now = small_night(1).rows()
    result = compare_tables([base[0], now[0]], [base[1], now[1]], controls=CONTROLS)
    found = {one.name: one for one in environment(source_of(rounds, points).points, result)}
    assert found["kernel"].values == ("Linux 6.1", "Linux 6.8")
    assert (found["torch"].values, found["torch"].base_values) == (("2.13.0",), ("2.12.0",))
    assert found["O_DIRECT"].values == ("true",)
    assert found["memory"].values == ("64.0 GiB",)
    assert set(found) <= {*ENVIRONMENT.values(), "memory"}
    assert found["CPU"].base_values == ()
