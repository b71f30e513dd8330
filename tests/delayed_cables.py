"""Cables with a delay: a process between pairs of TAP devices, which holds back what comes from a host's end.

    python delayed_cables.py 0.001 port0 port1

makes, in the network namespace it runs in, the pairs (port0, port0-eth0) and (port1, port1-eth0), prints
``ready``, and carries frames until its standard input is closed. What leaves ``port0-eth0`` arrives at
``port0`` after the delay; the other way, frames are passed on at once. So the delay is that of ``tc netem``
at the host. ``port0-eth0`` may be moved to another namespace, and given another name.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import select
import struct
import sys
import time
from collections import deque

_TUNSETIFF = 0x400454CA
_IFF_TAP = 0x0002
_IFF_NO_PI = 0x1000
_FRAME = 65536
_AT_ONCE = 64  # frames that are read from one end before the others are looked at


def tap(name: str) -> int:
    """Make a TAP device, which exists as long as the returned descriptor is open.

    Args:
        name: Name of the device.
    """
    descriptor = os.open("/dev/net/tun", os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC)
    fcntl.ioctl(descriptor, _TUNSETIFF, struct.pack("16sH22x", name.encode(), _IFF_TAP | _IFF_NO_PI))
    return descriptor


def carry(cables: list[tuple[int, int]], delay_s: float, until_closed: int) -> None:
    """Carry frames between the ends of each cable.

    Args:
        cables: For each cable, the end of the host and the end of the bridge.
        delay_s: Delay of what the host sends, in seconds.
        until_closed: Descriptor at whose end of file this returns.
    """
    bridge_end = dict(cables)
    host_end = {bridge: host for host, bridge in cables}
    held: deque[tuple[float, int, bytes]] = deque()  # in the order of their times, as all have the same delay
    while True:
        wait = max(held[0][0] - time.monotonic(), 0) if held else None
        for end in select.select([until_closed, *bridge_end, *host_end], [], [], wait)[0]:
            if end == until_closed:
                return
            for frame in _waiting(end):
                if end in host_end:
                    _send(host_end[end], frame)
                else:
                    held.append((time.monotonic() + delay_s, bridge_end[end], frame))
        while held and held[0][0] <= time.monotonic():
            _, to, frame = held.popleft()
            _send(to, frame)


def _waiting(end: int) -> list[bytes]:
    frames: list[bytes] = []
    with contextlib.suppress(OSError):  # no more, or the device is down
        while len(frames) < _AT_ONCE:
            frames.append(os.read(end, _FRAME))
    return frames


def _send(end: int, frame: bytes) -> None:
    with contextlib.suppress(OSError):  # the device is down, or its queue full: the frame is lost
        os.write(end, frame)


def main() -> None:
    """Make the cables, and carry frames."""
    delay_s, *ports = sys.argv[1:]
    cables = [(tap(f"{port}-eth0"), tap(port)) for port in ports]
    with contextlib.suppress(OSError):  # else a busy machine adds a delay of its own
        os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(1))
    print("ready", flush=True)
    carry(cables, float(delay_s), sys.stdin.fileno())


if __name__ == "__main__":
    main()
