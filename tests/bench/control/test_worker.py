"""Tests of l2sweep.bench.control.worker."""

from __future__ import annotations

from l2sweep.bench.control.worker import Worker


def test_work_that_was_put_is_done_in_order_before_the_worker_is_closed() -> None:
    done: list[object] = []
    worker = Worker(3600.0, lambda: done.append("rest"))  # it does not look by itself
    worker.put(lambda: done.append(1))
    worker.put(lambda: done.append(2))
    worker.close()
    assert done == [1, 2, "rest"]
