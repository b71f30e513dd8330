"""Write the option tables and the shipped defaults from the declarations: ``make reference``.

With ``--check`` it writes nothing and fails when a file differs from the declarations.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

from l2sweep.config import reference
from l2sweep.config.adapter.reference import adapter_table, seen_table

ROOT = Path(__file__).resolve().parent.parent


def between(text: str, begin: str, end: str, inner: str) -> str:
    """Return a text with what stands between two lines replaced."""
    before, found, rest = text.partition(f"{begin}\n")
    _, also_found, after = rest.partition(end)
    if not found or not also_found:
        raise SystemExit(f"a file lacks the line {begin!r} or {end!r}")
    return f"{before}{begin}\n{inner}{end}{after}"


def files() -> dict[Path, str]:
    """Return each file with the content that it must have."""
    config, hot, readme = ROOT / "conf/config.yaml", ROOT / "conf/cache/hot.yaml", ROOT / "README.md"
    adapters = ROOT / "docs/adapters.md"
    seen = json.loads((ROOT / "docs/adapters_seen.json").read_text())
    known = between(
        adapters.read_text(), "<!-- adapters: begin -->", "<!-- adapters: end -->", adapter_table()
    )
    return {
        config: between(
            config.read_text(), "# Options: begin", "# Options: end", reference.config_yaml_options()
        ),
        hot: between(hot.read_text(), "# Options: begin", "# Options: end", reference.cache_yaml_options()),
        readme: between(
            readme.read_text(),
            "<!-- options: begin -->",
            "<!-- options: end -->",
            reference.markdown_table(reference.frequent_options()),
        ),
        ROOT / "docs/options.md": reference.options_page(),
        adapters: between(known, "<!-- seen: begin -->", "<!-- seen: end -->", seen_table(seen)),
    }


def main() -> int:
    """Write the files, or compare them."""
    wanted = files()
    wrong = [path for path, text in wanted.items() if not path.exists() or path.read_text() != text]
    for path in wrong:
        if "--check" in sys.argv[1:]:
            print(f"{path.relative_to(ROOT)} differs from the declarations: run make reference")
        else:
            path.write_text(wanted[path])
            print(f"wrote {path.relative_to(ROOT)}")
    return 1 if wrong and "--check" in sys.argv[1:] else 0


if __name__ == "__main__":
    sys.exit(main())
