"""The section Scaling: how throughput grows with the number of clients.

The three rates and the fairness are those of ``docs/clients.md``.
"""

from __future__ import annotations

from dataclasses import dataclass

from l2sweep.analysis.report.contents.curves import Temperature


@dataclass(frozen=True)
class ScalingPoint:
    """What a number of clients reached. Rates are in MiB/s, of lookups in keys/s; None if unknown.

    Rates and fairness are medians over the processes. All clients of an attempt at a point are
    one process.

    Attributes:
        clients: Clients on all hosts together.
        hosts: Hosts that measured together.
        processes: Number of complete processes: the sample.
        failed_processes: Number of processes that did not complete.
        rate: All that moved, from the first start to the last end of each round.
        rate_low: Lower end of its 95% interval; None with fewer than 3 processes.
        rate_high: Upper end.
        all_active_rate: What moved while all clients were active, per second of that time; None with one
            client, as the other numbers of clients.
        sum_of_client_rates: The sum of the rates that the clients reached by themselves.
        client_fairness: Rate of the slowest client divided by that of the fastest.
        start_skew_s: The largest start skew of a round of all processes.
        skewed_rounds: Rounds of all processes whose skew is above 5% of their duration.
        client_rounds: Rounds of all processes that all clients completed.
        ideal_rate: Rate of one client, times the number of clients; None if one client was not measured.
        client_scaling: Rate divided by that of one client.
        client_scaling_low: Lower end of its 95% interval; None if one of both has fewer than 3 processes.
        client_scaling_high: Upper end.
    """

    clients: int
    hosts: int
    processes: int
    failed_processes: int
    rate: float | None
    rate_low: float | None
    rate_high: float | None
    all_active_rate: float | None
    sum_of_client_rates: float | None
    client_fairness: float | None
    start_skew_s: float | None
    skewed_rounds: int | None
    client_rounds: int | None
    ideal_rate: float | None
    client_scaling: float | None
    client_scaling_low: float | None
    client_scaling_high: float | None


@dataclass(frozen=True)
class ScalingCurve:
    """The throughput of an adapter over the number of clients, everything else being equal.

    Attributes:
        phase: store, lookup or load.
        temperature: As in :class:`l2sweep.analysis.report.contents.curves.MeasuredSetting`.
        adapter: Name of the adapter.
        is_control: Whether it is a control: its clients share nothing but this machine.
        label: What the curve has in common and others of its adapter, phase and temperature have not; empty
            if there is no other.
        points: In ascending order of ``clients``; at least two of them have a rate.
        stops_at: The fewest clients that reach 95% of the most throughput of the curve; None if these are the
            most that were measured, and if fewer than two points have no failed process.
        stops_at_low: Lower end of its 95% interval; None if a point has fewer than 3 processes.
        stops_at_high: Upper end.
        sentence: Where throughput stops growing, and how sure that is.
    """

    phase: str
    temperature: Temperature | None
    adapter: str
    is_control: bool
    label: str
    points: tuple[ScalingPoint, ...]
    stops_at: int | None
    stops_at_low: int | None
    stops_at_high: int | None
    sentence: str

    @property
    def unit(self) -> str:
        """Unit of the rates: ``keys/s`` for lookups, else ``MiB/s``."""
        return "keys/s" if self.phase == "lookup" else "MiB/s"


@dataclass(frozen=True)
class Scaling:
    """How throughput grows with the number of clients.

    Attributes:
        curves: The curves; empty if no point was measured with several numbers of clients.
    """

    curves: tuple[ScalingCurve, ...]
