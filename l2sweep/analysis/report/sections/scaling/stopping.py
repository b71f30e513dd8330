"""Where throughput stops growing with the number of clients, and how sure that is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from l2sweep.analysis.tune.bootstrap import FEWEST, Interval, interval, resampled_medians
from l2sweep.analysis.tune.knee import WITHIN, Knee, knee_of
from l2sweep.analysis.tune.settings import CLIENTS, Setting


@dataclass(frozen=True)
class Stop:
    """Where throughput stops growing.

    Attributes:
        at: The number of clients; None if it is not known, or throughput grows up to the last setting.
        interval: 95% interval of the number; None if it is not known.
        sentence: The same in words.
    """

    at: int | None
    interval: Interval | None
    sentence: str


def stop_of(curve: Sequence[Setting], one_client: Setting | None) -> Stop:
    """Return where the throughput of a curve stops growing: at its knee over the number of clients.

    Args:
        curve: Settings that differ in the number of clients alone.
        one_client: The setting with one client; None if it was not measured.
    """
    knee = knee_of(curve, CLIENTS)
    left_out = [in_words(one) for one in curve if one.failed]
    why = f"a process failed at {' and '.join(left_out)}" if left_out else ""
    if knee is None:
        return Stop(None, None, f"it is not known where throughput stops growing: {why or 'too few points'}.")
    sentences = [_growing(knee) if knee.at is knee.curve[-1] else _stopping(knee)]
    if knee.interval is not None and knee.interval.low < knee.interval.high:
        low, high = knee.interval.low, knee.interval.high
        sentences.append(f"With resampled processes, it stops at {low:.0f} to {high:.0f} clients.")
    if one_client is not None and knee.at.clients > 1:
        number = knee.at.clients
        share, found = ratio(knee.at, one_client)
        of_ideal = None if found is None else Interval(found.low / number, found.high / number)
        sentences.append(
            f"{_capital(in_words(knee.at))} reach {share / number:.0%} of {number} times one client"
            f"{_percent_interval(of_ideal)}."
        )
    if why:
        sentences.append(f"Left out, because {why}.")
    is_last = knee.at is knee.curve[-1]
    return Stop(None if is_last else knee.at.clients, knee.interval, " ".join(sentences))


def ratio(one: Setting, other: Setting) -> tuple[float, Interval | None]:
    """Return the throughput of a setting as a multiple of another one's, with its 95% interval.

    Args:
        one: The setting.
        other: The other one.

    Returns:
        The ratio of the medians; no interval if one of both has too few processes.
    """
    medians = resampled_medians([one.rates, other.rates])
    found = None if medians is None else interval(medians[:, 0] / medians[:, 1])
    return one.rate / other.rate, found


def in_words(one: Setting) -> str:
    """Return a number of clients, such as ``8 clients on 2 hosts``."""
    number = one.clients
    on_hosts = f" on {one.hosts} hosts" if one.hosts > 1 else ""
    return f"{number} client{'' if number == 1 else 's'}{on_hosts}"


def _growing(knee: Knee) -> str:
    before = knee.curve[-2]
    growth, found = ratio(knee.at, before)
    sentence = f"throughput grows up to {in_words(knee.at)}, the most that were measured: {growth:.2f} times "
    sentence += f"that of {in_words(before)}{_interval(found)}"
    if found is not None and found.low * (1 - WITHIN) <= 1:
        sentence += ", so that it may have stopped before"
    return f"{sentence}."


def _stopping(knee: Knee) -> str:
    beyond = knee.curve[knee.curve.index(knee.at) + 1 :]
    best = max(beyond, key=lambda one: one.rate)
    growth, found = ratio(best, knee.at)
    most = "" if len(beyond) == 1 else ", the best of those with more,"
    sentence = f"throughput stops growing at {in_words(knee.at)}: {in_words(best)}{most} reach {growth:.2f} "
    sentence += f"times as much{_interval(found)}"
    if found is not None and found.high * (1 - WITHIN) > 1:
        sentence += f", so that {found.high - 1:.0%} more are not excluded"
    return f"{sentence}."


def _interval(found: Interval | None) -> str:
    if found is None:
        return f" (no interval: fewer than {FEWEST} processes)"
    return f" (95% interval {found.low:.2f} to {found.high:.2f})"


def _percent_interval(found: Interval | None) -> str:
    return "" if found is None else f" (95% interval {found.low:.0%} to {found.high:.0%})"


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]
