"""Cold that is not, durable that is not: adapters and disks that are memory, on the real kernel."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from conftest import Run, RunL2Sweep, plugin_option, require

Adapter = Callable[..., str]
LoopMount = Callable[..., Path]
SMALL = ("num_keys=4", "data_size_kb=1024", "warmup_rounds=1", "rounds=2", "timeout_s.load=10")
COLD = ("cache=cold", "cache.method=fadvise", "cache.drop_before=[load]", *SMALL)
DURABLE = ("cache.store_durable=true", *SMALL)


@pytest.fixture
def adapter(tmp_path: Path) -> Adapter:
    """Return the option that selects an adapter of ``tests/adapters/cache_adapters.py``."""

    def option(class_name: str, **params: object) -> str:
        own = params or {"base_path": str(tmp_path / "kv")}
        return plugin_option("cache_adapters", class_name, **own)

    return option


def states(run: Run, phase: str = "load") -> list[tuple[bool, str]]:
    """Return of each round of a phase whether it is a warm-up, and its state."""
    rounds = run.rounds[run.rounds["phase"] == phase].sort_values("round")
    return list(zip(rounds["is_warmup"], rounds["cache_state"], strict=True))


def dropping_files(folder: Path) -> str:
    """Return a shell command that drops the pages of the files in a folder, as root or not."""
    folder.mkdir()
    script = folder.parent / "drop.sh"
    script.write_text(
        f"for file in $(find {folder} -name '*.data'); do\n"
        "    dd of=$file oflag=nocache conv=notrunc,fdatasync count=0 status=none\n"
        "done\n"
    )
    return f"sh {script}"


def load_point(run: Run) -> dict[str, object]:
    """Return the row of the load of the latest run."""
    loads = run.points[run.points["phase"] == "load"].sort_values("started_at")
    return loads.to_dict("records")[-1]


def test_a_measured_round_is_not_cold_because_its_warmups_were(
    run_l2sweep: RunL2Sweep, adapter: Adapter
) -> None:
    shape = ("num_keys=8", "data_size_kb=2048", "warmup_rounds=9", "rounds=1")
    run = run_l2sweep(*COLD, *shape, adapter("WarmsLaterRounds"))
    assert run.exit_code == 1
    point = load_point(run)
    assert (point["status"], point["cache_state"]) == ("warm", "warm")
    assert point["device_read_fraction"] == 0
    assert "only 0.0% of round 10 came from the device" in str(point["detail"])
    assert states(run)[-1] == (False, "warm")


@pytest.mark.parametrize(
    "name", ["WarmsByAnotherProcess", "WarmsBetweenRounds", "WarmsTheNextRound", "CopiesInMemory"]
)
def test_a_load_that_memory_serves_is_warm(run_l2sweep: RunL2Sweep, adapter: Adapter, name: str) -> None:
    run = run_l2sweep(*COLD, adapter(name))
    assert run.exit_code == 1
    assert load_point(run)["status"] == "warm"
    assert states(run)[-1] == (False, "warm")


def test_one_warm_round_makes_the_phase_warm_and_the_others_keep_their_state(
    run_l2sweep: RunL2Sweep, adapter: Adapter
) -> None:
    run = run_l2sweep(*COLD, "num_keys=1", "rounds=4", adapter("WarmsOneRound"))
    assert run.exit_code == 1
    assert states(run) == [
        (True, "cold"),
        (False, "cold"),
        (False, "cold"),
        (False, "warm"),
        (False, "cold"),
    ]
    assert load_point(run)["cache_state"] == "warm"


@pytest.mark.alone
def test_rounds_that_were_read_ahead_are_warm_though_each_round_requested_enough_reads(
    run_l2sweep: RunL2Sweep, adapter: Adapter
) -> None:
    prefetching = (adapter("PrefetchesTheNextFiles"), "namespace=mine", "num_keys=8", "data_size_kb=1024")
    stored = run_l2sweep(*prefetching, "only=store", "warmup_rounds=1", "rounds=4")
    assert stored.exit_code == 0, stored.err
    run = run_l2sweep(*COLD, *prefetching, "only=load", "warmup_rounds=1", "rounds=3")
    assert run.exit_code == 1
    point = load_point(run)
    assert (point["status"], point["cache_state"]) == ("warm", "warm")
    assert "of the pages of round 2 were in the page cache before it started" in str(point["detail"])
    assert states(run) == [(True, "cold"), *[(False, "warm")] * 3]
    loads = run.rounds[run.rounds["phase"] == "load"].sort_values("round")
    assert (loads["resident_at_start_fraction"] > 0.5).tolist() == [False, True, True, True]


def test_every_round_of_an_honest_adapter_is_cold(run_l2sweep: RunL2Sweep) -> None:
    run = run_l2sweep(*COLD, "adapter=fs")
    assert run.exit_code == 0, run.err
    assert states(run) == [(True, "cold"), (False, "cold"), (False, "cold")]
    assert load_point(run)["device_read_fraction"] == 1


def test_junk_reads_beside_a_copy_in_memory_are_beyond_detection(
    run_l2sweep: RunL2Sweep, adapter: Adapter
) -> None:
    """If this fails, correct the paragraph of docs/cold.md that says so."""
    run = run_l2sweep(*COLD, adapter("CopiesInMemoryAndReadsJunk"))
    assert run.exit_code == 0, run.err
    assert load_point(run)["cache_state"] == "cold"


def test_a_command_alone_makes_nothing_cold(
    run_l2sweep: RunL2Sweep, adapter: Adapter, tmp_path: Path
) -> None:
    """The folder of the plugin is in a field that l2sweep does not know."""
    (tmp_path / "hidden").mkdir()
    hidden = adapter("WhereTheFileSays", hint=str(tmp_path / "hidden"))
    run = run_l2sweep(*SMALL, "cache=cold", "cache.method=command", "cache.command=/bin/true", hidden)
    assert run.exit_code == 0, run.err
    assert run.points["cache_state"].tolist()[1:] == ["claimed", "claimed"]
    assert {state for _, state in states(run)} == {"claimed"}
    assert "claimed" in run.out
    assert "cold" not in set(run.rounds["cache_state"])


def test_what_a_command_dropped_is_cold_where_it_is_observed(run_l2sweep: RunL2Sweep, tmp_path: Path) -> None:
    drop = dropping_files(tmp_path / "kv")
    command = ("cache.method=command", f"cache.command='{drop}'", "cache.drop_before=[load]")
    run = run_l2sweep(*SMALL, "cache=cold", *command, "adapter=fs", f"adapter.base_path={tmp_path}/kv")
    assert run.exit_code == 0, run.err
    assert load_point(run)["cache_state"] == "cold"
    useless = run_l2sweep(
        *SMALL, "cache=cold", "cache.method=command", "cache.command=/bin/true", "adapter=fs"
    )
    assert useless.exit_code == 1
    assert load_point(useless)["cache_state"] == "warm"


@pytest.mark.alone
@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("WritesLater", "not durable: the files have 0 bytes after the flush, 4194304 were stored"),
        ("WritesLaterIntoLargeFiles", "not durable: the (device|process) wrote "),
        ("WritesHalfLater", "not durable: the (device|process) wrote "),
        ("DirtiesAgain", "bytes are not on the device after the flush"),
    ],
)
def test_a_store_whose_bytes_are_not_on_the_device_is_not_durable(
    run_l2sweep: RunL2Sweep, adapter: Adapter, name: str, reason: str
) -> None:
    run = run_l2sweep(*DURABLE, "only=store", adapter(name))
    assert run.exit_code == 1
    stores = run.rounds[run.rounds["phase"] == "store"].sort_values("round")
    assert re.search(reason, stores["detail"].iloc[0])
    bad = stores[stores["status"] == "error"]
    assert bad["durable_mib_per_s"].isna().all()
    assert bad["flush_s"].isna().all()


def test_a_durable_store_was_written_by_the_device(run_l2sweep: RunL2Sweep) -> None:
    run = run_l2sweep("-m", *DURABLE, "adapter=fs,fs_native")
    assert run.exit_code == 0, run.err
    stores = run.rounds[run.rounds["phase"] == "store"]
    assert set(stores["status"]) == {"ok"}
    assert (stores["block_device_write_bytes"] >= stores["bytes_ok"]).all()
    assert (stores["dirty_after_flush_bytes"] == 0).all()
    loads = run.rounds[run.rounds["phase"] == "load"]
    assert loads["dirty_after_flush_bytes"].isna().all()
    assert loads["block_device_read_bytes"].notna().all()


@pytest.mark.parametrize("option", ["cache=cold", "cache.store_durable=true"])
def test_memory_is_neither_cold_nor_durable(run_l2sweep: RunL2Sweep, option: str) -> None:
    run = run_l2sweep(option, "num_keys=2", "adapter=fs", "adapter.base_path=/dev/shm/l2sweep-test/kv")
    assert run.exit_code == 2
    assert "tmpfs" in run.err
    assert len(run.err.splitlines()) == 1


@pytest.fixture
def loop_mount(tmp_path: Path, root: None) -> Iterator[LoopMount]:
    """Mount ext4 in a loop device on a new file of 128 MiB, and return the mount point."""
    undo: list[list[str]] = []

    def mount(image: Path, *losetup_options: str) -> Path:
        with image.open("wb") as file:
            file.truncate(128 << 20)
        made = subprocess.run(
            ["losetup", "--find", "--show", *losetup_options, str(image)], capture_output=True, text=True
        )
        require(made.returncode == 0, f"no loop device is available here: {made.stderr.strip()}")
        device = made.stdout.strip()
        undo.append(["losetup", "--detach", device])
        subprocess.run(["mkfs.ext4", "-q", "-E", "lazy_itable_init=0", device], check=True)
        place = tmp_path / "mounted"
        place.mkdir()
        subprocess.run(["mount", device, str(place)], check=True)
        undo.append(["umount", str(place)])
        return place

    yield mount
    for command in reversed(undo):
        subprocess.run(command, check=True)


@pytest.mark.alone
def test_a_loop_file_on_a_disk_is_dropped_and_read_again(
    run_l2sweep: RunL2Sweep, loop_mount: LoopMount, tmp_path: Path
) -> None:
    place = loop_mount(tmp_path / "image", "--direct-io=on")
    for method in ("drop_caches", "fadvise"):
        run = run_l2sweep(*COLD, f"cache.method={method}", "adapter=fs", f"adapter.base_path={place}/kv")
        assert run.exit_code == 0, run.err
        assert load_point(run)["cache_state"] == "cold"
        loads = run.rounds[run.rounds["phase"] == "load"]
        assert (loads["block_device_read_bytes"] >= loads["bytes_ok"] * 0.9).all()
    durable = run_l2sweep(*DURABLE, "adapter=fs", f"adapter.base_path={place}/kv")
    assert durable.exit_code == 0, durable.err
    stores = durable.rounds[durable.rounds["flush_s"].notna()]
    assert len(stores) == 3
    assert (stores["block_device_write_bytes"] >= stores["bytes_ok"]).all()


@pytest.mark.alone
def test_a_loop_file_that_stays_in_the_page_cache_is_warm(
    run_l2sweep: RunL2Sweep, loop_mount: LoopMount, tmp_path: Path
) -> None:
    """The command drops the pages of the file system in the loop device, not those of the file below."""
    place = loop_mount(tmp_path / "image")
    drop = dropping_files(place / "kv")
    command = ("cache=cold", "cache.method=command", f"cache.command='{drop}'", "cache.drop_before=[load]")
    spec = ("adapter=fs", f"adapter.base_path={place}/kv")
    run = run_l2sweep(*command, *SMALL, *spec)
    assert run.exit_code == 1
    point = load_point(run)
    assert (point["status"], point["cache_state"]) == ("warm", "warm")
    assert (run.rounds[run.rounds["phase"] == "load"]["device_read_bytes"] > 0).all()  # of the loop device


@pytest.mark.alone
def test_o_direct_on_a_loop_device_does_not_bypass_the_cache_of_its_file(
    run_l2sweep: RunL2Sweep, loop_mount: LoopMount, tmp_path: Path
) -> None:
    place = loop_mount(tmp_path / "image")
    run = run_l2sweep(*SMALL, "adapter=fs", f"adapter.base_path={place}/kv", "+adapter.use_odirect=true")
    assert run.exit_code == 0, run.err
    assert run.points["cache_state"].tolist() == ["warm"]


@pytest.mark.alone
def test_a_loop_file_in_memory_is_refused_for_cold_and_never_bypassed(
    run_l2sweep: RunL2Sweep, loop_mount: LoopMount, tmp_path_factory: pytest.TempPathFactory
) -> None:
    image = Path("/dev/shm") / f"{tmp_path_factory.mktemp('image').name}-{id(run_l2sweep)}"
    try:
        place = loop_mount(image)
        spec = ("adapter=fs", f"adapter.base_path={place}/kv", "+adapter.use_odirect=true")
        refused = run_l2sweep("cache=cold", *SMALL, *spec)
        assert refused.exit_code == 2
        assert f"whose file {image} is on tmpfs" in refused.err
        run = run_l2sweep(*SMALL, *spec)
        assert run.exit_code == 0, run.err
        assert run.points["cache_state"].tolist() == ["warm"]
    finally:
        image.unlink()


@pytest.fixture
def zram(tmp_path: Path, root: None) -> Iterator[Path]:
    """Mount ext4 in a new zram device of 64 MiB, and return the mount point."""
    control = Path("/sys/class/zram-control")
    require(control.exists(), "this kernel has no zram")
    number = (control / "hot_add").read_text().strip()
    place = tmp_path / "mounted"
    place.mkdir()
    try:
        Path(f"/sys/block/zram{number}/disksize").write_text("64M")
        subprocess.run(["mkfs.ext4", "-q", f"/dev/zram{number}"], check=True)
        subprocess.run(["mount", f"/dev/zram{number}", str(place)], check=True)
        yield place
        subprocess.run(["umount", str(place)], check=True)
    finally:
        (control / "hot_remove").write_text(number)


@pytest.mark.alone
def test_a_disk_in_memory_is_refused_for_cold_and_never_bypassed(run_l2sweep: RunL2Sweep, zram: Path) -> None:
    spec = ("adapter=fs", f"adapter.base_path={zram}/kv", "+adapter.use_odirect=true")
    refused = run_l2sweep("cache=cold", *SMALL, *spec)
    assert refused.exit_code == 2
    assert "a block device in memory" in refused.err
    run = run_l2sweep(*SMALL, *spec)
    assert run.exit_code == 0, run.err
    assert run.points["cache_state"].tolist() == ["warm"]
