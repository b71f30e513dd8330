"""The hosts of a sweep, from its options: this host alone, the workers that join, or those of an engine."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from l2sweep.config.point import PointConfig
from l2sweep.config.sweep import SweepConfig
from l2sweep.errors import RequestError, printable

if TYPE_CHECKING:
    from l2sweep.cluster.hosts import Hosts
    from l2sweep.sweep.prepare import SweepRequest
    from l2sweep.sweep.session import SweepSession

Note = Callable[[str], None]
PluginFolders = Callable[[], tuple[str, ...]]


def with_hosts(request: SweepRequest, session: SweepSession) -> SweepRequest:
    """Return a request with the number of its hosts, and let several hosts join the session.

    Args:
        request: The request.
        session: The session of the sweep.

    Raises:
        RequestError: The options of the hosts cannot be used.
    """
    from l2sweep.sweep.terminal.console import progress_console

    sweep = _with_size(request.sweep, request.grid)
    request = replace(request, sweep=sweep)
    if sweep.cluster.rendezvous is not None and not sweep.dry_run and session.crew is None:
        console = progress_console(sweep)

        def note(line: str) -> None:
            console.print(printable(line), markup=False, soft_wrap=True)

        session.join(_joined_hosts(sweep, lambda: session.starter.plugin_folders, note))
    return request


def _with_size(sweep: SweepConfig, grid: Sequence[PointConfig]) -> SweepConfig:
    """Return the options of a sweep with the number of its hosts.

    Args:
        sweep: The options of the sweep.
        grid: Every point.

    Raises:
        RequestError: The options of the hosts contradict each other.
    """
    cluster = sweep.cluster
    most = max(point.hosts for point in grid)
    size = cluster.size or most
    problems = []
    if most > size:
        problems.append(f"hosts={most}: must be at most cluster.size={size}")
    if cluster.rendezvous is None:
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
        problems.append(f"service={sweep.service}: must be none with cluster.rendezvous: it serves one host")
    if sweep.fleet and most > 1:
        problems.append(f"hosts={most}: must be 1 with fleet=true, in which each host measures every point")
    if problems:
        raise RequestError(problems)
    if cluster.rendezvous is None:
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
    from l2sweep.cluster.membership import membership
    from l2sweep.cluster.own_worker import OwnWorker
    from l2sweep.cluster.reception import Reception
    from l2sweep.cluster.token import secret_token

    cluster = sweep.cluster
    assert cluster.size is not None
    member = membership(rendezvous=cluster.rendezvous, rank=0, size=cluster.size, environment={})
    token = secret_token(os.environ, None)
    with (
        Reception(member.rendezvous_host, member.rendezvous_port, token, cluster.size) as reception,
        OwnWorker(reception.place, cluster.size, token) as own,
    ):
        hosts = Hosts(reception, cluster.size, cluster.wait_s, plugin_folders, own.problem, note)
        try:
            yield hosts
        finally:
            hosts.leave()
