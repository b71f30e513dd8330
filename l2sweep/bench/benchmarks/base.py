"""The interface of a benchmark: check a spec, report the measured versions, and run a job."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable

from l2sweep.bench.job import Job
from l2sweep.bench.messages import Accepted, Finished, Message

Report = Callable[[Message], None]


class Benchmark(ABC):
    """A benchmark of one job.

    Args:
        job: The job.
        report: Called with each message as soon as it applies.

    Raises:
        RequestError: The spec is refused; nothing has been changed.
    """

    def __init__(self, job: Job, report: Report) -> None:
        self.job = job
        self.report = report

    @abstractmethod
    def accepted(self) -> Accepted:
        """Return the message that the spec is accepted, with the versions that are measured."""

    @abstractmethod
    def run(self) -> Finished:
        """Run the phases of the job, or only delete the point's keys if it has no phase.

        Returns:
            The last message. All results have been reported before.
        """
