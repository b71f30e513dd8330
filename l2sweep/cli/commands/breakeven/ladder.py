"""Read a ladder of measured prefills: a CSV file with the columns tokens and seconds."""

from __future__ import annotations

import csv
import math
from pathlib import Path

from l2sweep.analysis.breakeven.prefill import Rung
from l2sweep.errors import RequestError, shown

_COLUMNS = ("tokens", "seconds")
_MOST_TOKENS = 100_000_000


def read_ladder(path: str) -> list[Rung]:
    """Return the measured prefills of a CSV file.

    Args:
        path: The file. Its first line names the columns; other columns than these two are ignored.

    Raises:
        RequestError: It cannot be read, or a line has no allowed value.
    """
    where = f"breakeven: --prefill {shown(path)}"
    try:
        text = Path(path).read_text(encoding="utf-8-sig")
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8"
        raise RequestError([f"{where}: cannot be read: {reason}"]) from None
    reader = csv.DictReader(text.splitlines(), skipinitialspace=True)
    names = [name.strip() for name in reader.fieldnames or ()]
    reader.fieldnames = names
    if missing := [name for name in _COLUMNS if name not in names]:
        raise RequestError(
            [f"{where}: line 1: must name the columns tokens,seconds; {missing[0]} is missing"]
        )
    ladder = []
    for row in reader:
        line = f"{where}: line {reader.line_num}"
        tokens = _number(row["tokens"], f"{line}: tokens")
        if tokens != int(tokens) or tokens > _MOST_TOKENS:
            raise RequestError([f"{line}: tokens {shown(row['tokens'])}: must be a whole number"])
        ladder.append(Rung(int(tokens), _number(row["seconds"], f"{line}: seconds")))
    if len({rung.tokens for rung in ladder}) < 2:
        raise RequestError([f"{where}: must have lines with two lengths or more"])
    return ladder


def _number(text: str | None, where: str) -> float:
    try:
        value = float(text or "")
    except ValueError:
        value = math.nan
    if not 0 < value < math.inf:
        raise RequestError([f"{where} {shown(text or '')}: must be a number above 0"])
    return value
