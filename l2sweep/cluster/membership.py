"""Who a worker is among the hosts that take part: its rank, how many there are, and where they meet."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Mapping
from dataclasses import dataclass

from l2sweep.cluster.slurm_hosts import expand_hosts
from l2sweep.errors import RequestError, collected, shown

MOST_HOSTS = 10_000
"""The largest number of hosts that can take part."""

_FIRST_PORT = 20_000  # Slurm gives no port. Linux takes the ports of its own choice from 32768 on.
_NUM_PORTS = 10_000
_LARGEST_PORT = 65_535
_HOST_NAME = re.compile(r"[A-Za-z0-9_]([A-Za-z0-9_.-]{0,252}[A-Za-z0-9_])?")
_NUMBER = re.compile(r"[0-9]{1,18}")


@dataclass(frozen=True)
class Membership:
    """The place of a worker among the hosts that take part.

    Attributes:
        rendezvous_host: Host name or address on which rank 0 listens. An IPv6 address has no brackets.
        rendezvous_port: TCP port on which rank 0 listens.
        rank: Number of this worker, from 0. Rank 0 runs the sweep.
        size: Number of workers.
    """

    rendezvous_host: str
    rendezvous_port: int
    rank: int
    size: int

    @property
    def rendezvous(self) -> str:
        """Where rank 0 listens, as HOST:PORT."""
        return host_and_port(self.rendezvous_host, self.rendezvous_port)


@dataclass(frozen=True)
class _Value:
    """A value, and the flag or variable that it comes from."""

    name: str
    text: str

    def must_be(self, allowed: str) -> RequestError:
        """Return the error that says what is allowed."""
        return RequestError([f"{self}: must be {allowed}"])

    def __str__(self) -> str:
        separator = " " if self.name.startswith("--") else "="
        return f"{self.name}{separator}{shown(self.text)}"


@dataclass(frozen=True)
class _Engine:
    """The variables that an engine sets for each worker; empty where it has none."""

    rank: str
    size: str


# Sources: "Environment Variables" of torchrun in PyTorch's documentation; srun(1), "OUTPUT ENVIRONMENT
# VARIABLES"; "Completion mode" of a Job in the documentation of Kubernetes, where no variable has the size.
_TORCHRUN = _Engine(rank="RANK", size="WORLD_SIZE")
_SLURM = _Engine(rank="SLURM_PROCID", size="SLURM_NTASKS")
_KUBERNETES = _Engine(rank="JOB_COMPLETION_INDEX", size="")
_ENGINES = (_TORCHRUN, _SLURM, _KUBERNETES)
# The script of a job is no task, but has SLURM_PROCID=0 and SLURM_NTASKS as well. It has none of these.
_STEP = {"SLURM_STEP_ID", "SLURM_STEPID", "SLURM_STEP_NODELIST"}


def membership(
    *,
    rendezvous: str | None,
    rank: int | None,
    size: int | None,
    environment: Mapping[str, str],
) -> Membership:
    """Return the place of this worker among the hosts that take part.

    Flags come first. What they leave open follows from the variables of what started the worker:

    - torchrun: ``RANK``, ``WORLD_SIZE``, ``MASTER_ADDR``, ``MASTER_PORT``, or the port beside it where
      torchrun itself listens on this one.
    - Slurm: ``SLURM_PROCID``, ``SLURM_NTASKS``, the first host of ``SLURM_STEP_NODELIST`` or
      ``SLURM_JOB_NODELIST``, and port 20000 + ``SLURM_JOB_ID`` modulo 10000.
    - An Indexed Job of Kubernetes: ``JOB_COMPLETION_INDEX``.

    The first of them whose rank is set is taken. Under Slurm and Kubernetes, ``WORLD_SIZE``, ``MASTER_ADDR``
    and ``MASTER_PORT`` are used where they are set.

    Args:
        rendezvous: Value of ``--rendezvous``: ``HOST:PORT``, with an IPv6 address in brackets.
        rank: Value of ``--rank``, from 0.
        size: Value of ``--size``, at least 1.
        environment: The environment variables.

    Raises:
        RequestError: A value is missing or wrong, or two values contradict each other. Each problem names the
            flag or the variable, its value and what is allowed.
    """
    # An empty variable is one that is not set, as in a manifest of Kubernetes or in a shell script.
    given = {name: text.strip() for name, text in environment.items() if text.strip()}
    engine = next((engine for engine in _ENGINES if engine.rank in given), None)
    problems: list[str] = []
    found_rank, found_size, host, port = 0, MOST_HOSTS, "", 0
    rank_value = size_value = None
    with collected(problems):
        rank_value = _rank(rank, engine, given)
        found_rank = _whole_number(rank_value, 0, MOST_HOSTS - 1)
    with collected(problems):
        size_value = _size(size, engine, given)
        found_size = _whole_number(size_value, 1, MOST_HOSTS)
    with collected(problems):
        if rendezvous is not None:
            host, port = rendezvous_address("--rendezvous", rendezvous)
        else:
            host = _host(given, engine)
            port = _port(given, engine)
    if not problems and found_rank >= found_size:
        problems.append(f"{rank_value}: must be below {size_value}: ranks count from 0")
    if not problems and engine is not None and None in (rendezvous, rank, size):
        problems += _contradictions(rank_value, size_value, engine, given)
        if rank is None and engine is _SLURM and found_size > 1 and not _STEP & set(given):
            problems.append(f"{rank_value}: must be set by srun for a step of the job: srun l2sweep worker")
    if problems:
        raise RequestError(problems)
    return Membership(host, port, found_rank, found_size)


def host_and_port(host: str, port: int) -> str:
    """Return HOST:PORT, as :func:`rendezvous_address` reads it.

    Args:
        host: The host. An IPv6 address gets brackets.
        port: The TCP port.
    """
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def rendezvous_address(name: str, text: str) -> tuple[str, int]:
    """Return the host and the port of a rendezvous.

    Args:
        name: The flag or option that it comes from, for the error.
        text: ``HOST:PORT``, with an IPv6 address in brackets.

    Returns:
        The host, where an IPv6 address has no brackets, and the TCP port.

    Raises:
        RequestError: It is something else.
    """
    value = _Value(name, text)
    host, colon, port = text.rpartition(":")
    if not colon or (":" in host and not (host.startswith("[") and host.endswith("]"))):
        raise value.must_be("HOST:PORT, such as node1:29500, 10.0.0.1:29500 or [fd00::1]:29500")
    if not _NUMBER.fullmatch(port) or not 1 <= int(port) <= _LARGEST_PORT:
        raise value.must_be(f"HOST:PORT with a port from 1 to {_LARGEST_PORT}")
    return _address(value, host), int(port)


def _rank(flag: int | None, engine: _Engine | None, given: Mapping[str, str]) -> _Value:
    if flag is not None:
        return _Value("--rank", str(flag))
    if engine is None:
        names = ", ".join(engine.rank for engine in _ENGINES)
        raise RequestError([f"--rank: must be given, because none of {names} is set"])
    return _Value(engine.rank, given[engine.rank])


def _size(flag: int | None, engine: _Engine | None, given: Mapping[str, str]) -> _Value:
    if flag is not None:
        return _Value("--size", str(flag))
    for name in (_TORCHRUN.size, _SLURM.size if engine is _SLURM else ""):
        if name in given:
            return _Value(name, given[name])
    names = f"{_TORCHRUN.size} and {_SLURM.size} are" if engine is _SLURM else f"{_TORCHRUN.size} is"
    raise RequestError([f"--size: must be given, because {names} not set"])


def _host(given: Mapping[str, str], engine: _Engine | None) -> str:
    if "MASTER_ADDR" in given:
        return _address(_Value("MASTER_ADDR", given["MASTER_ADDR"]), given["MASTER_ADDR"])
    names = ("SLURM_STEP_NODELIST", "SLURM_JOB_NODELIST") if engine is _SLURM else ()
    for name in names:
        if name in given:
            value = _Value(name, given[name])
            try:
                hosts = expand_hosts(value.text)
            except RequestError:
                raise value.must_be("a list of hosts such as node[01-03,7],login") from None
            return _address(value, hosts[0])
    unset = " and ".join(("MASTER_ADDR", *names))
    verb = "are" if names else "is"
    raise RequestError([f"--rendezvous: must be given as HOST:PORT, because {unset} {verb} not set"])


def _port(given: Mapping[str, str], engine: _Engine | None) -> int:
    if "MASTER_PORT" in given:
        port = _whole_number(_Value("MASTER_PORT", given["MASTER_PORT"]), 1, _LARGEST_PORT)
        # torchrun then listens on this port itself, for a store that its processes share.
        is_taken = engine is _TORCHRUN and given.get("TORCHELASTIC_USE_AGENT_STORE") == "True"
        return port - 1 if is_taken and port == _LARGEST_PORT else port + is_taken
    if engine is _SLURM:
        if "SLURM_JOB_ID" in given:
            job_id = _whole_number(_Value("SLURM_JOB_ID", given["SLURM_JOB_ID"]), 0, 10**18)
            return _FIRST_PORT + job_id % _NUM_PORTS
        unset = "MASTER_PORT and SLURM_JOB_ID are"
    else:
        unset = "MASTER_PORT is"
    raise RequestError([f"--rendezvous: must be given as HOST:PORT, because {unset} not set"])


def _contradictions(
    rank: _Value | None, size: _Value | None, engine: _Engine, given: Mapping[str, str]
) -> list[str]:
    """Return a sentence for each value that differs from what the engine says."""
    found = []
    for value, name in ((rank, engine.rank), (size, engine.size)):
        if value is None or name not in given or value.name == name:
            continue
        said = _Value(name, given[name])
        if not _NUMBER.fullmatch(said.text) or int(said.text) != int(value.text):
            flags = "--rendezvous, --rank and --size"
            found.append(f"{value}: must be {said}, or {flags} must all be given")
    return found


def _whole_number(value: _Value, smallest: int, largest: int) -> int:
    if not _NUMBER.fullmatch(value.text) or not smallest <= int(value.text) <= largest:
        raise value.must_be(f"a whole number from {smallest} to {largest}")
    return int(value.text)


def _address(value: _Value, host: str) -> str:
    """Return a host name or an address without brackets."""
    if host.startswith("[") and host.endswith("]"):
        host = host[1:-1]
        if ":" not in host:
            raise value.must_be("an IPv6 address inside the brackets")
    if ":" in host:
        try:
            ipaddress.IPv6Address(host)
        except ValueError:
            raise value.must_be("a host name or an address, with IPv6 in brackets") from None
    elif not _HOST_NAME.fullmatch(host):
        raise value.must_be("a host name or an address, with IPv6 in brackets")
    return host
