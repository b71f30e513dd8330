"""Write a report: the page, its figures and its data."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from l2sweep.errors import BenchError, L2SweepError, printable, shown
from l2sweep.sweep.report.report_file import write_report

if TYPE_CHECKING:
    from l2sweep.analysis.report.source import ReportSource
    from l2sweep.config.sweep import SweepConfig


def write_outputs(
    source: ReportSource,
    *,
    page: str | None = None,
    json_file: str | None = None,
    figures: Path | str | None = None,
) -> Iterator[Path]:
    """Write what is asked for, and yield the path of each file.

    Args:
        source: What the report is made from.
        page: File of the page; None: none.
        json_file: File of the data; None: none.
        figures: Folder of the figures; None: none.

    Raises:
        RequestError: A package that draws is not installed.
        BenchError: A file cannot be written.
    """
    from l2sweep.analysis.report.as_json import to_json
    from l2sweep.analysis.report.build import build_report

    report = build_report(source)
    if json_file is not None:
        write_report(json_file, to_json(report), "report: --json ")
        yield Path(json_file)
    if page is not None:
        from l2sweep.analysis.report.page.render import render_page

        write_report(page, render_page(report), "report: -o ")
        yield Path(page)
    if figures is not None:
        from l2sweep.analysis.report.page.figures import write_figures

        try:
            Path(figures).mkdir(parents=True, exist_ok=True)
            yield from write_figures(report, Path(figures))
        except OSError as error:
            reason = error.strerror or error
            raise BenchError(f"report: --figures {shown(figures)}: not written: {reason}") from error


def write_page_of_sweep(sweep: SweepConfig) -> None:
    """Write the page of a sweep that has ended, and print its path. A failure is a line, and no error.

    Args:
        sweep: The options of the sweep.
    """
    from l2sweep.cli.report.reading import read_source, results_page

    page = results_page(sweep.results_dir, sweep.sweep_id)
    try:
        list(write_outputs(read_source(sweep.sweep_id, sweep.results_dir), page=str(page)))
    except Exception as error:
        text = str(error) if isinstance(error, L2SweepError | OSError) else repr(error)
        print(f"l2sweep: report=true: the page was not made: {printable(text)}", file=sys.stderr)
        return
    if not sweep.quiet:
        # Standard output has the report alone with report_format=json.
        stream = sys.stdout if sweep.report_format == "text" else sys.stderr
        print(f"Report: {os.path.relpath(page) if not page.is_absolute() else page}", file=stream)
