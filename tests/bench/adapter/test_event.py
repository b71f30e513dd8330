"""The event descriptor of an adapter, with a real eventfd."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator

import pytest

from l2sweep.bench.adapter.contract import ContractError
from l2sweep.bench.adapter.event import Event


@pytest.fixture
def descriptor() -> Iterator[int]:
    fd = os.eventfd(0, os.EFD_NONBLOCK)
    yield fd
    os.close(fd)


def test_an_event_is_signalled_until_it_is_consumed(descriptor: int) -> None:
    event = Event(descriptor)
    assert not event.is_signalled()
    os.eventfd_write(descriptor, 1)
    os.eventfd_write(descriptor, 1)
    assert event.is_signalled()
    assert event.is_signalled()
    event.consume()
    assert not event.is_signalled()
    event.consume()  # without a signal it returns at once


def test_waiting_ends_at_a_signal_or_at_the_time_limit(descriptor: int) -> None:
    event = Event(descriptor)
    assert not event.wait(0.001)
    threading.Timer(0.01, os.eventfd_write, (descriptor, 1)).start()
    assert event.wait(60)


def test_a_descriptor_that_is_no_event_descriptor_breaks_a_rule() -> None:
    read, write = os.pipe2(os.O_NONBLOCK)
    event = Event(read)
    os.write(write, b"x")  # an eventfd returns 8 bytes
    os.close(read)
    assert event.is_signalled()  # so that the error is found
    with pytest.raises(ContractError, match="the event descriptor cannot be read: Bad file descriptor"):
        event.consume()
    os.close(write)
