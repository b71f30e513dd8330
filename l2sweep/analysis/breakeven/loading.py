"""How long loading the KV cache of a prompt takes from a tier."""

from __future__ import annotations

from dataclasses import dataclass

from l2sweep.analysis.breakeven.bandwidth import Estimate
from l2sweep.analysis.breakeven.geometry import ModelGeometry
from l2sweep.analysis.breakeven.tiers import Tier
from l2sweep.analysis.tune.bootstrap import Floats, Interval, interval

_MIB = 1024 * 1024


@dataclass(frozen=True)
class LoadTime:
    """How long one of several requests waits for its KV cache.

    Attributes:
        tokens: Length of the prompt.
        keys: Its keys.
        loaded_bytes: Its bytes.
        concurrency: Requests that load at the same time.
        bandwidth: Throughput of all of them together (MiB/s).
        lookup: Throughput of their lookups (keys/s); None if none was measured.
        h2d_s: Copy from host to device, of each rank by itself; 0 where it overlaps or does not count.
    """

    tokens: int
    keys: int
    loaded_bytes: int
    concurrency: int
    bandwidth: Estimate
    lookup: Estimate | None
    h2d_s: float

    @property
    def lookup_s(self) -> float | None:
        """Time of the lookup; None if none was measured."""
        return None if self.lookup is None else self.keys * self.concurrency / self.lookup.value

    @property
    def transfer_s(self) -> float:
        """Time from the tier to the memory of the host."""
        return self._mib / self.bandwidth.value

    @property
    def load_s(self) -> float:
        """T_load: lookup, transfer and copy to the device."""
        return (self.lookup_s or 0.0) + self.transfer_s + self.h2d_s

    @property
    def samples(self) -> Floats | None:
        """T_load of resampled processes; None where a neighbour has too few."""
        if self.bandwidth.samples is None:
            return None
        seconds: Floats = self._mib / self.bandwidth.samples + self.h2d_s
        if self.lookup is None:
            return seconds
        if self.lookup.samples is None:
            return None
        return seconds + self.keys * self.concurrency / self.lookup.samples

    @property
    def interval(self) -> Interval | None:
        """95% interval of T_load; None without samples."""
        return interval(self.samples)

    @property
    def request_gb_s(self) -> float:
        """Share of one request in the throughput (GB/s): the aggregate divided by the requests."""
        return self.bandwidth.value * _MIB / self.concurrency / 1e9

    @property
    def basis(self) -> str:
        """Where the throughput is from, as in :class:`Estimate`."""
        return self.bandwidth.basis

    @property
    def _mib(self) -> float:
        return self.loaded_bytes * self.concurrency / _MIB


def load_time(
    tier: Tier, model: ModelGeometry, tokens: int, concurrency: int = 1, h2d_bytes_s: float | None = None
) -> LoadTime | str:
    """Return how long loading a prompt takes: t_lookup + n * kappa * c / B(size, depth) [+ the copy].

    Args:
        tier: Where it is loaded from.
        model: The model.
        tokens: Length of the prompt.
        concurrency: Requests c of this length that load at the same time.
        h2d_bytes_s: Bytes a second from host to device, of each rank; None: the copy does not count.

    Returns:
        The time, or why it is not known.
    """
    keys = model.keys(tokens)
    size_kb = model.key_bytes // 1024
    bandwidth = tier.loads.at(size_kb, keys, concurrency)
    if isinstance(bandwidth, str):
        return bandwidth
    lookup = None if tier.lookups is None else tier.lookups.at(size_kb, keys, concurrency)
    if isinstance(lookup, str):
        return f"lookups: {lookup}"
    copied = model.chunks(tokens) * model.key_bytes * concurrency
    return LoadTime(
        tokens=tokens,
        keys=keys,
        loaded_bytes=model.loaded_bytes(tokens),
        concurrency=concurrency,
        bandwidth=bandwidth,
        lookup=lookup,
        h2d_s=copied / h2d_bytes_s if h2d_bytes_s else 0.0,
    )
