"""Tests of l2sweep.records.schema."""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from conftest import ROOT

from l2sweep.analysis.fleet.hosts import FLEET_HOST
from l2sweep.analysis.tune.device import DERIVED_COLUMNS
from l2sweep.bench.messages import RoundMeasured
from l2sweep.config.renamed import RENAMED_OPTIONS
from l2sweep.records.schema import POINTS, RENAMED_COLUMNS, ROUNDS, SCHEMA_VERSION

DOCUMENT = (ROOT / "docs" / "records.md").read_text()
OLD_POINTS = sorted((ROOT / "tests" / "data" / "results_v2" / "points").glob("*.parquet"))
DERIVED = (
    *("mib_per_s", "mib_per_s_elapsed", "durable_mib_per_s", "keys_per_s", "latency_per_key_s"),
    *DERIVED_COLUMNS,
    FLEET_HOST,
)


def test_every_renamed_column_maps_to_a_column_of_points() -> None:
    assert set(RENAMED_COLUMNS.values()) <= set(POINTS.names)
    assert not set(RENAMED_COLUMNS) & {*POINTS.names, *ROUNDS.names}


@pytest.mark.parametrize("file", OLD_POINTS, ids=lambda file: file.stem)
def test_every_column_of_version_2_still_exists_with_the_same_type(file: Path) -> None:
    old = pq.read_schema(file)
    for field in old:
        assert POINTS.field(RENAMED_COLUMNS.get(field.name, field.name)).type == field.type, field.name


def test_every_field_of_a_round_message_has_a_column() -> None:
    reported = {field.name for field in fields(RoundMeasured)} - {"started_at_s"}
    assert reported | {"started_at"} <= set(ROUNDS.names)


@pytest.mark.parametrize("columns", [ROUNDS, POINTS], ids=["rounds", "points"])
def test_the_schema_version_is_in_the_metadata(columns: pa.Schema) -> None:
    assert columns.metadata == {b"l2sweep.schema_version": str(SCHEMA_VERSION).encode()}


def test_the_document_explains_every_column() -> None:
    names = {*ROUNDS.names, *POINTS.names, *DERIVED}
    assert [name for name in sorted(names) if f"`{name}`" not in DOCUMENT] == []


def test_the_document_lists_every_renamed_column_and_option() -> None:
    for old, new in {**RENAMED_COLUMNS, **RENAMED_OPTIONS}.items():
        assert f"| `{old}` | `{new}` |" in DOCUMENT
    assert f"(`l2sweep.schema_version`, now {SCHEMA_VERSION})" in " ".join(DOCUMENT.split())
