"""No number comes from an adapter that reports something else than what it did."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from conftest import Run, RunL2Sweep, plugin_option

SMALL = ("num_keys=4", "in_flight=2", "data_size_kb=16", "rounds=2", "lookup_max_hit_rate=0.5")
VERIFY = pytest.mark.parametrize("verify", ["skip_verify=true", "skip_verify=false"])
Misreporting = Callable[[str], str]

WRONG_LOOKUPS = (
    "InvertedLookup",
    "ShiftedLookup",
    "LookupOfEverything",
    "LookupOfOneMore",
    "LookupOfNothing",
)
WRONG_LOADS = (
    "LoadsNothing",
    "LoadsInverted",
    "LoadsHalfOfTheKeys",
    "LoadsHalfOfEachKey",
    "LoadsFirstPage",
    "LoadsAllButOnePage",
    "LoadsAllButTheLastWord",
    "LoadsKeyOfNextPosition",
    "LoadsFirstKeyEverywhere",
    "LoadsZeros",
    "LoadsOneByteEverywhere",
    "LoadsMovedByAPage",
    "LoadsPreviousRound",
    "LoadsLate",
    "LoadsLastKeyLate",
)
MISSING_STORES = ("StoresNothing", "StoresFirstKey", "StoresAllButTheLastKey")
WRONG_STORES = (
    "StoresWrongBytes",
    "StoresZeros",
    "StoresFirstPage",
    "StoresEmptyFiles",
    "StoresEmptyFilesLoadsInverted",
    "StoresReferences",
    "BelievesItStored",
)


@pytest.fixture
def misreporting(tmp_path: Path) -> Misreporting:
    """Return the option that selects an adapter of ``tests/adapters/misreporting_adapters.py``."""
    return lambda name: plugin_option("misreporting_adapters", name, base_path=str(tmp_path / "kv"))


def details(run: Run, phase: str) -> str:
    """Return the details of all measured rounds of a phase in one text."""
    rounds = run.rounds[(run.rounds["phase"] == phase) & ~run.rounds["is_warmup"]]
    assert (rounds["status"] != "ok").all(), rounds[["status", "detail"]]
    return "\n".join(rounds["detail"])


@pytest.mark.parametrize("adapter", WRONG_LOOKUPS)
def test_a_lookup_that_is_wrong_for_some_keys_fails_the_point(
    run_l2sweep: RunL2Sweep, misreporting: Misreporting, adapter: str
) -> None:
    run = run_l2sweep(misreporting(adapter), *SMALL, "in_flight=1")
    assert run.exit_code == 1
    details(run, "lookup")
    lookups = run.rounds[(run.rounds["phase"] == "lookup") & ~run.rounds["is_warmup"]]
    assert (lookups["false_hits"] + lookups["false_misses"] > 0).all()
    assert "false hits" in run.points["detail"][0]
    assert "lookup: 2 of 2 rounds failed" in run.points["detail"][0]


def test_a_lookup_that_finds_everything_confirms_no_store(
    run_l2sweep: RunL2Sweep, misreporting: Misreporting
) -> None:
    options = ("lookup_max_hit_rate=1.0", "keep_data=true")
    run = run_l2sweep(misreporting("LookupOfEverything"), *SMALL, *options)
    assert run.exit_code == 1
    assert "not confirmed, because a lookup finds 4 keys that were never stored" in details(run, "store")
    assert (run.rounds.loc[run.rounds["phase"] == "store", "mib_per_s"] == 0).all()


@pytest.mark.parametrize("class_name", ["LookupOfFirstKey", "LookupOfLastKey"])
def test_a_lookup_of_one_key_for_a_whole_submit_is_found_where_all_keys_are_stored(
    run_l2sweep: RunL2Sweep, misreporting: Misreporting, class_name: str
) -> None:
    run = run_l2sweep(misreporting(class_name), *SMALL, "lookup_max_hit_rate=1.0")
    assert run.exit_code == 1
    assert "keys that were never stored" in details(run, "lookup")


def test_hits_in_the_right_number_at_the_wrong_places_are_no_hits(
    run_l2sweep: RunL2Sweep, misreporting: Misreporting
) -> None:
    run = run_l2sweep(misreporting("InvertedLookup"), *SMALL, "in_flight=1")
    lookups = run.rounds[run.rounds["phase"] == "lookup"]
    assert lookups["keys_ok"].tolist() == [0, 0, 0]
    assert lookups["false_hits"].tolist() == [2, 2, 2]
    assert lookups["false_misses"].tolist() == [2, 2, 2]
    assert "0 keys found, 2 expected; 2 false hits, 2 false misses" in details(run, "lookup")


def test_a_key_that_was_never_stored_and_is_found_fails_a_lookup_alone(
    run_l2sweep: RunL2Sweep, misreporting: Misreporting
) -> None:
    run = run_l2sweep(misreporting("LookupOfEverything"), *SMALL, "only=lookup")
    assert run.exit_code == 1
    assert run.rounds["false_hits"].tolist() == [4, 4, 4]
    assert "4 false hits" in details(run, "lookup")


@pytest.mark.parametrize("hit_rate", ["1.0", "0.5", "0.0"])
def test_a_lookup_alone_that_finds_every_key_counts_no_hit(
    run_l2sweep: RunL2Sweep, misreporting: Misreporting, hit_rate: str
) -> None:
    run = run_l2sweep(
        misreporting("LookupOfEverything"), *SMALL, "only=lookup", f"lookup_max_hit_rate={hit_rate}"
    )
    assert run.exit_code == 1
    assert (run.rounds["status"] == "error").all()
    if hit_rate == "1.0":  # no key of a round shows it
        assert "lookup: not confirmed, because it finds 4 keys that were never stored" in details(
            run, "lookup"
        )
        assert run.rounds["keys_ok"].tolist() == [0, 0, 0]
        assert not (run.rounds["keys_per_s"] > 0).any()


def test_a_lookup_without_stored_keys_in_its_rounds_must_find_some_afterwards(
    run_l2sweep: RunL2Sweep, misreporting: Misreporting
) -> None:
    cold = ("cache=cold", "cache.method=fadvise")  # the lookup has a process of its own
    run = run_l2sweep(misreporting("LookupOfNothing"), *SMALL, *cold, "lookup_max_hit_rate=0.0")
    assert run.exit_code == 1
    assert "lookup: not confirmed, because it does not find 4 of 4 stored keys" in details(run, "lookup")
    honest = run_l2sweep("adapter.base_path=honest", *SMALL, *cold, "lookup_max_hit_rate=0.0")
    lookups = honest.rounds[(honest.rounds["phase"] == "lookup") & (honest.rounds["adapter_type"] == "fs")]
    assert lookups["status"].tolist() == ["ok"] * 3


def test_keys_that_a_lookup_alone_does_not_find_are_allowed(
    run_l2sweep: RunL2Sweep, files: Callable[[str], list[str]]
) -> None:
    run = run_l2sweep("adapter.base_path=kv", *SMALL, "only=lookup")
    assert run.exit_code == 0, run.out
    assert run.rounds["keys_ok"].tolist() == [0, 0, 0]
    assert files("kv") == []


@pytest.mark.parametrize("hit_rate", ["0.5", "0.0"])
def test_a_lookup_alone_that_finds_no_key_is_not_confirmed(
    run_l2sweep: RunL2Sweep, misreporting: Misreporting, hit_rate: str
) -> None:
    run = run_l2sweep(
        misreporting("LookupOfNothing"), *SMALL, "only=lookup", f"lookup_max_hit_rate={hit_rate}"
    )
    assert run.exit_code == 1
    assert "no sentinel was found before its rounds: a lookup does not find it" in details(run, "lookup")
    assert not (run.rounds["keys_per_s"] > 0).any()


def test_in_a_namespace_that_others_may_have_filled_no_hit_is_called_false(
    run_l2sweep: RunL2Sweep, misreporting: Misreporting
) -> None:
    run = run_l2sweep(misreporting("LookupOfEverything"), *SMALL, "only=lookup", "namespace=shared")
    assert run.exit_code == 0, run.out
    assert run.rounds["keys_ok"].tolist() == [4, 4, 4]
    assert run.rounds["false_hits"].isna().all()
    assert "4 keys beyond the stored range found in namespace 'shared'" in run.rounds["detail"][0]


@VERIFY
@pytest.mark.parametrize("adapter", WRONG_LOADS)
def test_a_load_that_does_not_load_what_it_reports_fails_the_point(
    run_l2sweep: RunL2Sweep, misreporting: Misreporting, adapter: str, verify: str
) -> None:
    run = run_l2sweep(misreporting(adapter), *SMALL, verify)
    assert run.exit_code == 1
    assert "wrong bytes, first at key" in details(run, "load")
    loads = run.rounds[(run.rounds["phase"] == "load") & ~run.rounds["is_warmup"]]
    assert (loads["mismatched_keys"] > 0).all()
    assert loads["sampled_keys"].tolist() == [8, 8]
    assert (loads["keys_ok"] + loads["mismatched_keys"] == 8).all()
    assert (loads["bytes_ok"] == loads["keys_ok"] * 16 * 1024).all()
    assert "not confirmed by its load: " in details(run, "store")
    stores = run.rounds[run.rounds["phase"] == "store"]
    assert (stores["mib_per_s"][~stores["is_warmup"]] == 0).all()


def test_no_byte_of_a_load_that_loads_nothing_counts(
    run_l2sweep: RunL2Sweep, misreporting: Misreporting
) -> None:
    run = run_l2sweep(misreporting("LoadsNothing"), *SMALL)
    loads = run.rounds[run.rounds["phase"] == "load"]
    assert loads["mib_per_s"].tolist() == [0.0, 0.0, 0.0]
    assert "8 of 8 sampled keys have wrong bytes, first at key 8, byte 0" in details(run, "load")


def test_a_load_of_a_correct_adapter_is_sampled_and_ok(run_l2sweep: RunL2Sweep) -> None:
    run = run_l2sweep("adapter.base_path=kv", *SMALL)
    assert run.exit_code == 0, run.out
    loads = run.rounds[run.rounds["phase"] == "load"]
    assert loads["sampled_keys"].tolist() == [8, 8, 8]
    assert loads["mismatched_keys"].tolist() == [0, 0, 0]


@VERIFY
@pytest.mark.parametrize("cache", ["cache=hot", "cache=cold"])
@pytest.mark.parametrize("adapter", ["LoadsEarlyWhileOthersRun", "LoadsLastKeyEarlyWhileOthersRun"])
def test_a_load_that_completes_before_its_bytes_are_there_has_no_latency(
    run_l2sweep: RunL2Sweep, misreporting: Misreporting, adapter: str, cache: str, verify: str
) -> None:
    """When the round ends, all bytes are there."""
    cold = ["cache.method=fadvise"] if cache == "cache=cold" else []
    run = run_l2sweep(misreporting(adapter), *SMALL, cache, *cold, verify)
    assert run.exit_code == 1
    assert "1 of 2 submits completed before their bytes were there, first at key " in details(run, "load")
    loads = run.rounds[run.rounds["phase"] == "load"]
    assert (loads["status"] == "error").all()
    assert loads["mismatched_keys"].tolist() == [4, 4, 4]
    assert loads["keys_ok"].tolist() == [4, 4, 4]
    assert loads["submit_latency_s"].map(len).tolist() == [1, 1, 1]
    assert loads["submit_latency_s"].map(min).min() > 0.04


@pytest.mark.parametrize("adapter", ["StoresLate", "StoresEarlyWhileOthersRun"])
def test_a_store_that_completes_before_it_has_read_its_memory_fails(
    run_l2sweep: RunL2Sweep, misreporting: Misreporting, adapter: str
) -> None:
    alone = run_l2sweep(misreporting(adapter), *SMALL, "only=store")
    assert alone.exit_code == 1
    assert "sampled keys are loaded back with wrong bytes" in details(alone, "store")
    assert (alone.rounds["mib_per_s"] == 0).all()
    full = run_l2sweep(misreporting(adapter), *SMALL)
    assert full.exit_code == 1
    assert "wrong bytes, first at key" in "".join(full.rounds.loc[full.rounds["phase"] == "load", "detail"])


@pytest.mark.parametrize("only", ["only=null", "only=store"])
@pytest.mark.parametrize("adapter", MISSING_STORES)
def test_a_store_whose_keys_are_not_found_fails_the_point(
    run_l2sweep: RunL2Sweep, misreporting: Misreporting, adapter: str, only: str
) -> None:
    run = run_l2sweep(misreporting(adapter), *SMALL, only)
    assert run.exit_code == 1
    assert "of 24 stored keys are not found by a lookup" in details(run, "store")
    assert "stored keys are not found by a lookup" in run.points["detail"][0]
    stores = run.rounds[run.rounds["phase"] == "store"]
    assert (stores["status"] == "error").all()
    assert (stores["mib_per_s"] == 0).all()


@pytest.mark.parametrize("adapter", WRONG_STORES)
def test_a_store_of_something_else_fails_a_store_alone(
    run_l2sweep: RunL2Sweep, misreporting: Misreporting, adapter: str
) -> None:
    run = run_l2sweep(misreporting(adapter), *SMALL, "only=store")
    assert run.exit_code == 1
    assert "7 of 7 sampled keys" in details(run, "store")
    assert (run.rounds["mib_per_s"] == 0).all()


def test_a_store_of_the_last_key_of_each_submit_alone_fails(
    run_l2sweep: RunL2Sweep, misreporting: Misreporting
) -> None:
    run = run_l2sweep(misreporting("StoresHolesBeforeTheLastKey"), *SMALL, "only=store")
    assert run.exit_code == 1
    assert "3 of 7 sampled keys are loaded back with wrong bytes" in details(run, "store")
    assert (run.rounds["mib_per_s"] == 0).all()


@VERIFY
@pytest.mark.parametrize("adapter", WRONG_STORES)
def test_a_store_of_something_else_fails_a_full_run_by_its_load(
    run_l2sweep: RunL2Sweep, misreporting: Misreporting, adapter: str, verify: str
) -> None:
    run = run_l2sweep(misreporting(adapter), *SMALL, verify)
    assert run.exit_code == 1
    details(run, "load")
    assert "not confirmed by its load: 8 of 8 keys " in details(run, "store")
    assert (run.rounds["bytes_ok"] == 0).all()


@pytest.mark.parametrize("only", ["only=null", "only=store"])
def test_keys_that_need_a_moment_to_become_visible_are_stored(
    run_l2sweep: RunL2Sweep, misreporting: Misreporting, only: str
) -> None:
    run = run_l2sweep(misreporting("StoresVisibleLater"), *SMALL, only)
    assert run.exit_code == 0, run.out


def test_a_check_of_many_keys_has_more_time_than_a_round(
    run_l2sweep: RunL2Sweep, misreporting: Misreporting
) -> None:
    rounds = ("num_keys=4", "data_size_kb=16", "rounds=16", "lookup_max_hit_rate=1")
    run = run_l2sweep(misreporting("SlowLookup"), *rounds, "timeout_s.lookup=0.5")
    assert run.exit_code == 0, run.out


@pytest.mark.parametrize(("adapter", "left"), [("DeletesNothing", 24), ("DeletesHalf", 12)])
def test_keys_that_stay_after_they_were_deleted_are_named(
    run_l2sweep: RunL2Sweep, misreporting: Misreporting, tmp_path: Path, adapter: str, left: int
) -> None:
    run = run_l2sweep(misreporting(adapter), *SMALL)
    assert run.exit_code == 1
    assert run.points["keys_left"].tolist() == [left]
    sentence = f"{left} of 24 keys of namespace {run.points['namespace'][0]!r}"
    assert sentence in run.points["detail"][0]
    assert f"[Note] {sentence}" in run.out
    assert str(tmp_path / "kv") in run.points["detail"][0]
    assert (run.rounds["status"] == "ok").all()  # what was measured before is true


def test_a_deletion_that_needs_a_moment_leaves_no_key(
    run_l2sweep: RunL2Sweep, misreporting: Misreporting, files: Callable[[str], list[str]]
) -> None:
    run = run_l2sweep(misreporting("DeletesLate"), *SMALL)
    assert run.exit_code == 0, run.out
    assert run.points["keys_left"].tolist() == [0]
    assert files("kv") == []
