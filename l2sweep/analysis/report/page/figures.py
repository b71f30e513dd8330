"""Write each figure of a report as PNG and SVG, without a browser."""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import TYPE_CHECKING

from l2sweep.analysis.report.page.packages import require_packages, vega_lite_version

if TYPE_CHECKING:
    from l2sweep.analysis.report.contents.report import Report

_SCALE = 2.0  # pixels of the PNG for each of the page, as on most screens of today


def write_figures(report: Report, folder: Path) -> list[Path]:
    """Write each figure of a report as ``NAME.png`` and ``NAME.svg``.

    Args:
        report: The report.
        folder: The folder, which is made if there is none. Files of the same name are replaced.

    Returns:
        The files, in the order of the page.

    Raises:
        RequestError: A package of the extra ``report`` is missing.
    """
    require_packages()
    import altair
    import vl_convert

    from l2sweep.analysis.report.page.charts.every import every_figure
    from l2sweep.analysis.report.page.charts.style import CONFIG
    from l2sweep.analysis.report.page.specs import whole_spec

    folder.mkdir(parents=True, exist_ok=True)
    written = []
    for figure in itertools.chain(*every_figure(report).values()):
        spec = whole_spec(figure, CONFIG, altair.SCHEMA_URL)
        svg, png = folder / f"{figure.name}.svg", folder / f"{figure.name}.png"
        svg.write_text(vl_convert.vegalite_to_svg(spec, vl_version=vega_lite_version()), encoding="utf-8")
        png.write_bytes(vl_convert.vegalite_to_png(spec, vl_version=vega_lite_version(), scale=_SCALE))
        written += [svg, png]
    return written
