"""The rows of a report: the clients of a point are one process."""

from __future__ import annotations

from pathlib import Path

from sample_rows import MIB, STEM, SWEEP_ID, point_row, round_row

from l2sweep.cli.report.reading import _rows
from l2sweep.records.selectors import select
from l2sweep.records.writer import write_point


def test_the_clients_of_a_point_are_one_process_of_the_report(tmp_path: Path) -> None:
    rounds = [round_row("load", client=client, clients=4) for client in range(4)]
    points = [point_row(client=client, clients=4) for client in range(4)]
    write_point(tmp_path, STEM, rounds, points)
    found, of_clients, processes = _rows(select(SWEEP_ID, tmp_path), None)
    assert (len(found), len(processes)) == (1, 1)
    assert of_clients is not None
    assert of_clients["client"].tolist() == list(range(4))
    assert found["bytes_ok"].tolist() == [8 * MIB]
    assert found["duration_s"].tolist() == [0.5]
