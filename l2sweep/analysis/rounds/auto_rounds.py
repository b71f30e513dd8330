"""Tell why the rounds of a phase ended whose number was not fixed."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from l2sweep.analysis.ended import is_auto, known

Row = Mapping[str, Any]

COLUMNS_OF_AUTO_ROUNDS = (
    *("precision", "max_seconds", "warmup_auto"),
    *(
        f"{phase}_{name}"
        for phase in ("store", "lookup", "load")
        for name in ("rounds_ended_by", "warmup_ended_by", "precision_reached")
    ),
)
"""The columns of ``points`` that tell why the rounds of a phase ended."""


@dataclass(frozen=True)
class AutoRounds:
    """Why the rounds of a phase ended whose number was not fixed.

    Attributes:
        ended_by: ``precision``, ``max_rounds``, ``max_seconds`` or ``stored_rounds``; None if the number of
            measured rounds was fixed, or the phase did not come to its end.
        warmup_ended_by: ``steady``, ``max_warmup_rounds`` or ``stored_rounds``; None as above.
        precision: Half-width of the 95% interval of the median duration, divided by the median; None if it is
            unknown.
        rounds: Number of measured rounds.
        warmup_rounds: Number of warm-up rounds.
        max_seconds: The limit; None if there was none.
        is_limited: Whether the number of measured rounds was open, up to a limit.
    """

    ended_by: str | None
    warmup_ended_by: str | None
    precision: float | None
    rounds: int
    warmup_rounds: int
    max_seconds: float | None
    is_limited: bool = True

    def __str__(self) -> str:
        """Return one line; empty if there is nothing to say.

        Examples: ``12 rounds, precision 4.1%``; ``max_rounds=50 reached at 7.3%``; ``max_seconds=120 reached
        at 7.3% after 20 rounds``; ``durations still drifted after 20 warm-up rounds``.
        """
        return _text([self])

    @property
    def is_drifting(self) -> bool:
        """Whether durations still drifted at the end of the warm-up."""
        return self.warmup_ended_by not in (None, "steady")


def auto_rounds(phase: str, point: Row, rounds: int, warmup_rounds: int) -> AutoRounds | None:
    """Return why the rounds of a phase ended; None if their number was fixed.

    Args:
        phase: store, lookup or load.
        point: The row of the process in the data set ``points``, of any schema version.
        rounds: Number of measured rounds of the phase.
        warmup_rounds: Number of its warm-up rounds.
    """
    if not is_auto(point) and not known(point.get("warmup_auto")):
        return None
    return AutoRounds(
        ended_by=known(point.get(f"{phase}_rounds_ended_by")),
        warmup_ended_by=known(point.get(f"{phase}_warmup_ended_by")),
        precision=known(point.get(f"{phase}_precision_reached")),
        rounds=rounds,
        warmup_rounds=warmup_rounds,
        max_seconds=known(point.get("max_seconds")),
        is_limited=is_auto(point),
    )


def ends_of_repeats(ends: Sequence[AutoRounds | None]) -> str | None:
    """Return why the rounds of a phase ended over its repeats, or over all processes that measured it.

    Repeats that ended for the same reason are one text: ``9..14 rounds, precision 3.9%..4.8%``. Different
    texts are counted: ``2 of 3 repeats: 9..14 rounds, precision 3.9%..4.8%; 1 of 3 repeats: max_rounds=50
    reached at 7.3%``.

    Args:
        ends: What :func:`auto_rounds` returns for each of them.

    Returns:
        The text; None if there is nothing to say.
    """
    alike: dict[tuple[Any, ...], list[AutoRounds]] = {}
    for one in ends:
        if one is not None and str(one):
            reason = (one.ended_by, one.precision is None, one.is_drifting)
            alike.setdefault(reason, []).append(one)
    texts = []
    for of_reason in alike.values():
        count = f"{len(of_reason)} of {len(ends)} repeats: " if len(of_reason) < len(ends) else ""
        texts.append(count + _text(of_reason))
    return "; ".join(texts) or None


def _text(ends: Sequence[AutoRounds]) -> str:
    """Return one line for repeats that ended for the same reason."""
    first = ends[0]
    rounds = _range((one.rounds for one in ends), str)
    reached = _range((one.precision for one in ends if one.precision is not None), "{:.1%}".format)
    reached = reached or "an unknown precision"
    limit = _range((one.max_seconds for one in ends if one.max_seconds is not None), "{:g}".format) or "?"
    texts = {
        "precision": f"{rounds} rounds, precision {reached}",
        "max_rounds": f"max_rounds={rounds} reached at {reached}",
        "max_seconds": f"max_seconds={limit} reached at {reached} after {rounds} rounds",
        "stored_rounds": f"no stored keys left at {reached} after {rounds} rounds",
    }
    parts = [texts[first.ended_by]] if first.ended_by in texts else []
    if first.is_drifting:
        warmup_rounds = _range((one.warmup_rounds for one in ends), str)
        parts.append(f"durations still drifted after {warmup_rounds} warm-up rounds")
    return ", ".join(parts)


def _range(values: Iterable[float], text: Callable[[float], str]) -> str:
    """Return the smallest and the largest value; empty if there is none."""
    ordered = sorted(values)
    return "..".join(dict.fromkeys(map(text, (ordered[0], ordered[-1])))) if ordered else ""
