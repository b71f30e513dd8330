"""``l2sweep fleet``: tell which hosts of a fleet are slow, and how their environment differs."""

from __future__ import annotations

import click

from l2sweep.cli.command_options import (
    SELECTORS,
    format_option,
    phase_option,
    results_dir_option,
    threshold_option,
    where_option,
)
from l2sweep.errors import RequestError, shown


@click.command(epilog=SELECTORS)
@click.argument("selector", default="latest")
@results_dir_option
@threshold_option("A host whose rate is less than this below the median is not named")
@phase_option
@where_option
@click.option("--strict", is_flag=True, help="End with exit code 3 if a host is inconclusive.")
@format_option()
def command(
    selector: str,
    results_dir: str,
    threshold: float,
    phase: str | None,
    where: str | None,
    strict: bool,
    output_format: str,
) -> int:
    """Tell which hosts are slow, from a sweep that measured the same points on several hosts.

    A run with fleet=true is such a sweep. Each host is compared with the median of all, at each point and
    phase. Each verdict is slow, failed, inconclusive or ok. docs/fleet.md describes the method. With two
    hosts, none is in the majority: use l2sweep compare --by host.

    \b
    Exit codes: 0 no host is slow, 1 a host is slow or failed, 2 there is nothing to examine,
    3 inconclusive (only with --strict).

    \b
    Examples:
      l2sweep fleet
      l2sweep fleet name:nightly --phase load --threshold 10%
      l2sweep fleet latest --where "adapter.type == 'fs'" --format markdown
      l2sweep fleet latest --format json > fleet.json
    """
    from l2sweep.analysis.compare.rows.split import mixed_releases
    from l2sweep.analysis.fleet.examination import POINTS_READ, examine
    from l2sweep.analysis.fleet.rates import ROUNDS_READ
    from l2sweep.cli.commands.fleet.output import print_result
    from l2sweep.records.reader import points_table, rounds_table
    from l2sweep.records.reading.comparing import of_compared
    from l2sweep.records.selectors import select

    selection = select(selector, results_dir)
    folder, sweeps = selection.results_dir, selection.sweep_ids
    rounds = rounds_table(folder, sweep=sweeps, phase=phase, columns=ROUNDS_READ, where=where)
    if mixed := mixed_releases(rounds):
        raise RequestError(
            [
                f"fleet: {shown(selector)} measured the same points with several releases of LMCache "
                f"({', '.join(mixed)}): choose one with --where \"release == '{mixed[0]}'\""
            ]
        )
    points = points_table(folder, sweep=sweeps, columns=POINTS_READ)
    result = examine(rounds, of_compared(points, [rounds], phase), threshold=threshold)
    print_result(result, output_format)
    return result.exit_code(strict=strict)
