"""What ``l2sweep tune`` says."""

from __future__ import annotations

from typing import Any

import pandas as pd
import pytest
from sample_curves import frame, process_rows
from sample_rows import MIB

from l2sweep.analysis.tune.recommendation import recommend
from l2sweep.analysis.tune.sentences import lines_within, sentences

FEW_READS = {"block_device_read_bytes": 2 * MIB, "block_device_reads": 40}


def said(*processes: Any, **options: Any) -> list[str]:
    return sentences(recommend(frame(*processes), **options))


def three(first: int, rate: float, **changes: Any) -> pd.DataFrame:
    return [row for n in range(3) for row in process_rows(first + n, rate * (0.99 + n / 100), **changes)]  # type: ignore[return-value]


def test_a_recommendation_in_full() -> None:
    at_device = {**FEW_READS, "block_device_read_time_s": 0.04}
    lines = said(
        three(0, 50.0, num_workers=1, **at_device),
        three(10, 49.0, num_workers=1, in_flight=2, **FEW_READS),
        three(20, 45.0, num_workers=4, **FEW_READS),
        three(30, 50.0, num_workers=4, in_flight=2, **FEW_READS),
        three(40, 100.0, type="fio"),
        three(50, 310.0, type="fio", in_flight=4),
    )
    assert lines == [
        "fs_native (LMCache 0.5.6, /mnt/nvme/kv, bench-1):",
        "  Use num_workers=1: at most 2.0% (0.0% to 3.9%) below the best of 2 in 2 workloads (most at "
        "data_size_kb=256 num_keys=4 in_flight=2, where num_workers=4 is the best).",
        "  in_flight=1 (1 to 1) is the best of 2: 50.0 MiB/s (49.5 to 50.5).",
        "    Limited by LMCache: 50% (49% to 51%) of fio with 4 in flight, as here. It keeps 1.0 requests at "
        "the device; fio reaches 6.2x as much with 16 in flight.",
        "In brackets: 95% intervals by bootstrap over processes. With 3 processes a setting, that of a "
        "median contains it at most 75% of the time: use repeats=6.",
    ]


@pytest.mark.parametrize(
    ("rate", "deeper", "expected"),
    [
        (95.0, 101.0, "Limited by the device: 94% (92% to 96%) of the most that fio reaches."),
        (95.0, 310.0, "Limited by the depth: 95% (93% to 97%) of fio with 4 in flight, as here."),
        (200.0, 101.0, "Limit not known: fio is slower at every depth, so it is no ceiling: 198%"),
        (
            91.0,
            100.0,
            "Limit not known, too close or too uncertain: 91% (89% to 93%) of the most that fio reaches, 91%",
        ),
    ],
)
def test_what_limits_an_adapter(rate: float, deeper: float, expected: str) -> None:
    lines = said(three(0, rate), three(10, 100.0, type="fio"), three(20, deeper, type="fio", in_flight=4))
    assert lines[2].strip().startswith(expected)


def test_without_fio_it_says_how_to_measure_it() -> None:
    lines = said(process_rows(0, 50.0), process_rows(1, 60.0, in_flight=2))
    assert lines[2].startswith("    Limit not known: fio was not measured on /mnt/nvme/kv among these rows.")
    assert "measure fio beside it, as experiment=tune does." in lines[-2]
    assert lines[-1] == (
        "In brackets: 95% intervals by bootstrap over processes, where each setting has 3 or more: "
        "use repeats=6."
    )


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"block_device_read_bytes": None}, "the path has no block device whose counters are known"),
        ({**FEW_READS, "block_device_reads": None}, "the rounds were recorded before schema version 5"),
        ({**FEW_READS, "block_device_read_bytes": MIB}, "the device read only 50% of the bytes meanwhile"),
        (
            {**FEW_READS, "block_device_read_bytes": 3 * MIB},
            "the device read 1.50 times the bytes: other processes, or read-ahead",
        ),
        (
            {**FEW_READS, "block_device_read_time_s": 0.01},
            "the counters are too coarse for so few or so short requests",
        ),
    ],
)
def test_a_queue_depth_that_is_not_known_has_a_reason(changes: dict[str, Any], reason: str) -> None:
    lines = said(process_rows(0, 50.0, **changes))
    assert lines[2].endswith(f"Its mean queue depth at the device is not known: {reason}.")


