"""Read the rows of two sets of sweeps, and compare them."""

from __future__ import annotations

import contextlib
import difflib
import importlib
import threading
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.compute as pc

from l2sweep.analysis.compare.comparison import THRESHOLD, compare_tables
from l2sweep.analysis.compare.result import SOMETHING_SLOWER, ComparisonResult
from l2sweep.analysis.compare.rows.columns import ROUND_COLUMNS
from l2sweep.analysis.compare.rows.environment import POINT_ROW_COLUMNS
from l2sweep.analysis.compare.rows.split import Part, mixed_releases, split
from l2sweep.analysis.control import CONTROLS
from l2sweep.analysis.fleet.hosts import FLEET_HOST
from l2sweep.errors import RequestError, shown
from l2sweep.records import schema
from l2sweep.records.reader import points_table, rounds_table
from l2sweep.records.selectors import Selection, select
from l2sweep.records.store.place import ResultsDir

if TYPE_CHECKING:
    import pandas as pd

_ROUND_COLUMNS = (*ROUND_COLUMNS, "release")


def compare(
    base: str | pd.DataFrame | pa.Table,
    candidate: str | pd.DataFrame | pa.Table,
    *,
    results_dir: ResultsDir = "results",
    threshold: float = THRESHOLD,
    phase: str | None = None,
    where: str | None = None,
) -> ComparisonResult:
    """Tell whether a candidate is slower than a base, for each point and phase and in total.

    ``docs/compare.md`` describes the method.

    Args:
        base: Selector of sweeps, such as ``name:nightly~1..7``, or rows of ``load_rounds``.
        candidate: Selector of sweeps, such as ``name:nightly``, or rows of ``load_rounds``.
        results_dir: Folder of the data sets that selectors refer to.
        threshold: The least change that is a finding, as a share: 0.05 is 5 %.
        phase: The only phase that is compared; None: all. For selectors only, like ``where``.
        where: A condition on the rows of rounds; None: all.

    Returns:
        The result. What differs in the environment, and processes that failed before their first round, are
        known completely only if both sides are selectors: the data set ``points`` tells of them. Without
        it, a process with ``rounds=auto`` is only complete with the most rounds.

    Raises:
        RequestError: A selector selects nothing, base and candidate share a sweep, or have no point and phase
            in common.
    """
    request = _Request(results_dir, phase, where)
    with _imported_meanwhile("scipy.stats"):
        sides = [request.read(side) for side in (base, candidate)]
    for name, side in zip(("base", "candidate"), sides, strict=True):
        if mixed := mixed_releases(side.rounds):
            raise RequestError(
                [
                    f"compare: the {name} measured the same points with several releases of LMCache "
                    f"({', '.join(mixed)}): compare them with --by release, or choose one with --where "
                    f"\"release == '{mixed[0]}'\""
                ]
            )
    selections = [side.selection for side in sides if side.selection is not None]
    _require_different(selections)
    rounds = [side.rounds for side in sides]
    points = [side.points for side in sides if side.points is not None]
    return compare_tables(
        rounds,
        [of_compared(rows, rounds, phase) for rows in points] if len(points) == len(sides) else (),
        controls=CONTROLS,
        threshold=threshold,
    )


@dataclass(frozen=True)
class ComparisonBy:
    """The values of a column, each compared with the first one.

    Attributes:
        by: Name of the column.
        base: The first value.
        results: The comparison of each other value with it, by the value.
        not_comparable: Why a value cannot be compared, by the value.
    """

    by: str
    base: str
    results: Mapping[str, ComparisonResult]
    not_comparable: Mapping[str, str]

    def exit_code(self, *, strict: bool = False) -> int:
        """Return the exit code of the command: 1 if anything is slower, fails, or cannot be compared.

        Args:
            strict: Whether an inconclusive point, without one that is slower, has a code of its own.
        """
        codes = [one.exit_code(strict=strict) for one in self.results.values()]
        if SOMETHING_SLOWER in codes or self.not_comparable:
            return SOMETHING_SLOWER
        return max(codes, default=0)


