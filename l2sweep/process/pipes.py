"""The pipes between the launcher and a benchmark process."""

from __future__ import annotations

import os
from dataclasses import dataclass


@dataclass(frozen=True)
class Pipes:
    """The three pipes between the launcher and a benchmark process, each as (read end, write end).

    The job goes through a pipe because it may contain credentials, and every user of the machine can read
    a command line.

    Attributes:
        job: From the launcher to the process.
        messages: From the process to the launcher.
        output: Standard output and standard error of the process, to the launcher.
    """

    job: tuple[int, int]
    messages: tuple[int, int]
    output: tuple[int, int]

    @classmethod
    def make(cls) -> Pipes:
        """Create the pipes. Their descriptors are not inheritable: os.pipe()."""
        return cls(os.pipe(), os.pipe(), os.pipe())

    @property
    def child_ends(self) -> tuple[int, int, int]:
        """The ends that the benchmark process uses: job, messages, output."""
        return self.job[0], self.messages[1], self.output[1]

    def close_parent_ends(self) -> None:
        """Close the launcher's ends. A process that still waits for its job reads end of file and exits."""
        for descriptor in (self.job[1], self.messages[0], self.output[0]):
            os.close(descriptor)

    def close_child_ends(self) -> None:
        """Close the launcher's copies of the child ends: it reads end of file once the process has ended."""
        for descriptor in self.child_ends:
            os.close(descriptor)
