"""Every misbehaving adapter of ``tests/adapters``, hot and cold, with and without full verification.

The other files test what each of them becomes. Here it counts that none of them is ever an ``ok`` point.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest
from conftest import ROOT, Run, RunL2Sweep

ADAPTERS = ROOT / "tests" / "adapters"
# Every submit is faulty, also those that check the stored keys, and every collection of results.
EVERY_SUBMIT = ",".join(map(str, range(1, 100)))
SMALL = (
    *("num_keys=4", "in_flight=2", "data_size_kb=16", "warmup_rounds=1", "rounds=2"),
    "lookup_max_hit_rate=0.75",  # hits and misses in one submit
    *("timeout_s.store=0.3", "timeout_s.lookup=0.3", "timeout_s.load=0.3"),
)
# They do nothing wrong, only late.
CORRECT = {"SlowLookup", "StoresVisibleLater", "DeletesLate", "BlockingStore"}
# They serve loads from memory, which is no fault where a load need not be cold.
ONLY_COLD = ("WarmsLaterRounds", "WarmsTheNextRound", "WarmsByAnotherProcess", "PrefetchesTheNextFiles")


def misbehaving(cache: str) -> Iterator[tuple[str, str]]:
    """Yield module and class of each adapter that misbehaves in every point with this cache."""
    if cache == "cold":
        yield from (("cache_adapters", name) for name in ONLY_COLD)
    for module in ("misreporting_adapters", "rule_breaking_adapters"):
        for node in ast.parse((ADAPTERS / f"{module}.py").read_text()).body:
            if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
                yield module, node.name


@pytest.fixture
def configuration(tmp_path: Path) -> str:
    """Return the option that adds ``adapter=misbehaving``, whose module and class are chosen by options."""
    (tmp_path / "more" / "adapter").mkdir(parents=True)
    (tmp_path / "more" / "adapter" / "misbehaving.yaml").write_text(
        f"type: plugin\nmodule_path: ???\nclass_name: ???\nadapter_params: {{base_path: {tmp_path}/kv}}\n"
    )
    return f"--config-dir={tmp_path}/more"


def sweep(run_l2sweep: RunL2Sweep, configuration: str, cache: str, *options: str) -> Run:
    modules, classes = zip(*misbehaving(cache), strict=True)
    return run_l2sweep(
        *(configuration, "-m", "adapter=misbehaving", "zip=[[adapter.module_path,adapter.class_name]]"),
        *(f"adapter.module_path={','.join(modules)}", f"adapter.class_name={','.join(classes)}"),
        *(*SMALL, f"cache={cache}", *options),
        FAULT_AT=EVERY_SUBMIT,
    )


def test_there_are_enough_misbehaving_adapters() -> None:
    assert len(list(misbehaving("hot"))) >= 60


@pytest.mark.long
@pytest.mark.parametrize("skip_verify", ["true", "false"])
@pytest.mark.parametrize("cache", ["cold", "hot"])
def test_no_misbehaving_adapter_is_ever_ok(
    run_l2sweep: RunL2Sweep, configuration: str, cache: str, skip_verify: str
) -> None:
    method = ["cache.method=fadvise"] if cache == "cold" else []
    run = sweep(run_l2sweep, configuration, cache, f"skip_verify={skip_verify}", *method)
    assert run.exit_code == 1, run.err
    names = run.points["adapter_spec"].str.extract(r'"class_name": "(\w+)"')[0]
    ok = (run.points["status"] == "ok").groupby(names).all()
    assert set(ok.index) == {name for _, name in misbehaving(cache)}
    assert set(ok[ok].index) <= CORRECT
    stores, loads = (
        run.rounds[run.rounds["phase"] == phase].set_index(["point_index", "round"])
        for phase in ("store", "load")
    )
    disproved = loads.index[loads["mismatched_keys"] > 0]
    assert len(disproved) > 0
    assert not (stores.loc[disproved, "status"] == "ok").any()
    # A partial store may be right about the keys that it did store.
    assert (stores.loc[disproved, "keys_ok"] <= loads.loc[disproved, "keys_ok"]).all()
