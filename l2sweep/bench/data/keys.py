"""Which key indices a round of an operation uses.

One universe of indices serves store, lookup and load, laid out as ``lmcache bench l2`` lays it out
(``run_l2_adapter_bench`` of LMCache 0.5.6), so that a phase run on its own finds what another stored:
round ``r``, counted from 0 with warm-up rounds first, stores and loads the indices from
``r * keys_per_round`` on; a lookup takes ``int(keys_per_round * rate)`` of them from the stored range
and the rest from a range behind it that is never stored.
"""

from __future__ import annotations

from dataclasses import dataclass

from l2sweep.bench.request import PointRequest


@dataclass(frozen=True)
class KeyLayout:
    """The indices of a point's keys.

    Attributes:
        num_keys: Keys in one submit.
        in_flight: Submits in one round.
        total_rounds: Rounds of each operation, warm-up included.
        lookup_max_hit_rate: Share of a lookup's keys that were stored, 0 to 1.
    """

    num_keys: int
    in_flight: int
    total_rounds: int
    lookup_max_hit_rate: float

    @classmethod
    def of(cls, request: PointRequest) -> KeyLayout:
        """Return the layout that a request asks for."""
        return cls(request.num_keys, request.in_flight, request.total_rounds, request.lookup_max_hit_rate)

    @property
    def keys_per_round(self) -> int:
        """Keys in all submits of a round."""
        return self.num_keys * self.in_flight

    @property
    def stored(self) -> range:
        """Every index that the store rounds write."""
        return range(self.total_rounds * self.keys_per_round)

    @property
    def hits_per_round(self) -> int:
        """Keys of a lookup round that were stored."""
        return int(self.keys_per_round * self.lookup_max_hit_rate)

    def transfer_round(self, round_index: int) -> list[list[int]]:
        """Return a store or load round's indices, one list a submit.

        Args:
            round_index: Counted from 0, warm-up rounds first.
        """
        base = round_index * self.keys_per_round
        return self._split(list(range(base, base + self.keys_per_round)))

    def lookup_round(self, round_index: int) -> list[list[int]]:
        """Return a lookup round's indices, one list a submit: first the hits, then the misses.

        Args:
            round_index: Counted from 0, warm-up rounds first.
        """
        hits = self.hits_per_round
        misses = self.keys_per_round - hits
        hit_base = round_index * hits
        miss_base = len(self.stored) + round_index * misses
        return self._split([*range(hit_base, hit_base + hits), *range(miss_base, miss_base + misses)])

    def _split(self, indices: list[int]) -> list[list[int]]:
        return [indices[i : i + self.num_keys] for i in range(0, len(indices), self.num_keys)]
