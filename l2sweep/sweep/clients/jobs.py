"""The jobs of the clients of a point."""

from __future__ import annotations

from dataclasses import replace

from l2sweep.bench.job import Job
from l2sweep.sweep.clients.share import Share


def client_jobs(job: Job, share: Share) -> list[Job]:
    """Return the job of each client on this host: with one, its own; with several, each has keys of its own.

    Args:
        job: The job of the point.
        share: The clients that run on this host.
    """
    return [job] if share.size == 1 else [job.of_client(client) for client in share.clients]


def meeting_jobs(job: Job, share: Share, phase: str) -> list[Job]:
    """Return the jobs of clients that run at the same time, and meet before each round.

    Args:
        job: The job of the point, or of one of its processes.
        share: The clients that run on this host.
        phase: The process step.
    """
    if share.size == 1:
        return [job]
    places = share.rendezvous(phase)
    return [
        replace(own, rendezvous=place) for own, place in zip(client_jobs(job, share), places, strict=True)
    ]
