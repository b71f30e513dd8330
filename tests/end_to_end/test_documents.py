"""The examples in the documents work, and what the documents name exists."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest
from conftest import ROOT, RunL2Sweep
from test_walls import MAY_IMPORT

from l2sweep.config.renamed import RENAMED_OPTIONS
from l2sweep.records import schema

README = ROOT / "README.md"
CHANGELOG = ROOT / "CHANGELOG.md"
DOCUMENTS = [README, ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md"))]
# The paths in a document are relative to one of these folders.
FOLDERS = (ROOT, ROOT / "l2sweep", ROOT / "l2sweep" / "bench")
SHOWS_ONLY = ("doctor", "status", "resume")  # commands that take no option of a point


def python_blocks(document: Path) -> list[str]:
    return re.findall(r"^```python\n(.*?)^```", document.read_text(), flags=re.DOTALL | re.MULTILINE)


def commands(document: Path) -> list[list[str]]:
    """Return the arguments of each l2sweep command in a document, without those that leave a part open."""
    text = document.read_text().replace("\\\n", " ")
    found = re.findall(r"^(?:    |\$ )python -m l2sweep(?: (.*))?$", text, flags=re.MULTILINE)
    return [shlex.split(command, comments=True) for command in found if "..." not in command]


def table_rows(document: Path) -> dict[str, list[str]]:
    """Return the other cells of each table row by the names in its first cell."""
    rows: dict[str, list[str]] = {}
    for line in document.read_text().splitlines():
        first, *others = (cell.strip() for cell in line.strip("|").split("|"))
        if line.startswith("| `"):
            rows.update(dict.fromkeys(re.findall(r"`([\w.]+)`", first), others))
    return rows


def test_the_python_examples_run_on_the_records_of_a_sweep(
    run_l2sweep: RunL2Sweep, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for _ in range(2):  # some examples compare two sweeps
        assert run_l2sweep("-m", "adapter=mock", "num_keys=2,4", "rounds=2").exit_code == 0
    monkeypatch.chdir(tmp_path)
    others = [document for document in DOCUMENTS if document.name != "analysis.md"]
    blocks = [block for document in others for block in python_blocks(document)]
    assert len(blocks) >= 3
    for block in blocks:
        exec(compile(block, "example", "exec"), {})


def test_the_commands_in_the_documents_are_accepted(run_l2sweep: RunL2Sweep, tmp_path: Path) -> None:
    assert run_l2sweep("adapter=mock", "num_keys=2").exit_code == 0  # something to resume and to list
    found = [arguments for document in DOCUMENTS for arguments in commands(document)]
    assert len(found) >= 8
    for arguments in found:
        if arguments[1:2] == ["hydra/sweeper=optuna"]:
            continue  # test_search.py runs it
        inside = [argument.replace("/mnt/", f"{tmp_path}/") for argument in arguments]
        inside = [argument.replace("=tests/", f"={ROOT}/tests/") for argument in inside]
        shows_only = any(argument.startswith(SHOWS_ONLY) for argument in arguments)
        run = run_l2sweep(*inside, *([] if shows_only else ["dry_run=true"]))
        assert run.exit_code == 0, (arguments, run.err)


def test_the_single_points_in_readme_can_be_measured(run_l2sweep: RunL2Sweep, tmp_path: Path) -> None:
    single = [
        arguments
        for arguments in commands(README)
        if not any(argument.startswith(("-m", "experiment=", *SHOWS_ONLY)) for argument in arguments)
    ]
    assert len(single) >= 3
    for arguments in single:
        inside = [argument.replace("/mnt/", f"{tmp_path}/") for argument in arguments]
        run = run_l2sweep(*inside, "rounds=1", "num_keys=2")
        assert run.exit_code == 0, (arguments, run.err)


def test_every_column_is_explained() -> None:
    rows = table_rows(ROOT / "docs" / "records.md")
    columns = {*schema.ROUNDS.names, *schema.POINTS.names}
    assert sorted(columns - set(rows)) == []


def test_the_make_targets_in_the_documents_exist() -> None:
    makefile = (ROOT / "Makefile").read_text()
    named = {
        target
        for document in DOCUMENTS
        for target in re.findall(r"(?:^    |`)make ([\w-]+)", document.read_text(), flags=re.MULTILINE)
    }
    assert {"sweep", "test", "test-unit", "check"} <= named
    assert sorted(target for target in named if f"\n{target}:" not in makefile) == []


def test_ci_runs_what_contributing_asks_for() -> None:
    assert "make test\nmake check" in (ROOT / ".ci" / "run").read_text()


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda document: document.name)
def test_the_files_that_a_document_names_exist(document: Path) -> None:
    quoted = re.findall(r"`([\w./-]+\.(?:py|md|yaml|sh|txt|example))`", document.read_text())
    paths = {path for path in quoted if "/" in path and "NAME" not in path and "mine" not in path}
    missing = [path for path in paths if not any((folder / path).exists() for folder in FOLDERS)]
    assert sorted(missing) == []


def test_the_links_of_contributing_lead_to_headings() -> None:
    links = re.findall(r"\]\(([\w./-]+)#([\w-]+)\)", (ROOT / "CONTRIBUTING.md").read_text())
    assert links
    for path, anchor in links:
        headings = re.findall(r"^#+ (.*)$", (ROOT / path).read_text(), flags=re.MULTILINE)
        assert anchor in {heading.lower().replace(" ", "-") for heading in headings}


def test_the_rooms_in_the_architecture_are_those_of_the_walls() -> None:
    rows = table_rows(ROOT / "docs" / "architecture.md")
    assert {name: set(re.findall(r"`(\w+)`", rows[name][1])) for name in MAY_IMPORT} == MAY_IMPORT


def test_the_changelog_lists_every_new_name() -> None:
    rows = table_rows(CHANGELOG)
    for old, new in {**RENAMED_OPTIONS, **schema.RENAMED_COLUMNS}.items():
        assert rows[old] == [f"`{new}`"]
