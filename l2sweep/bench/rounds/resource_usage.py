"""What a process uses during a round: processor time, and bytes from and to storage."""

from __future__ import annotations

import resource
from dataclasses import dataclass
from pathlib import Path

_PROCESS_IO = Path("/proc/self/io")


@dataclass(frozen=True)
class ResourceUsage:
    """Resources that this process used, since its start or between two moments.

    Attributes:
        cpu_user_s: User time of all threads.
        cpu_sys_s: System time of all threads.
        device_read_bytes: ``read_bytes`` of ``/proc/self/io``, proc_pid_io(5): bytes that the kernel read
            from storage for the process; None if the kernel does not report them.
        device_write_bytes: ``write_bytes`` of the same file: bytes that the process caused to be written to
            storage, counted when a page becomes dirty; None if the kernel does not report them.
    """

    cpu_user_s: float
    cpu_sys_s: float
    device_read_bytes: int | None
    device_write_bytes: int | None

    @classmethod
    def now(cls) -> ResourceUsage:
        """Return the resources that this process has used since its start."""
        usage = resource.getrusage(resource.RUSAGE_SELF)
        try:
            lines = _PROCESS_IO.read_text().splitlines()
        except OSError:
            return cls(usage.ru_utime, usage.ru_stime, None, None)
        counters = {name: int(value) for name, _, value in (line.partition(": ") for line in lines)}
        return cls(usage.ru_utime, usage.ru_stime, counters["read_bytes"], counters["write_bytes"])

    def since(self, earlier: ResourceUsage) -> ResourceUsage:
        """Return the resources that were used between ``earlier`` and this moment."""
        return ResourceUsage(
            self.cpu_user_s - earlier.cpu_user_s,
            self.cpu_sys_s - earlier.cpu_sys_s,
            _difference(self.device_read_bytes, earlier.device_read_bytes),
            _difference(self.device_write_bytes, earlier.device_write_bytes),
        )


def _difference(later: int | None, earlier: int | None) -> int | None:
    return None if later is None or earlier is None else later - earlier
