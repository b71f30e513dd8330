"""The documents say how things are."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest
import yaml
from conftest import ROOT, RunL2Sweep

from l2sweep.config.options import BUDGET_RULES, CACHE_RULES, POINT_RULES, SWEEP_RULES
from l2sweep.records import schema

DOCUMENTS = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
DEFAULTS = yaml.safe_load((ROOT / "conf" / "config.yaml").read_text())


def python_blocks(document: Path) -> list[str]:
    return re.findall(r"^```python\n(.*?)^```", document.read_text(), flags=re.DOTALL | re.MULTILINE)


def table_rows(document: Path) -> dict[str, str]:
    """Return the second cell of each table row by the names in its first one."""
    rows: dict[str, str] = {}
    for line in document.read_text().splitlines():
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        if line.startswith("| `") and len(cells) > 1:
            rows.update(dict.fromkeys(re.findall(r"`([\w.]+)`", cells[0]), cells[1]))
    return rows


def test_the_python_examples_run_on_what_a_sweep_left(
    run_l2sweep: RunL2Sweep, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert run_l2sweep("-m", "adapter=mock", "num_keys=2,4", "rounds=2").exit_code == 0
    monkeypatch.chdir(tmp_path)
    blocks = [block for document in DOCUMENTS for block in python_blocks(document)]
    assert len(blocks) >= 3
    for block in blocks:
        exec(compile(block, "example", "exec"), {})


def test_every_option_stands_in_readme_with_its_default() -> None:
    rows = table_rows(ROOT / "README.md")
    for name in {*POINT_RULES, *SWEEP_RULES}:
        assert name in rows, name
        default = DEFAULTS[name]
        if isinstance(default, str) and default.startswith("${"):
            continue
        shown = (
            "null" if default is None else str(default).lower() if isinstance(default, bool) else str(default)
        )
        assert rows[name] == shown, name


def test_every_option_of_the_schema_has_a_default_and_none_is_left_over() -> None:
    named = {*POINT_RULES, *SWEEP_RULES, "timeout_s", "budget", "adapter_json"}
    assert named == set(DEFAULTS) - {"defaults", "hydra"}
    assert list(yaml.safe_load((ROOT / "conf" / "cache" / "hot.yaml").read_text())) == list(CACHE_RULES)


def test_every_option_of_the_cache_and_the_budget_stands_in_readme() -> None:
    readme = (ROOT / "README.md").read_text()
    for name in [*(f"cache.{name}" for name in CACHE_RULES), *(f"budget.{name}" for name in BUDGET_RULES)]:
        assert f"`{name}`" in readme, name


def test_every_column_is_explained() -> None:
    rows = table_rows(ROOT / "docs" / "records.md")
    columns = {*schema.ROUNDS.names, *schema.POINTS.names}
    assert sorted(columns - set(rows)) == []


def test_the_commands_of_readme_are_targets_of_the_makefile() -> None:
    readme = (ROOT / "README.md").read_text()
    makefile = (ROOT / "Makefile").read_text()
    for target in re.findall(r"make (\w+)", readme):
        assert f"\n{target}:" in makefile, target
    assert "make test\nmake check" in (ROOT / ".ci" / "run").read_text()


def test_the_commands_of_readme_are_understood(run_l2sweep: RunL2Sweep, tmp_path: Path) -> None:
    readme = (ROOT / "README.md").read_text()
    commands = re.findall(r"^    python -m l2sweep(.*?)(?:#.*)?$", readme, flags=re.MULTILINE)
    assert len(commands) >= 5
    import shlex

    for command in commands:
        arguments = [word.replace("/mnt/", f"{tmp_path}/") for word in shlex.split(command)]
        if "num_keys" not in command and "status" not in command:
            run = run_l2sweep(*arguments, *([] if "resume" in command else ["rounds=1", "num_keys=2"]))
            assert run.exit_code == 0, run.err
    shutil.rmtree(tmp_path / "results")
