"""``l2sweep compare``: tell whether a sweep is slower than others."""

from __future__ import annotations

import click

from l2sweep.cli.command_options import (
    SELECTORS,
    format_option,
    percent,
    phase_option,
    results_dir_option,
    where_option,
)


@click.command(epilog=SELECTORS)
@click.argument("base")
@click.argument("candidate")
@results_dir_option
@click.option(
    "--threshold",
    default="5%",
    show_default=True,
    metavar="SHARE",
    callback=lambda _context, _parameter, value: percent(value),
    help="A smaller change is no finding: 5% or 0.05.",
)
@phase_option
@where_option
@click.option("--all", "every", is_flag=True, help="Show every point, and why it is inconclusive.")
@click.option("--strict", is_flag=True, help="End with exit code 3 if a point is inconclusive.")
@format_option("junit")
def command(
    base: str,
    candidate: str,
    results_dir: str,
    threshold: float,
    phase: str | None,
    where: str | None,
    every: bool,
    strict: bool,
    output_format: str,
) -> int:
    """Tell whether CANDIDATE is slower than BASE, for each point and phase and in total.

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
    """
    import l2sweep

    result = l2sweep.compare(
        base, candidate, results_dir=results_dir, threshold=threshold, phase=phase, where=where
    )
    if output_format == "junit":
        from l2sweep.cli.comparison.junit import junit_xml

        print(junit_xml(result))
    elif output_format in ("json", "csv"):
        from l2sweep.cli.comparison.data import print_csv, print_json

        {"json": print_json, "csv": print_csv}[output_format](result)
    else:
        from l2sweep.cli.comparison.text import print_comparison

        print_comparison(result, output_format, every=every)
    return result.exit_code(strict=strict)
