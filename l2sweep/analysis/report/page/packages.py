"""The packages that only the page of the report needs."""

from __future__ import annotations

import functools
import importlib.util

from l2sweep.errors import RequestError

_NEEDED = ("altair", "jinja2", "vl_convert")


def require_packages() -> None:
    """Check that the packages of the extra ``report`` are installed.

    Raises:
        RequestError: One is missing.
    """
    missing = [name for name in _NEEDED if importlib.util.find_spec(name) is None]
    if missing:
        names = ", ".join(missing)
        reason = (
            f"report: the page needs packages that are not installed ({names}): pip install 'l2sweep[report]'"
        )
        raise RequestError([reason])


@functools.cache
def vega_lite_version() -> str:
    """Return the release of Vega-Lite that charts are written for and drawn with, such as ``6.1``."""
    import altair

    return ".".join(altair.SCHEMA_VERSION.removeprefix("v").split(".")[:2])


@functools.cache
def vega_bundle() -> str:
    """Return a script with Vega, Vega-Lite and Vega-Embed, which needs no network."""
    import vl_convert

    snippet = "window.vegaEmbed = vegaEmbed;"
    bundle = vl_convert.javascript_bundle(snippet=snippet, vl_version=vega_lite_version())
    return bundle.replace("</script", "<\\/script").replace("<!--", "<\\!--")
