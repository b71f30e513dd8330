"""Select sweeps by a short text: an id, the latest ones, or the latest ones with a name."""

from __future__ import annotations

import difflib
import itertools
import re
from collections.abc import Sequence
from dataclasses import dataclass

from l2sweep.errors import RequestError, shown
from l2sweep.records.files import POINTS, ROUNDS
from l2sweep.records.reading.listing import list_files
from l2sweep.records.store.place import Place, ResultsDir, place_of
from l2sweep.records.sweeps import Begun, begun_sweeps, newest_sweeps
from l2sweep.records.trusted_files import is_sweep_id

LATEST = "latest"
_NAME = "name:"
_BACK = re.compile(r"(?P<of>.+?)(~(?P<first>[0-9]+)(\.\.(?P<last>[0-9]+))?)?", re.DOTALL)
_MOST_DIGITS = 18  # more sweeps than these digits count are not in any folder; int() takes at most 4,300
_GRAMMAR = "a sweep id, latest, latest~1, latest~1..7, name:NAME, name:NAME~1..7, or FOLDER@ and one of these"
_NAMED = 5  # sweeps, to keep a message readable


@dataclass(frozen=True)
class Selection:
    """Selected sweeps.

    Attributes:
        results_dir: Folder of their records.
        sweep_ids: The sweeps, oldest first; at least one.
    """

    results_dir: Place
    sweep_ids: tuple[str, ...]


def select(selector: str, results_dir: ResultsDir = "results") -> Selection:
    """Return the sweeps that a selector names.

    Args:
        selector: The id of a sweep; ``latest``: the sweep that began last; ``latest~1``: the one before;
            ``latest~1..7``: the last seven before the latest, or as many as there are; ``name:NAME``,
            ``name:NAME~1`` and ``name:NAME~1..7``: the same among the sweeps with this ``sweep_name``.
            ``FOLDER@`` in front of each: of this results folder.
        results_dir: Folder of the records, unless the selector names one.

    Raises:
        RequestError: The selector cannot be read, or selects nothing. The message says what exists.
    """
    folder, has_folder, rest = selector.rpartition("@")
    place = place_of(folder if has_folder else results_dir)
    if is_sweep_id(rest):
        return Selection(place, (_known_id(selector, place, rest),))
    parts = _BACK.fullmatch(rest)
    of = parts["of"] if parts is not None else ""
    if parts is None or not (of == LATEST or (of.startswith(_NAME) and of != _NAME)):
        raise RequestError([f"{_named(selector)}: must be {_GRAMMAR}"])
    first = _count(parts["first"] or "0")
    last = first if parts["last"] is None else _count(parts["last"])
    if last < first:
        raise RequestError([f"{_named(selector)}: ~{first}..{last} must begin with the smaller number"])
    name = None if of == LATEST else of.removeprefix(_NAME)
    chosen = _newest(place, name, last + 1)[first:]
    if not chosen:
        raise RequestError([f"{_named(selector)}: {_why_none(selector, place, name)}"])
    return Selection(place, tuple(one.sweep_id for one in reversed(chosen)))


def nights_of(selector: str, results_dir: ResultsDir = "results") -> Selection:
    """Return the selected sweeps as nights; for a single one, those with its name up to it.

    Args:
        selector: As in :func:`select`.
        results_dir: As in :func:`select`.

    Raises:
        RequestError: As :func:`select`.
    """
    chosen = select(selector, results_dir)
    if len(chosen.sweep_ids) > 1:
        return chosen
    begun = begun_sweeps(chosen.results_dir)
    (sweep_id,) = chosen.sweep_ids
    index = next((index for index, one in enumerate(begun) if one.sweep_id == sweep_id), None)
    if index is None:
        raise RequestError([f"{_named(selector)}: no file in points of sweep {shown(sweep_id)} can be read"])
    name = begun[index].sweep_name
    return Selection(
        chosen.results_dir, tuple(one.sweep_id for one in begun[: index + 1] if one.sweep_name == name)
    )


def _count(digits: str) -> int:
    """Return a number of sweeps; one with very many digits becomes a number that no folder reaches."""
    significant = digits.lstrip("0") or "0"
    return int(significant) if len(significant) <= _MOST_DIGITS else 10**_MOST_DIGITS


def _known_id(selector: str, results_dir: Place, sweep_id: str) -> str:
    if not any(_has_records(results_dir, data_set, sweep_id) for data_set in (POINTS, ROUNDS)):
        begun = _begun(selector, results_dir)
        close = difflib.get_close_matches(sweep_id, [one.sweep_id for one in begun], n=1)
        hint = f"did you mean {close[0]}?" if close else f"it has {_ids(begun)}"
        raise RequestError([f"{_named(selector)}: {shown(results_dir)} has no such sweep; {hint}"])
    return sweep_id


def _has_records(results_dir: Place, data_set: str, sweep_id: str) -> bool:
    try:
        return bool(list_files(results_dir, data_set, [sweep_id]).paths)
    except (FileNotFoundError, NotADirectoryError):
        return False


def _newest(results_dir: Place, name: str | None, count: int) -> list[Begun]:
    """Return the newest sweeps, newest first; of those with a name, unless it is None."""
    sweeps = (one for one in newest_sweeps(results_dir) if name in (None, one.sweep_name))
    try:
        return list(itertools.islice(sweeps, count))
    except (FileNotFoundError, NotADirectoryError):
        return []


def _begun(selector: str, results_dir: Place) -> list[Begun]:
    try:
        begun = begun_sweeps(results_dir)
    except (FileNotFoundError, NotADirectoryError):
        begun = []
    if not begun:
        raise RequestError([f"{_named(selector)}: {shown(results_dir)} has no recorded sweep"])
    return begun


def _why_none(selector: str, results_dir: Place, name: str | None) -> str:
    """Return what exists, for a selector that selects nothing."""
    begun = _begun(selector, results_dir)
    found = [one for one in begun if name in (None, one.sweep_name)]
    if found:
        kind = "sweeps" if name is None else f"sweeps with {_NAME}{name}"
        return f"{shown(results_dir)} has only {len(found)} {kind}: {_ids(found)}"
    names = sorted({one.sweep_name for one in begun if one.sweep_name})
    has = f"it has the names {_first(names)}" if names else "none of its sweeps has a name"
    return f"{shown(results_dir)} has no sweep with this name; {has}"


def _named(selector: str) -> str:
    return f"sweep '{shown(selector)}'"


def _ids(begun: Sequence[Begun]) -> str:
    return _first([one.sweep_id for one in reversed(begun)])


def _first(texts: Sequence[str]) -> str:
    more = len(texts) - _NAMED
    return ", ".join(map(shown, texts[:_NAMED])) + (f", and {more} more" if more > 0 else "")
