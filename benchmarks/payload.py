"""Measure how fast payload is generated and checked, relative to a plain copy of the same bytes.

    python benchmarks/payload.py --mib 256 --key-kib 1024

The payload of a round is generated before its clock starts and checked after it stops. Its speed does not
change the results, only how long a sweep takes. Goal: a third of the speed of a copy.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable

import numpy as np

from l2sweep.bench.data.payload import Payload

COPY = "copy"
FILL = "fill"
CHECK = "first_difference"


def main() -> None:
    """Measure the actions in turn, several times each, and print medians."""
    options = parse_options()
    key_size_bytes = options.key_kib * 1024
    num_keys = options.mib * 1024 * 1024 // key_size_bytes
    total_bytes = num_keys * key_size_bytes
    durations_s = measure(num_keys, key_size_bytes, options.repetitions)

    print(f"{num_keys} keys of {options.key_kib} KiB, medians of {options.repetitions} repetitions")
    print(f"{'':18}{'GB/s':>8}{'quartiles':>18}{'of the copy':>14}")
    copy_s = statistics.median(durations_s[COPY])
    for action, action_durations_s in durations_s.items():
        slow_s, median_s, fast_s = reversed(statistics.quantiles(action_durations_s, n=4))
        low, rate, high = (total_bytes / duration_s / 1e9 for duration_s in (slow_s, median_s, fast_s))
        print(f"{action:18}{rate:8.2f}{f'{low:.2f} - {high:.2f}':>18}{copy_s / median_s:14.2f}")


def parse_options() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--mib", type=int, default=256, help="payload of all keys in MiB (default: 256)")
    parser.add_argument("--key-kib", type=int, default=1024, help="payload of a key in KiB (default: 1024)")
    parser.add_argument("--repetitions", type=int, default=9, help="repetitions of each action (default: 9)")
    options = parser.parse_args()
    if options.key_kib < 1 or options.mib * 1024 < options.key_kib or options.repetitions < 2:
        parser.error("give at least one key of at least 1 KiB, and at least 2 repetitions")
    return options


def measure(num_keys: int, key_size_bytes: int, repetitions: int) -> dict[str, list[float]]:
    """Return the durations of each action in seconds, one per repetition.

    Raises:
        RuntimeError: The check found wrong payload, so that the durations are meaningless.
    """
    payload = Payload(seed=1)
    # np.full instead of np.zeros: it writes to every page, so that no page fault is timed.
    slots = np.full((num_keys, key_size_bytes), 0, dtype=np.uint8)
    destination = np.full_like(slots, 0)

    def copy() -> None:
        np.copyto(destination, slots)

    def fill() -> None:
        for key_index, slot in enumerate(slots):
            payload.fill(slot, key_index)

    def check() -> None:
        for key_index, slot in enumerate(slots):
            if payload.first_difference(slot, key_index) is not None:
                raise RuntimeError(f"key {key_index} has wrong payload")

    actions: dict[str, Callable[[], None]] = {COPY: copy, FILL: fill, CHECK: check}
    fill()
    durations_s: dict[str, list[float]] = {action: [] for action in actions}
    for _ in range(repetitions):
        for action, perform in actions.items():
            start_s = time.perf_counter()
            perform()
            durations_s[action].append(time.perf_counter() - start_s)
    return durations_s


if __name__ == "__main__":
    main()
