"""``python -m l2sweep night``: a line for a night's sweep, what is wrong with it, and old nights removed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from l2sweep.config.options import shown
from l2sweep.errors import BenchError, RequestError


@dataclass(frozen=True)
class NightRequest:
    """The options of the command.

    Attributes:
        results_dir: Folder of the data sets.
        sweep_id: The night's sweep.
        keep_nights: How many nights of its name stay.
        keep_gb: What they may take, in 10^9 bytes; None: any amount.
        last_nights: With how many nights the controls are compared.
        least: Share of its throughput of the last nights below which a control is wrong.
        check: Only see that the options are right.
    """

    results_dir: str = "results"
    sweep_id: str = ""
    keep_nights: int = 60
    keep_gb: float | None = None
    last_nights: int = 7
    least: float = 0.5
    check: bool = False


def read_night_request(arguments: Sequence[str]) -> NightRequest:
    """Read ``name=value`` arguments.

    Raises:
        RequestError: With everything that is wrong with them.
    """
    values: dict[str, str] = {}
    problems = []
    for argument in arguments:
        name, separator, value = argument.partition("=")
        if not separator or name not in NightRequest.__dataclass_fields__:
            allowed = ", ".join(NightRequest.__dataclass_fields__)
            problems.append(f"night: {shown(argument)}: must be name=value with one of {allowed}")
        values[name] = value
    numbers = {
        "keep_nights": _number(values, "keep_nights", int, 2, problems),
        "keep_gb": _number(values, "keep_gb", float, 0, problems),
        "last_nights": _number(values, "last_nights", int, 1, problems),
        "least": _number(values, "least", float, 0, problems),
    }
    if values.get("check", "false") not in ("true", "false"):
        problems.append(f"night: check={shown(values['check'])}: must be true or false")
    if not values.get("sweep_id"):
        problems.append("night: sweep_id: must be given")
    if problems:
        raise RequestError(problems)
    known = {name: value for name, value in numbers.items() if value is not None}
    check = values.get("check") == "true"
    return NightRequest(values.get("results_dir", "results"), values["sweep_id"], check=check, **known)  # type: ignore[arg-type]


def print_night(request: NightRequest) -> None:
    """Print the night's line, and remove old nights.

    Raises:
        RequestError: Nothing of that sweep was recorded.
        BenchError: Something was wrong in that night.
    """
    from l2sweep.analysis.nights import night
    from l2sweep.records.pruning import prune
    from l2sweep.records.reader import load_points, load_rounds

    if request.check:
        return
    try:
        points = load_points(request.results_dir)
        rounds = load_rounds(request.results_dir)
        reasons = _left_out(request)
        found = night(points, rounds, request.sweep_id, request.last_nights, reasons)
    except (FileNotFoundError, KeyError):
        raise RequestError(
            [f"night: sweep_id={request.sweep_id}: nothing of it was recorded in {request.results_dir}"]
        ) from None
    print(found.line)
    name = points.loc[points["sweep_id"] == request.sweep_id, "sweep_name"].iloc[0]
    if removed := prune(Path(request.results_dir), str(name), request.keep_nights, request.keep_gb):
        print(f"removed {len(removed)} old nights: {', '.join(removed)}")
    if complaints := found.complaints(request.least):
        raise BenchError("; ".join(complaints))


def _left_out(request: NightRequest) -> list[str]:
    """Return why points were not run that the request wanted; that there is no fio here is no news."""
    from l2sweep.sweep.fio import NOT_INSTALLED
    from l2sweep.sweep.manifest import load_manifest

    left_out = load_manifest(request.results_dir, request.sweep_id).left_out
    return [one["reason"] for one in left_out if not one["as_asked"] and one["reason"] != NOT_INSTALLED]


def _number(
    values: Mapping[str, str], name: str, kind: type[int] | type[float], least: float, problems: list[str]
) -> float | None:
    text = values.get(name, "null")
    if text == "null":
        return None
    try:
        number = kind(text)
    except ValueError:
        number = kind(least) - 1
    if number < least:
        words = "an integer" if kind is int else "a number"
        problems.append(f"night: {name}={shown(text)}: must be {words} of at least {least}")
    return number
