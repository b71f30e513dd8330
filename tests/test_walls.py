"""The walls between the rooms: who may import whom."""

from __future__ import annotations

import ast
import functools
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from conftest import ROOT

PACKAGE = ROOT / "l2sweep"
HEAVY = ("torch", "lmcache")
LOOSE = ("__init__", "__main__", "errors", "credentials", "interrupts")
LOOSE_FOLDERS = {"credentials"}
MOST_MODULES = 12
MOST_LINES = 300
# The rooms along the way of the data, and what each may import besides itself and the loose modules.
MAY_IMPORT: dict[str, set[str]] = {
    "cli": {"config", "sweep", "cluster", "process", "bench", "records", "analysis"},
    "cluster": {"config", "sweep", "process", "bench", "records"},
    "sweep": {"config", "services", "process", "bench", "records", "analysis"},
    "services": {"records"},
    "config": {"bench", "analysis"},
    "process": {"bench"},
    "bench": set(),
    "records": {"analysis"},
    "analysis": set(),
}


@functools.cache  # hundreds of tests ask for all modules
def modules() -> dict[str, Path]:
    """Return every module of the package by its name."""
    found = {}
    for file in sorted(PACKAGE.rglob("*.py")):
        name = ".".join(file.relative_to(ROOT).with_suffix("").parts)
        found[name.removesuffix(".__init__")] = file
    return found


@functools.cache
def imported(file: Path, *, inside_functions: bool = True) -> tuple[str, ...]:
    """Return what a file imports, as names of modules."""
    return tuple(_imported(file, inside_functions))


def _imported(file: Path, inside_functions: bool) -> Iterator[str]:
    known = modules()
    tree = ast.parse(file.read_text())
    for node in ast.walk(tree) if inside_functions else _at_import_time(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{file} imports relatively"
            assert node.module is not None
            for alias in node.names:
                inner = f"{node.module}.{alias.name}"
                yield inner if inner in known else node.module


def _at_import_time(tree: ast.Module) -> Iterator[ast.stmt]:
    for node in tree.body:
        if isinstance(node, ast.If):  # TYPE_CHECKING
            continue
        yield node


def room(module: str) -> str:
    """Return the room of a module; the loose ones have none."""
    parts = module.split(".")
    return parts[1] if len(parts) > 1 and parts[1] not in LOOSE else ""


def test_only_named_modules_lie_loose() -> None:
    assert {file.stem for file in PACKAGE.glob("*.py")} == set(LOOSE) - LOOSE_FOLDERS
    assert {folder.parent.name for folder in PACKAGE.glob("*/__init__.py")} == {*MAY_IMPORT, *LOOSE_FOLDERS}


@pytest.mark.parametrize("folder", sorted({file.parent for file in PACKAGE.rglob("*.py")}), ids=str)
def test_no_folder_is_crowded_and_each_says_what_lives_there(folder: Path) -> None:
    files = list(folder.glob("*.py"))
    assert len(files) <= MOST_MODULES
    doc = ast.get_docstring(ast.parse((folder / "__init__.py").read_text()))
    assert doc


@pytest.mark.parametrize("name", modules())
def test_a_file_has_one_subject_and_is_short(name: str) -> None:
    assert len(modules()[name].read_text().splitlines()) <= MOST_LINES


@pytest.mark.parametrize("name", modules())
def test_a_module_imports_only_what_its_room_may(name: str) -> None:
    own = room(name)
    allowed = MAY_IMPORT.get(own, set(MAY_IMPORT) if name.endswith("__main__") else {"records", "analysis"})
    if name.startswith("l2sweep.credentials."):  # it needs the syntax of a reference to a secret
        allowed = {"bench"}
    wrong = [
        other
        for other in imported(modules()[name])
        if other.startswith("l2sweep") and room(other) not in {"", own, *allowed}
    ]
    assert wrong == []


@pytest.mark.parametrize("name", modules())
def test_only_bench_imports_torch_and_lmcache_and_bench_nothing_else_foreign(name: str) -> None:
    foreign = {
        other.split(".")[0]
        for other in imported(modules()[name])
        if other.split(".")[0] not in {*sys.stdlib_module_names, "l2sweep"}
    }
    if room(name) == "bench":
        assert foreign <= {*HEAVY, "numpy"}
    else:
        assert not foreign & set(HEAVY)
    if room(name) in ("analysis", "records", "process"):
        assert not foreign & {"hydra", "omegaconf"}


def test_hydras_private_modules_are_used_in_one_file() -> None:
    users = [
        name
        for name, file in modules().items()
        if any("._internal" in other for other in imported(file)) or "ConfigLoaderImpl" in file.read_text()
    ]
    assert users == ["l2sweep.cli.hydra_app.private"]
    for plugin in (ROOT / "hydra_plugins").rglob("*.py"):
        assert "_internal" not in plugin.read_text()


def test_no_import_goes_in_a_circle() -> None:
    known = modules()
    graph = {
        name: {other for other in imported(file, inside_functions=False) if other in known} - {name}
        for name, file in known.items()
    }
    while graph:
        leaves = [name for name, others in graph.items() if not others & set(graph)]
        assert leaves, f"a circle among {sorted(graph)}"
        for name in leaves:
            del graph[name]


@pytest.mark.parametrize(
    ("statement", "forbidden"),
    [
        ("import l2sweep", ("torch", "lmcache", "pandas", "hydra", "numpy")),
        ("import l2sweep.sweep.loop, l2sweep.cli.hydra_app.launch, l2sweep.cli.hydra_app.search", HEAVY),
        ("import l2sweep.sweep.terminal.table_view", (*HEAVY, "hydra")),
        ("import l2sweep.records.reader", (*HEAVY, "hydra")),
        ("import hydra_plugins.l2sweep_hydra.launcher", (*HEAVY, "pandas")),
        ("import hydra_plugins.l2sweep_hydra.sweeper", (*HEAVY, "pandas")),
    ],
)
def test_an_import_loads_nothing_heavy_behind_the_scenes(statement: str, forbidden: tuple[str, ...]) -> None:
    code = f"import sys; {statement}; print([n for n in {forbidden!r} if n in sys.modules])"
    assert _python("-c", code).strip() == "[]"


def test_help_imports_no_torch() -> None:
    listing = _python("-X", "importtime", "-m", "l2sweep", "--help", stream="stderr")
    loaded = {line.rpartition("|")[2].strip().split(".")[0] for line in listing.splitlines()}
    assert "l2sweep" in loaded
    assert not loaded & {*HEAVY, "pandas", "pyarrow"}


def _python(*arguments: str, stream: str = "stdout") -> str:
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        [sys.executable, *arguments], capture_output=True, text=True, env=environment, check=True, timeout=60
    )
    return str(getattr(done, stream))
