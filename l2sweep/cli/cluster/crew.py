"""The hosts of a sweep, from its options: this host alone, the workers that join, or those of an engine."""

from __future__ import annotations

import contextlib
import os
import secrets
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from l2sweep.cli.hydra_app.engines import RAY
from l2sweep.config.point import PointConfig
from l2sweep.config.sweep import SweepConfig
from l2sweep.errors import RequestError, collected, printable, shown

if TYPE_CHECKING:
    from l2sweep.cluster.hosts import Hosts
    from l2sweep.sweep.prepare import SweepRequest
    from l2sweep.sweep.session import SweepSession

Note = Callable[[str], None]
PluginFolders = Callable[[], tuple[str, ...]]


def with_hosts(request: SweepRequest, session: SweepSession, engine: str) -> SweepRequest:
    """Return a request with the number of its hosts, and let several hosts join the session.

    Args:
        request: The request.
        session: The session of the sweep.
        engine: What starts the workers: ``local`` (the user does), or ``ray``.

    Raises:
        RequestError: The options of the hosts cannot be used.
    """
    from l2sweep.sweep.terminal.console import progress_console

    sweep = _with_size(request.sweep, request.grid, engine)
    request = replace(request, sweep=sweep)
    # The hosts joined for the first trial of a search.
    if session.crew is not None and (size := sweep.cluster.size or 1) > session.crew.size:
        joined = f"the {session.crew.size} of the first trial: cluster.size says how many there are"
        raise RequestError([f"hosts={size}: must be at most {joined}"])
    has_hosts = engine == RAY or sweep.cluster.rendezvous is not None
    if has_hosts and not sweep.dry_run and session.crew is None:
        console = progress_console(sweep)

        def note(line: str) -> None:
            console.print(printable(line), markup=False, soft_wrap=True)

        session.begin()  # a signal stops the wait for the hosts, and what was started for them is ended
        gather = _hosts_of_ray if engine == RAY else _joined_hosts
        session.join(gather(sweep, lambda: session.starter.plugin_folders, note))
    return request


def _with_size(sweep: SweepConfig, grid: Sequence[PointConfig], engine: str) -> SweepConfig:
    """Return the options of a sweep with the number of its hosts.

    Args:
        sweep: The options of the sweep.
        grid: Every point.
        engine: What starts the workers.

    Raises:
        RequestError: The options of the hosts contradict each other.
    """
    from l2sweep.cluster.membership import rendezvous_address

    cluster = sweep.cluster
    most = max(point.hosts for point in grid)
    size = cluster.size or most
    problems: list[str] = []
    if cluster.rendezvous is not None:
        with collected(problems):
            rendezvous_address("cluster.rendezvous", cluster.rendezvous)
    if most > size:
        problems.append(f"hosts={most}: must be at most cluster.size={size}")
    if sweep.ray_address is not None and engine != RAY:
        problems.append(f"ray_address={shown(sweep.ray_address)}: needs hydra/launcher=ray")
    has_hosts = engine == RAY or cluster.rendezvous is not None
    if not has_hosts:
        needs = "needs cluster.rendezvous=HOST:PORT, or hydra/launcher=ray (docs/hosts.md)"
        if most > 1:
            problems.append(f"hosts={most}: {needs}")
        elif sweep.fleet:
            problems.append(f"fleet=true: {needs}")
        elif cluster.size is not None:
            problems.append(f"cluster.size={cluster.size}: {needs}")
    elif sweep.fleet and cluster.size is None:
        problems.append("fleet=true: needs cluster.size, the number of hosts")
    elif sweep.service != "none":
        several = "hydra/launcher=ray" if engine == RAY else "cluster.rendezvous"
        problems.append(f"service={sweep.service}: must be none with {several}: it serves one host")
    if sweep.fleet and most > 1:
        problems.append(f"hosts={most}: must be 1 with fleet=true, in which each host measures every point")
    if problems:
        raise RequestError(problems)
    if not has_hosts:
        return sweep
    return replace(sweep, cluster=replace(cluster, size=size))


@contextlib.contextmanager
def _joined_hosts(sweep: SweepConfig, plugin_folders: PluginFolders, note: Note) -> Iterator[Hosts]:
    """Let the workers join that are started elsewhere, and the one of this host.

    Args:
        sweep: The options of the sweep, with ``cluster.rendezvous`` and ``cluster.size``.
        plugin_folders: Returns the folders from which the processes can also import.
        note: Called with each line for the user.

    Raises:
        RequestError: There is no token, or the launcher cannot listen there.
    """
    from l2sweep.cluster.hosts import Hosts
    from l2sweep.cluster.membership import rendezvous_address
    from l2sweep.cluster.own_worker import OwnWorker
    from l2sweep.cluster.reception import Reception
    from l2sweep.cluster.token import secret_token

    cluster = sweep.cluster
    assert cluster.size is not None
    assert cluster.rendezvous is not None
    host, port = rendezvous_address("cluster.rendezvous", cluster.rendezvous)
    token = secret_token(os.environ, None)
    with (
        Reception(host, port, token, cluster.size) as reception,
        OwnWorker(reception.place, cluster.size, token) as own,
        Hosts(reception, cluster.size, cluster.wait_s, plugin_folders, own.problem, note) as hosts,
    ):
        yield hosts


@contextlib.contextmanager
def _hosts_of_ray(sweep: SweepConfig, plugin_folders: PluginFolders, note: Note) -> Iterator[Hosts]:
    """Let Ray start a worker on each of its nodes that takes part.

    Args:
        sweep: The options of the sweep, with ``cluster.size``.
        plugin_folders: Returns the folders from which the processes can also import.
        note: Called with each line for the user.

    Raises:
        RequestError: Ray is not installed, does not answer, or has too few nodes.
        BenchError: Ray fails.
    """
    from l2sweep.cluster.engines.ray import RayEngine
    from l2sweep.cluster.engines.workers import WantedWorkers
    from l2sweep.cluster.hosts import Hosts
    from l2sweep.cluster.membership import rendezvous_address
    from l2sweep.cluster.reception import Reception

    cluster = sweep.cluster
    size = cluster.size
    assert size is not None
    token = secrets.token_hex(32)
    with RayEngine(sweep.ray_address, size, cluster.wait_s) as engine:
        host, port = engine.own_address, 0
        if cluster.rendezvous is not None:
            host, port = rendezvous_address("cluster.rendezvous", cluster.rendezvous)
        with Reception(host, port, token, size) as reception:
            for line in engine.start(WantedWorkers(reception.place, size, token, Path.cwd())):
                note(line)
            with Hosts(reception, size, cluster.wait_s, plugin_folders, engine.problem, note) as hosts:
                yield hosts
