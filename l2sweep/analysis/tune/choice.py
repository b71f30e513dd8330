"""Choose the options whose loss is the least in the worst of all workloads: minimax regret.

Source: Savage, "The Theory of Statistical Decision", Journal of the American Statistical Association 46
(1951).
The regret of a choice in a workload is what it loses against the best choice there. No choice wins everywhere
(the best number of workers depends on the size), and which workload comes is not known.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

import numpy as np

from l2sweep.analysis.tune.bootstrap import Interval, interval, resampled_medians
from l2sweep.analysis.tune.settings import Setting

Option = TypeVar("Option", bound=Hashable)


@dataclass(frozen=True)
class Candidate(Generic[Option]):
    """One of the options that can be chosen.

    Attributes:
        option: What can be chosen.
        loss: Its largest loss over all workloads, as a fraction of the best there.
        loss_interval: Interval of that loss; None if a setting has too few processes.
        worst: The setting where it loses most.
        best_there: The setting that is the best there.
    """

    option: Option
    loss: float
    loss_interval: Interval | None
    worst: Setting
    best_there: Setting


@dataclass(frozen=True)
class Choice(Generic[Option]):
    """The options, from the one with the least worst-case loss on.

    Attributes:
        candidates: The options that were measured in every workload.
        workloads: Number of workloads.
        left_out: The options that were not measured in every workload, or of which a process failed there.
    """

    candidates: tuple[Candidate[Option], ...]
    workloads: int
    left_out: tuple[Option, ...]


def least_worst_loss(among: Sequence[Setting], option_of: Callable[[Setting], Option]) -> Choice[Option]:
    """Order options by the loss in their worst workload.

    Args:
        among: Settings.
        option_of: Returns what is chosen; settings with the same option differ in their workload.

    Returns:
        The choice. Nothing is estimated for a workload in which an option was not measured: such an option is
        left out.
    """
    by_option: dict[Option, dict[Any, Setting]] = {}
    for one in among:
        own = by_option.setdefault(option_of(one), {})
        if one.is_candidate:
            own[one.workload] = one
    workloads = list(dict.fromkeys(one.workload for one in among))
    options = [option for option, own in by_option.items() if len(own) == len(workloads)]
    left_out = tuple(option for option in by_option if option not in options)
    if not options:
        return Choice((), len(workloads), left_out)
    table = [[by_option[option][workload] for workload in workloads] for option in options]
    rates = np.array([[one.rate for one in row] for row in table])
    losses = 1 - rates / rates.max(axis=0)
    medians = resampled_medians([one.rates for row in table for one in row])
    candidates = []
    for index, option in enumerate(options):
        worst = int(losses[index].argmax())
        resampled = None
        if medians is not None:
            cube = medians.reshape(len(medians), len(options), len(workloads))
            resampled = (1 - cube[:, index] / cube.max(axis=1)).max(axis=1)
        best = table[int(rates[:, worst].argmax())][worst]
        candidates.append(
            Candidate(option, float(losses[index, worst]), interval(resampled), table[index][worst], best)
        )
    return Choice(tuple(sorted(candidates, key=lambda one: one.loss)), len(workloads), left_out)
