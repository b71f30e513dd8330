"""``l2sweep breakeven`` over a real sweep: the example of docs/breakeven.md."""

from __future__ import annotations

import json
import re
import shlex
from pathlib import Path

import pytest
from conftest import ROOT, RunL2Sweep

DOCUMENT = ROOT / "docs" / "breakeven.md"
SMALL = ("num_keys=16,64", "rounds=1", "warmup_rounds=0", "repeats=1", "cache.method=fadvise")
MIB = 1024 * 1024


def example() -> list[list[str]]:
    """Return the arguments of each command in the example of the document: a sweep, and what reads it."""
    text = DOCUMENT.read_text().partition("## Example")[2].partition("\n## ")[0].replace("\\\n", " ")
    return [shlex.split(line) for line in re.findall(r"^    l2sweep (.*)$", text, flags=re.MULTILINE)]


@pytest.mark.alone
def test_the_example_of_the_document_runs_and_its_numbers_follow_from_the_rows(
    run_l2sweep: RunL2Sweep, tmp_path: Path
) -> None:
    sweep, *readers = example()
    assert len(readers) >= 2
    replaced = tuple(f"{argument.partition('=')[0]}=" for argument in SMALL)
    kept = [argument for argument in sweep if not argument.startswith(replaced)]
    inside = [argument.replace("/mnt/", f"{tmp_path}/") for argument in kept]
    run = run_l2sweep(*inside, *SMALL)
    assert run.exit_code == 0, run.out + run.err
    (tmp_path / "prefill.csv").write_text(
        "\n".join(
            line.strip()
            for line in re.findall(r"^    (?:tokens,seconds|\d+,[\d.]+)$", DOCUMENT.read_text(), re.M)
        )
    )
    for arguments in readers:
        read = run_l2sweep(*arguments)
        assert read.exit_code == 0, (arguments, read.err)
        assert "cold" in read.out
    answer = json.loads(run_l2sweep(*readers[0], "--overlap", "--format", "json").out)
    assert {one["at"] for one in answer["break_even"]} == {"cold"}
    rows = run.rounds[(run.rounds["phase"] == "load") & ~run.rounds["is_warmup"]]
    sums = rows.groupby(["num_keys", "point_index"])[["bytes_ok", "duration_s"]].sum()
    rates = (sums["bytes_ok"] / MIB / sums["duration_s"]).groupby("num_keys").median()
    measured = [row for row in answer["lengths"] if row["basis"] == "measured"]
    assert {row["num_keys"] for row in measured} == {64}  # the table begins at 1,024 tokens
    for row in measured:
        assert row["rate_mib_s"] == pytest.approx(rates[row["num_keys"]])
        assert row["transfer_s"] == pytest.approx(row["loaded_bytes"] / MIB / rates[row["num_keys"]])
    unknown = [row for row in answer["lengths"] if row["load_s"] is None]
    assert all(row["not_known"] for row in unknown)
    hot = run_l2sweep(*readers[0], "--at", "hot")
    assert hot.exit_code == 2
    assert "breakeven: no load is hot (processes: " in hot.err
    assert len(hot.err.splitlines()) == 1
