"""The walls between the rooms: who may import whom."""

from __future__ import annotations

import ast
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from conftest import ROOT

PACKAGE = ROOT / "l2sweep"
HEAVY = ("torch", "lmcache")
# Along the way of the data; nothing imports from its left.
ROOMS = ("cli", "sweep", "bench", "records", "analysis")


def imports(folder: Path) -> Iterator[tuple[Path, str]]:
    """Yield every module that a folder's files import, also inside functions."""
    for file in sorted(folder.rglob("*.py")):
        for node in ast.walk(ast.parse(file.read_text())):
            if isinstance(node, ast.Import):
                yield from ((file, alias.name) for alias in node.names)
            elif isinstance(node, ast.ImportFrom):
                assert node.level == 0, f"{file} imports relatively"
                assert node.module is not None
                yield file, node.module
                yield from ((file, f"{node.module}.{alias.name}") for alias in node.names)


def offenders(room: str, *forbidden: str) -> list[str]:
    return [
        f"{file.relative_to(ROOT)}: {module}"
        for file, module in imports(PACKAGE / room)
        if any(module == name or module.startswith(f"{name}.") for name in forbidden)
    ]


@pytest.mark.parametrize("room", ["sweep", "records", "analysis"])
def test_only_bench_imports_torch_and_lmcache(room: str) -> None:
    assert offenders(room, *HEAVY) == []


@pytest.mark.parametrize("position", range(len(ROOMS)))
def test_no_room_imports_from_its_left(position: int) -> None:
    left = [f"l2sweep.{room}" for room in ROOMS[:position]]
    left += [] if position < 2 else ["l2sweep.config"]
    assert offenders(ROOMS[position], *left) == []


def test_bench_imports_only_the_standard_library_numpy_torch_and_lmcache() -> None:
    allowed = {*sys.stdlib_module_names, "numpy", "torch", "lmcache"}
    foreign = [
        f"{file.relative_to(ROOT)}: {module}"
        for file, module in imports(PACKAGE / "bench")
        if module.split(".")[0] not in allowed and not module.startswith(("l2sweep.bench", "l2sweep.errors"))
    ]
    assert foreign == []


def test_analysis_and_records_never_import_hydra() -> None:
    assert offenders("analysis", "hydra", "omegaconf") == []
    assert offenders("records", "hydra", "omegaconf") == []


@pytest.mark.parametrize(
    ("statement", "forbidden"),
    [
        ("import l2sweep", ("torch", "lmcache", "pandas", "hydra", "numpy")),
        ("import l2sweep.sweep.loop, l2sweep.cli.launch, l2sweep.cli.search", HEAVY),
        ("import l2sweep.analysis.table, l2sweep.analysis.report", (*HEAVY, "hydra")),
        ("import l2sweep.records.reader", (*HEAVY, "hydra")),
        (
            "import hydra_plugins.l2sweep_hydra.launcher, hydra_plugins.l2sweep_hydra.sweeper",
            (*HEAVY, "pandas"),
        ),
    ],
)
def test_an_import_loads_nothing_heavy_behind_the_scenes(statement: str, forbidden: tuple[str, ...]) -> None:
    code = f"import sys; {statement}; print([n for n in {forbidden!r} if n in sys.modules])"
    assert _python("-c", code).strip() == "[]"


def test_help_imports_no_torch() -> None:
    listing = _python("-X", "importtime", "-m", "l2sweep", "--help", stream="stderr")
    loaded = {line.rpartition("|")[2].strip().split(".")[0] for line in listing.splitlines()}
    assert "hydra" in loaded
    assert not loaded & {*HEAVY, "pandas", "pyarrow"}


def _python(*arguments: str, stream: str = "stdout") -> str:
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        [sys.executable, *arguments], capture_output=True, text=True, env=environment, check=True, timeout=60
    )
    return str(getattr(done, stream))
