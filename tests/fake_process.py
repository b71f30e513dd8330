"""A fake benchmark process: the test writes its messages and decides how it ends."""

from __future__ import annotations

import os
import signal
from collections.abc import Sequence
from pathlib import Path

from l2sweep.bench.job import Job
from l2sweep.bench.messages import Message, RoundMeasured, encode
from l2sweep.bench.workload import Workload
from l2sweep.process.bench_process import BenchProcess, OnOutput, Pipes, ProcessEnd, ProcessLimits

WORKLOAD = Workload(
    num_keys=2,
    in_flight=1,
    data_size_kb=64,
    rounds=3,
    warmup_rounds=0,
    lookup_max_hit_rate=0.0,
    seed=42,
    l1_align_bytes=4096,
    l1_use_hugepages=False,
)
JOB = Job(
    adapter_spec={"type": "mock", "password": "hunter2"},
    workload=WORKLOAD,
    phases=("store", "lookup", "load"),
    namespace="test",
    fresh_namespace=True,
    verify=False,
    delete_before=False,
    delete_after=True,
    timeout_s={"store": 1.0, "lookup": 1.0, "load": 1.0},
)
LIMITS = ProcessLimits(deadline_s=60.0)


class FakeProcess(BenchProcess):
    """A BenchProcess without a process: it writes messages into its own pipe and receives no real signal.

    Args:
        messages: The messages to write; bytes are written unchanged.
        output: Standard output.
        status: Exit code (negative: a signal) and peak memory in bytes.
        limits: The limits to enforce.
        on_output: Called with each line of output.
        hangs: Run until one of these signals arrives; empty: exit immediately.
        last_messages: The messages to write when one of these signals arrives.
        job: Its job.
    """

    isolation = "fake"

    def __init__(
        self,
        messages: Sequence[Message | bytes] = (),
        output: bytes = b"",
        status: tuple[int, int] = (0, 1 << 20),
        *,
        limits: ProcessLimits = LIMITS,
        on_output: OnOutput = lambda line: None,
        hangs: Sequence[signal.Signals] = (),
        last_messages: Sequence[Message | bytes] = (),
        job: Job = JOB,
    ) -> None:
        pipes = Pipes.make()
        job_fd, self._message_fd, output_fd = pipes.child_ends
        self.signals: list[signal.Signals] = []
        self._ended_by = set(hangs)
        self._last_messages = last_messages
        self._status = status
        self._is_running = True
        self.write(*messages)
        os.write(output_fd, output)
        os.close(output_fd)
        # The memory check reads the process id; no signal is sent to it.
        super().__init__(os.getpid(), job, limits, pipes, on_output)
        with os.fdopen(job_fd) as job:
            self.received = Job.from_json(job.read())
        if not hangs:
            self.exit()

    def write(self, *messages: Message | bytes) -> None:
        """Write messages."""
        for message in messages:
            os.write(self._message_fd, message if isinstance(message, bytes) else encode(message))

    def exit(self) -> None:
        """Close the pipe and have an exit status."""
        if self._is_running:
            self._is_running = False
            os.close(self._message_fd)

    def end(self, at_once: bool = False) -> ProcessEnd:
        self.was_ended_at_once = at_once
        return super().end(at_once)

    def _poll(self) -> tuple[int, int] | None:
        return None if self._is_running else self._status

    def _signal_group(self, number: signal.Signals) -> None:
        self.signals.append(number)
        if self._is_running and number in self._ended_by:
            self.write(*self._last_messages)
            self.exit()


def round_measured(phase: str = "store", number: int = 1, detail: str = "") -> RoundMeasured:
    """Return a round in which everything succeeded."""
    return RoundMeasured(
        phase=phase,
        round=number,
        is_warmup=False,
        status="ok",
        detail=detail,
        started_at_s=1.0,
        duration_s=0.5,
        keys_requested=2,
        keys_expected=2,
        keys_ok=2,
        bytes_requested=131072,
        bytes_ok=131072,
        submit_latency_s=[0.5],
        verified_keys=0,
        mismatched_keys=0,
        cpu_user_s=0.1,
        cpu_sys_s=0.1,
        device_read_bytes=None,
        device_write_bytes=None,
    )


def open_descriptors() -> int:
    """Return how many file descriptors this process has open."""
    return len(list(Path("/proc/self/fd").iterdir()))
