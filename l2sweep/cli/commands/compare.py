"""``l2sweep compare``: tell whether a sweep is slower than others."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from l2sweep.cli.command_options import (
    SELECTORS,
    format_option,
    phase_option,
    results_dir_option,
    threshold_option,
    where_option,
)

if TYPE_CHECKING:
    from l2sweep.analysis.compare.result import ComparisonResult
    from l2sweep.records.reading.comparing import ComparisonBy


@click.command(epilog=SELECTORS)
@click.argument("base")
@click.argument("candidate", required=False)
@results_dir_option
@click.option(
    "--by",
    metavar="COLUMN",
    help="Compare the values of a column within the sweeps of BASE, such as release, with the first of them.",
)
@threshold_option("A smaller change is no finding")
@phase_option
@where_option
@click.option("--all", "every", is_flag=True, help="Show every point, and why it is inconclusive.")
@click.option("--strict", is_flag=True, help="End with exit code 3 if a point is inconclusive.")
@format_option("junit")
def command(
    base: str,
    candidate: str | None,
    results_dir: str,
    by: str | None,
    threshold: float,
    phase: str | None,
    where: str | None,
    every: bool,
    strict: bool,
    output_format: str,
) -> int:
    """Tell whether CANDIDATE is slower than BASE, for each point and phase and in total.

    With --by there is no CANDIDATE: the oldest release, or the first value of another column, is the base.
    Each verdict is slower, faster, same or inconclusive. Several sweeps are a better base than one, because
    they show how much nights differ. If a control (fio, control) moved too, the host changed. docs/compare.md
    describes the method.

    \b
    Exit codes: 0 nothing is slower, 1 something is slower or fails now, 2 there is nothing to compare,
    3 inconclusive (only with --strict).

    \b
    Examples:
      l2sweep compare latest~1 latest
      l2sweep compare name:nightly~1..7 name:nightly --threshold 10%
      l2sweep compare old@latest new@latest --phase load --format markdown
      l2sweep compare latest~1 latest --format junit > compare.xml
      l2sweep compare latest --by release
    """
    from l2sweep.records.reading.comparing import compare, compare_by

    if by is not None:
        if candidate is not None:
            raise click.UsageError(f"--by {by}: compares within BASE, so CANDIDATE must not be given")
        found = compare_by(base, by, results_dir=results_dir, threshold=threshold, phase=phase, where=where)
        print_by(found, output_format, every=every)
        return found.exit_code(strict=strict)
    if candidate is None:
        raise click.UsageError("neither CANDIDATE nor --by is given")
    result = compare(base, candidate, results_dir=results_dir, threshold=threshold, phase=phase, where=where)
    print_result(result, output_format, every=every)
    return result.exit_code(strict=strict)


def print_result(result: ComparisonResult, output_format: str, *, every: bool) -> None:
    """Print a comparison.

    Args:
        result: The comparison.
        output_format: table, markdown, csv, json or junit.
        every: Whether to print each point.
    """
    if output_format == "junit":
        from l2sweep.cli.comparison.junit import junit_xml

        print(junit_xml([("l2sweep compare", result)]))
    elif output_format in ("json", "csv"):
        from l2sweep.cli.comparison.data import as_mapping, print_csv, print_json

        if output_format == "json":
            print_json(as_mapping(result))
        else:
            print_csv([({}, result)])
    else:
        from l2sweep.cli.comparison.text import print_comparison

        print_comparison(result, output_format, every=every)


def print_by(found: ComparisonBy, output_format: str, *, every: bool) -> None:
    """Print the comparison of each value of a column with the first one.

    Args:
        found: The comparisons.
        output_format: table, markdown, csv, json or junit.
        every: Whether to print each point.
    """
    if output_format == "junit":
        from l2sweep.cli.comparison.junit import junit_xml

        names = {value: f"{found.by}={value} against {found.base}" for value in found.results}
        print(junit_xml([(names[value], result) for value, result in found.results.items()]))
    elif output_format in ("json", "csv"):
        from l2sweep.cli.comparison.data import as_mapping, print_csv, print_json

        if output_format == "csv":
            print_csv([({found.by: value}, result) for value, result in found.results.items()])
            return
        print_json(
            {
                "by": found.by,
                "base": found.base,
                "exit_code": found.exit_code(),
                "comparisons": {value: as_mapping(result) for value, result in found.results.items()},
                "not_comparable": found.not_comparable,
            }
        )
    else:
        from l2sweep.cli.comparison.text import print_comparison_by

        print_comparison_by(found, output_format, every=every)
