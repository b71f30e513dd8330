"""``l2sweep report``: write a page about sweeps, with its figures and its data."""

from __future__ import annotations

from pathlib import Path

import click

from l2sweep.cli.command_options import SELECTORS, results_dir_option, where_option
from l2sweep.config.shipped import shipped_names

_PAGE = "report.html"


@click.command(epilog=SELECTORS)
@click.argument("selector", default="latest")
@click.option("--base", metavar="SELECTOR", help="Compare with these sweeps.")
@click.option(
    *("-o", "--output"),
    metavar="FILE",
    help=f"The page, replaced if it exists. Default: {_PAGE}, unless --json or --figures is given.",
)
@click.option("--figures", metavar="FOLDER", help="Write each figure as PNG and SVG into this folder.")
@click.option("--json", "json_file", metavar="FILE", help="Write all numbers of the page as JSON.")
@click.option(
    "--model",
    "models",
    multiple=True,
    type=click.Choice(shipped_names("model")),
    help="A model whose restore times are shown; also several times. Default: all of conf/model.",
)
@click.option(
    "--gpu",
    type=click.Choice(shipped_names("gpu")),
    default="h100-sxm",
    show_default=True,
    help="The GPU whose prefill the break-even assumes.",
)
@where_option
@results_dir_option
def command(
    selector: str,
    base: str | None,
    output: str | None,
    figures: str | None,
    json_file: str | None,
    models: tuple[str, ...],
    gpu: str,
    where: str | None,
    results_dir: str,
) -> None:
    """Write a page about sweeps that needs no network: verdict, trust, figures, restore times, all points.

    It says which setting is the best for cold loads and how sure that is, whether the numbers can be trusted,
    and shows no figure of what was not measured. Several sweeps are pooled point by point. docs/report.md
    says where each number comes from.

    \b
    Examples:
      l2sweep report
      l2sweep report name:nightly --base name:nightly~1..7 -o nightly.html
      l2sweep report latest --json report.json --figures figures
    """
    from l2sweep.cli.report.reading import check_outputs, read_source
    from l2sweep.cli.report.writing import write_outputs

    page = output or (None if json_file or figures else _PAGE)
    check_outputs([("-o", page), ("--json", json_file)])
    source = read_source(selector, results_dir, base=base, where=where, models=models, gpu=gpu)
    for path in write_outputs(source, page=page, json_file=json_file, figures=figures and Path(figures)):
        print(path)