def test_one_setting_is_said_to_be_the_only_one() -> None:
    assert said(process_rows(0, 50.0))[1] == (
        "  in_flight=1: 50.0 MiB/s; no other in_flight was measured without a failure."
    )


def test_a_knee_below_the_best_names_the_best() -> None:
    lines = said(*(process_rows(n, rate, in_flight=n) for n, rate in ((1, 50.0), (2, 97.0), (4, 100.0))))
    assert (
        lines[1] == "  in_flight=2 is enough: 97.0 MiB/s, within 5% of the most, 100.0 MiB/s at in_flight=4."
    )


def test_a_number_of_keys_reaches_a_throughput_and_is_not_called_enough() -> None:
    lines = said(
        *(process_rows(n, rate, num_keys=n) for n, rate in ((8, 97.0), (32, 100.0))), over="num_keys"
    )
    assert lines[1] == "  num_keys=8 reaches 97.0 MiB/s, within 5% of the most, 100.0 MiB/s at num_keys=32."


def test_the_largest_setting_is_the_best_of_those_that_were_measured() -> None:
    lines = said(*(process_rows(n, rate, in_flight=n) for n, rate in ((1, 50.0), (2, 80.0), (4, 100.0))))
    assert lines[1] == "  in_flight=4 is the best of 3: 100.0 MiB/s; no larger one was measured."


def test_each_size_has_a_line_and_an_adapter_in_which_all_failed_says_so() -> None:
    failed = process_rows(9, 50.0, type="fs")
    failed[-1]["status"] = "error"
    lines = said(process_rows(0, 50.0), process_rows(1, 60.0, data_size_kb=512), failed, over="in_flight")
    text = "\n".join(lines)
    assert "At data_size_kb=256, in_flight=1: 50.0 MiB/s" in text
    assert "At data_size_kb=512, in_flight=1: 60.0 MiB/s" in text
    assert "No setting to recommend: in each, a process failed." in text
    assert "No adapter" not in text.splitlines()[0] or "none is the best of all" in text.splitlines()[0]


def test_a_lookup_is_said_in_keys_per_second() -> None:
    lines = said(process_rows(0, 1.0, "lookup", duration_s=0.5), phase="lookup")
    assert "16.0 keys/s" in lines[1]


def test_lines_are_wrapped_with_an_indent() -> None:
    assert lines_within(["  aa bb cc", ""], 7) == ["  aa bb", "    cc", ""]


def test_an_option_that_is_no_number_is_chosen_and_has_no_knee() -> None:
    both = (three(0, 50.0, use_odirect=True), three(10, 40.0, use_odirect=False))
    lines = said(*both)
    assert lines[1:3] == [
        "  Use use_odirect=true: the best of 2 in the one workload.",
        "  in_flight=1: 50.0 MiB/s (49.5 to 50.5); no other in_flight was measured without a failure.",
    ]
    assert said(*both, over="use_odirect")[2] == (
        "  No knee over use_odirect: its values are no numbers, or a process failed at each of them."
    )


def test_a_fio_that_is_slower_than_the_adapter_is_not_said_to_reach_more() -> None:
    slow_fio = (three(10, 40.0, type="fio"), three(20, 80.0, type="fio", in_flight=4))
    assert "fio reaches 0" not in "\n".join(said(three(0, 100.0), *slow_fio))
    assert "as much with" not in "\n".join(said(three(0, 100.0), *slow_fio))