def compare_by(
    selector: str,
    by: str,
    *,
    results_dir: ResultsDir = "results",
    threshold: float = THRESHOLD,
    phase: str | None = None,
    where: str | None = None,
) -> ComparisonBy:
    """Compare the values of a column within some sweeps, such as the releases of LMCache, with the first one.

    Numbers and versions are in their order: the oldest release is the base. Other values are in the order in
    which they were first measured.

    Args:
        selector: Selector of the sweeps.
        by: A column of ``points`` that is no part of a point: ``release``, ``lmcache_version``, ``kernel``.
        results_dir: As in :func:`compare`, as all arguments that follow.

    Raises:
        RequestError: The selector selects nothing, the column is unknown or has only one value, or no value
            has a point and phase in common with the first one.
    """
    if by not in schema.POINTS.names and not by.startswith("adapter."):
        close = difflib.get_close_matches(by, schema.POINTS.names, n=1)
        meant = f"; did you mean {close[0]}?" if close else ""
        raise RequestError([f"compare: --by {shown(by)}: must be a column of points{meant}"])
    side = _Request(results_dir, phase, where).read(selector, (by,))
    assert side.points is not None
    rounds, points = side.rounds, side.points
    if by == "host":  # each part is one host, and what it measured is compared with another one
        rounds, points = (rows.drop_columns([FLEET_HOST]) for rows in (rounds, points))
    every = split(rounds, points, by)
    # A value that the condition excludes has no round left; without a condition, it has failed.
    parts = [part for part in every if len(part.rounds) or (where is None and phase is None)]
    if len(parts) < 2:
        found = f"only {parts[0].value}" if parts else "no value"
        raise RequestError(
            [f"compare: --by {by}: must have several values in {shown(selector)}; it has {found}"]
        )
    base, *others = parts
    results: dict[str, ComparisonResult] = {}
    not_comparable: dict[str, str] = {}
    for part in others:
        rounds = [base.rounds, part.rounds]
        try:
            if not len(part.rounds):
                raise RequestError([f"not comparable: no round was measured{_first_failure(part)}"])
            points = [of_compared(one.points, rounds, phase) for one in (base, part)]
            results[part.value] = compare_tables(rounds, points, controls=CONTROLS, threshold=threshold)
        except RequestError as error:
            not_comparable[part.value] = str(error)
    if not results:
        raise RequestError([f"compare: --by {by}: {next(iter(not_comparable.values()))}"])
    return ComparisonBy(by, base.value, results, not_comparable)


def _first_failure(part: Part) -> str:
    rows = part.points.select(["status", "detail"]).to_pylist()
    bad = [f"{row['status']}: {row['detail']}" for row in rows if row["status"] != "ok"]
    return f" ({bad[0]})" if bad else ""


@dataclass(frozen=True)
class _Side:
    rounds: pa.Table
    points: pa.Table | None = None
    selection: Selection | None = None


@dataclass(frozen=True)
class _Request:
    results_dir: ResultsDir
    phase: str | None
    where: str | None

    def read(self, side: str | pd.DataFrame | pa.Table, more: Sequence[str] = ()) -> _Side:
        """Return the rows of a side, those of ``points`` with more columns."""
        if isinstance(side, pa.Table):
            return _Side(side)
        if not isinstance(side, str):
            names = [name for name in _ROUND_COLUMNS if name in side.columns]
            return _Side(pa.Table.from_pandas(side[names], preserve_index=False))
        selected = select(side, self.results_dir)
        folder, ids = selected.results_dir, selected.sweep_ids
        rounds = rounds_table(folder, sweep=ids, phase=self.phase, columns=_ROUND_COLUMNS, where=self.where)
        columns = list(dict.fromkeys((*POINT_ROW_COLUMNS, *more)))
        return _Side(rounds, points_table(folder, sweep=ids, columns=columns), selected)


def _require_different(selections: Sequence[Selection]) -> None:
    sweeps = [(one.results_dir.resolve(), sweep_id) for one in selections for sweep_id in one.sweep_ids]
    for place, sweep_id in sweeps:
        if sweeps.count((place, sweep_id)) > 1:
            raise RequestError([f"compare: sweep {sweep_id} is in the base and in the candidate"])


def of_compared(points: pa.Table, rounds: Sequence[pa.Table], phase: str | None) -> pa.Table:
    """Return the rows of points that have rounds, in any of some tables, of the processes that run a phase.

    Args:
        points: Rows of ``points``.
        rounds: Tables of ``rounds`` with those that were asked for.
        phase: The phase; None: all.
    """
    known = {name for table in rounds for name in table["point_id"].unique().to_pylist()}
    kept = pc.is_in(points["point_id"].cast(pa.string()), value_set=pa.array(sorted(known), pa.string()))
    if phase is not None:
        of_phase = pc.is_in(points["phase"].cast(pa.string()), value_set=pa.array([phase, "all"]))
        kept = pc.and_(kept, of_phase)
    return points.filter(kept)


@contextlib.contextmanager
def _imported_meanwhile(module: str) -> Iterator[None]:
    """Import a module in a thread while the body runs. The import of scipy.stats takes as long as reading.

    An import that fails is tried again by the code that needs the module.
    """

    def run() -> None:
        with contextlib.suppress(ImportError):
            importlib.import_module(module)

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    try:
        yield
    finally:
        thread.join()
