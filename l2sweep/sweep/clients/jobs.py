"""The jobs of the clients of a point."""

from __future__ import annotations

from dataclasses import replace

from l2sweep.bench.job import Job
from l2sweep.bench.rendezvous.address import Rendezvous


def client_jobs(job: Job, clients: int) -> list[Job]:
    """Return the job of each client of a point: with one, its own; with several, each has keys of its own.

    Args:
        job: The job of the point.
        clients: Number of clients.
    """
    return [job] if clients == 1 else [job.of_client(client) for client in range(clients)]


def meeting_jobs(job: Job, clients: int) -> list[Job]:
    """Return the jobs of clients that run at the same time, and meet before each round.

    Args:
        job: The job of the point, or of one of its processes.
        clients: Number of clients.
    """
    if clients == 1:
        return [job]
    places = Rendezvous.all_of(clients)
    return [
        replace(own, rendezvous=place) for own, place in zip(client_jobs(job, clients), places, strict=True)
    ]
