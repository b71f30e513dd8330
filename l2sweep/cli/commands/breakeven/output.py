"""Print a break-even: sentences, a table over the lengths, and a chart."""

from __future__ import annotations

import sys
from typing import Any

from l2sweep.analysis.breakeven.break_even import BreakEven
from l2sweep.analysis.breakeven.rows import as_data, length_rows
from l2sweep.analysis.breakeven.sentences import sentences
from l2sweep.cli.row_output import MISSING, Column, json_text, print_rows

_WIDTH = 120
_WIDEST_CHART = 100


def print_break_even(found: BreakEven, output_format: str) -> None:
    """Print a break-even to standard output.

    Args:
        found: The break-even.
        output_format: table, markdown, csv or json. The last two have every number.
    """
    rows, lines = length_rows(found), sentences(found)
    if output_format == "json":
        print(json_text({"sentences": lines, **as_data(found)}))
        return
    if output_format == "csv":
        print_rows(rows, [Column(name, name) for name in rows[0]], output_format)
        return
    if output_format == "table":
        from l2sweep.analysis.tune.sentences import lines_within
        from l2sweep.sweep.terminal.console import make_console

        lines = lines_within(lines, min(_WIDTH, make_console(quiet=False).width))
    print("\n".join(lines))
    print()
    print_rows([_as_shown(row) for row in rows], _columns(found), output_format)
    if any(row["prefill_is_extrapolated"] for row in rows):
        print("\n* extrapolated: the ladder of prefills does not reach this length")
    _print_chart(found, is_markdown=output_format == "markdown")


def _print_chart(found: BreakEven, *, is_markdown: bool) -> None:
    """Print the chart, if a load of any length is known."""
    from l2sweep.cli.commands.breakeven.chart import break_even_chart
    from l2sweep.sweep.terminal.console import make_console, takes_only_ascii

    console = make_console(quiet=False)
    width = min(_WIDEST_CHART, console.width)
    chart = break_even_chart(found, width=width, is_ascii=takes_only_ascii(sys.stdout))
    if chart is None:
        return
    print()
    if is_markdown:
        print(f"```text\n{chart.plain}\n```")
    else:
        console.print(chart, soft_wrap=True)


def _columns(found: BreakEven) -> list[Column]:
    tiers = [one.tier for one in found.tiers]
    several = [
        Column("adapter_type", "adapter", is_number=False),
        *(
            [Column("options", "options", is_number=False, is_folded=True)]
            if len({one.spec for one in tiers}) > 1
            else []
        ),
        *([Column("host", "host", is_number=False)] if len({one.host for one in tiers}) > 1 else []),
        *(
            [Column("lmcache_version", "LMCache", is_number=False)]
            if len({one.lmcache_version for one in tiers}) > 1
            else []
        ),
    ]
    has_prices = any(length.slow.reuses_a_month is not None for one in found.tiers for length in one.lengths)
    return [
        *(several if len({(one.spec, one.host, one.lmcache_version) for one in tiers}) > 1 else []),
        Column("at", "state", is_number=False),
        Column("tokens", "tokens"),
        Column("load_s", "load s"),
        Column("interval", "95% interval", omitted_as=3),
        Column("prefill", "prefill s"),
        Column("faster", "faster", is_number=False),
        Column("request_gb_s", "GB/s", omitted_as=4),
        Column("needed", "needs GB/s", omitted_as=5),
        Column("both", "both s", omitted_as=1),
        *([Column("reuses", "reuses/month", omitted_as=2)] if has_prices else []),
        Column("basis", "throughput", is_number=False, is_folded=True),
    ]


def _as_shown(row: dict[str, Any]) -> dict[str, Any]:
    """Return the columns of the table, of which some are made of several values."""
    star = " *" if row["prefill_is_extrapolated"] else ""
    low, high = row["load_low_s"], row["load_high_s"]
    return {
        **row,
        "tokens": f"{row['tokens']:,}",
        "load_s": _digits(row["load_s"]),
        "interval": MISSING if low is None else f"{_digits(low)} to {_digits(high)}",
        "prefill": _band(row["prefill_fast_s"], row["prefill_slow_s"]) + star,
        "request_gb_s": _digits(row["request_gb_s"]),
        "needed": _band(row["needed_slow_gb_s"], row["needed_fast_gb_s"]),
        "both": _band(row["both_fast_s"], row["both_slow_s"]),
        "reuses": _band(row["reuses_slow_a_month"], row["reuses_fast_a_month"]),
        "basis": row["basis"] or "not measured",
    }


def _band(low: float | None, high: float | None) -> str:
    """Return two values as a range; as one, if they look alike."""
    texts = [_digits(low), _digits(high)]
    return texts[0] if texts[0] == texts[1] else " to ".join(texts)


def _digits(value: float | None) -> str:
    """Return a number with three significant digits."""
    if value is None:
        return MISSING
    if value == float("inf"):
        return "never"
    return f"{value:.3g}" if abs(value) < 1000 else f"{value:,.0f}"
