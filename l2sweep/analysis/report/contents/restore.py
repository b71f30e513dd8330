"""Section 4: how long it takes to restore a prompt from this tier, and from which length on that pays."""

from __future__ import annotations

from dataclasses import dataclass

from l2sweep.analysis.report.contents.curves import Temperature


@dataclass(frozen=True)
class RestoreTime:
    """How long it takes to load the KV cache of a prompt.

    Attributes:
        model: Name of the model preset.
        adapter: Name of the adapter.
        options: Its options in words.
        temperature: State of the page cache.
        tokens: Length of the prompt.
        kv_bytes: Size of its KV cache.
        load_s: Seconds; None if the needed size or depth was not measured.
        low_s: Lower end of its 95% interval; None if there is none.
        high_s: Upper end.
        mib_per_s: The throughput from which it follows; None if it was not measured.
        basis: Where the throughput comes from: ``measured``, ``interpolated: ...`` with its neighbours, or
            ``not measured: ...``; and whether the time is without the lookup.
    """

    model: str
    adapter: str
    options: str
    temperature: Temperature
    tokens: int
    kv_bytes: int
    load_s: float | None
    low_s: float | None
    high_s: float | None
    mib_per_s: float | None
    basis: str


@dataclass(frozen=True)
class BreakEvenPoint:
    """Load and prefill time of a prompt length.

    Attributes:
        tokens: Length of the prompt.
        load_s: Seconds to load; None if not measured.
        load_low_s: Lower end of its 95% interval.
        load_high_s: Upper end.
        prefill_low_s: Seconds to compute with the highest assumed speed.
        prefill_high_s: The same with the lowest.
        basis: As in :class:`RestoreTime`.
    """

    tokens: int
    load_s: float | None
    load_low_s: float | None
    load_high_s: float | None
    prefill_low_s: float
    prefill_high_s: float
    basis: str


@dataclass(frozen=True)
class BreakEvenCurve:
    """Load against prefill over the length of a prompt.

    Attributes:
        model: Name of the model preset.
        gpu: Name of the GPU, whose speed is assumed and not measured.
        adapter: Name of the adapter.
        options: Its options in words.
        temperature: State of the page cache.
        sentence: The answer in a sentence: from which length on loading is faster, and how sure that is.
        assumption: What is assumed, such as the share of the peak that a prefill reaches.
        points: The lengths, ascending.
    """

    model: str
    gpu: str
    adapter: str
    options: str
    temperature: Temperature
    sentence: str
    assumption: str
    points: tuple[BreakEvenPoint, ...]


@dataclass(frozen=True)
class Restore:
    """Restore times and the break-even.

    Attributes:
        times: Restore times of 8k, 32k and 128k tokens for each model.
        break_evens: The curves.
        not_measured: Sentences that say what is missing and why.
    """

    times: tuple[RestoreTime, ...]
    break_evens: tuple[BreakEvenCurve, ...]
    not_measured: tuple[str, ...]
