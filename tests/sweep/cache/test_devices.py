"""What is below a path: loop devices, device-mapper, md and partitions, in a made-up /sys."""

from __future__ import annotations

from pathlib import Path

import pytest

from l2sweep.records.environment import Storage
from l2sweep.sweep.cache import devices
from l2sweep.sweep.cache.devices import StorageStack, hides_pages, is_network

USED = "10 0 80 5 0 0 0 0 0 0 0"
UNUSED = "0 0 0 0 0 0 0 0 0 0 0"


class Machine:
    """A made-up machine: its block devices, and the storage of its paths.

    Args:
        folder: Folder for /sys and for files.
    """

    def __init__(self, folder: Path) -> None:
        self.blocks = folder / "block"
        self.classes = folder / "class"
        self.folder = folder
        self.storages: dict[str, Storage] = {}
        self.blocks.mkdir()
        self.classes.mkdir()

    def disk(self, name: str, *slaves: str, stat: str = USED, parent: str = "", **files: str) -> Path:
        """Add a block device; a partition of another where ``parent`` is given."""
        folder = self.blocks / parent / name
        folder.mkdir(parents=True)
        (folder / "stat").write_text(stat + "\n")
        if parent:
            (folder / "partition").write_text("1\n")
        for slave in slaves:
            (folder / "slaves" / slave).mkdir(parents=True)
        for file, text in files.items():
            path = folder / file.replace("__", "/")
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text + "\n")
        (self.classes / name).symlink_to(folder)
        return folder

    def loop(self, name: str, storage: Storage, dio: str = "0") -> str:
        """Add a loop device on a new file of a storage, and return the file."""
        file = self.folder / f"image-of-{name}"
        file.touch()
        self.disk(name, loop__backing_file=str(file), loop__dio=dio)
        self.storages[str(file)] = storage
        return str(file)


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Machine:
    made = Machine(tmp_path)
    monkeypatch.setattr(devices, "_BLOCK_DEVICES", made.classes)
    monkeypatch.setattr(devices, "_BTRFS", tmp_path / "btrfs")
    monkeypatch.setattr(Storage, "behind", lambda path: made.storages[path])
    return made


def below(machine: Machine, device: str | None, fs_type: str = "ext4", options: str = "rw") -> StorageStack:
    machine.storages["/kv"] = Storage(fs_type, "/kv", options, device)
    return StorageStack.below("/kv")


def test_a_disk_is_its_own_lowest_device(machine: Machine) -> None:
    machine.disk("vda")
    stack = below(machine, "vda")
    assert (stack.devices, stack.loop_files, stack.memory, stack.server, stack.unknown) == (
        ("vda",),
        (),
        "",
        "",
        "",
    )
    assert stack.storage == machine.storages["/kv"]


def test_a_partition_of_a_disk_has_counters_of_its_own(machine: Machine) -> None:
    machine.disk("sda")
    machine.disk("sda1", parent="sda")
    assert below(machine, "sda1").devices == ("sda1",)


def test_device_mapper_and_md_are_followed_down_to_all_disks(machine: Machine) -> None:
    machine.disk("dm-0", "md0")
    machine.disk("md0", "sda1", "sdb1")
    for name in ("sda", "sdb"):
        machine.disk(name)
        machine.disk(f"{name}1", parent=name)
    assert below(machine, "dm-0").devices == ("sda1", "sdb1")


def test_a_partition_of_an_array_is_followed_to_its_disks(machine: Machine) -> None:
    machine.disk("md0", "sda", "sdb")
    machine.disk("md0p1", parent="md0")
    machine.disk("sda")
    machine.disk("sdb")
    assert below(machine, "md0p1").devices == ("sda", "sdb")


@pytest.mark.parametrize(("dio", "is_buffered"), [("0", True), ("1", False)])
def test_a_loop_device_is_followed_to_the_disk_of_its_file(
    machine: Machine, dio: str, is_buffered: bool
) -> None:
    machine.disk("vda")
    file = machine.loop("loop0", Storage("xfs", "/", "rw", "vda"), dio)
    stack = below(machine, "loop0")
    assert (stack.devices, stack.loop_files, stack.is_buffered_below) == (("vda",), (file,), is_buffered)
    assert (stack.memory, stack.unknown) == ("", "")


def test_loop_devices_in_loop_devices_and_their_partitions_are_followed(machine: Machine) -> None:
    machine.disk("vda")
    lower = machine.loop("loop0", Storage("ext4", "/", "rw", "vda"))
    upper = machine.loop("loop1", Storage("ext4", "/mnt", "rw", "dm-0"))
    machine.disk("loop1p1", parent="loop1")
    machine.disk("dm-0", "loop0")
    stack = below(machine, "loop1p1")
    assert (stack.devices, stack.loop_files) == (("vda",), (upper, lower))


def test_a_loop_file_in_memory_is_memory(machine: Machine) -> None:
    file = machine.loop("loop0", Storage("tmpfs", "/dev/shm", "rw"))
    stack = below(machine, "loop0")
    assert stack.memory == f"loop0, whose file {file} is on tmpfs, whose files are memory"
    assert stack.devices == ()


@pytest.mark.parametrize("fs_type", ["tmpfs", "ramfs", "hugetlbfs"])
def test_memory_file_systems_are_memory(machine: Machine, fs_type: str) -> None:
    assert below(machine, None, fs_type).memory == f"{fs_type}, whose files are memory"


@pytest.mark.parametrize("name", ["ram0", "zram12", "nullb0"])
def test_block_devices_in_memory_are_memory_also_below_others(machine: Machine, name: str) -> None:
    machine.disk(name)
    machine.disk("dm-0", name)
    expected = f"{name}, a block device in memory"
    assert (below(machine, name).memory, below(machine, "dm-0").memory) == (expected, expected)
    assert below(machine, name).devices == ()


def test_a_deleted_loop_file_makes_the_reads_unknown(machine: Machine) -> None:
    machine.disk("loop0", loop__backing_file=f"{machine.folder}/gone (deleted)", loop__dio="0")
    stack = below(machine, "loop0")
    assert stack.unknown == "loop0, whose file cannot be found here"
    assert stack.devices == ()


def test_a_loop_file_on_an_unknown_device_makes_the_reads_unknown(machine: Machine) -> None:
    file = machine.loop("loop0", Storage("overlay", "/", "rw"))
    assert (
        below(machine, "loop0").unknown
        == f"loop0, whose file {file} is on overlay, whose devices are unknown"
    )


def test_a_loop_file_on_a_network_file_system_is_on_a_server(machine: Machine) -> None:
    file = machine.loop("loop0", Storage("nfs4", "/net", "rw"))
    stack = below(machine, "loop0")
    assert (stack.server, stack.unknown) == (f"loop0, whose file {file} is on nfs4", "")


@pytest.mark.parametrize(
    ("transport", "server"),
    [("pcie", ""), ("loop", "nvme0n1 (NVMe over loop)"), ("tcp", "nvme0n1 (NVMe over tcp)")],
)
@pytest.mark.parametrize("place", ["device__transport", "device__nvme0__transport"])
def test_nvme_over_fabrics_is_on_a_server(machine: Machine, transport: str, server: str, place: str) -> None:
    machine.disk("nvme0n1", **{place: transport})
    stack = below(machine, "nvme0n1")
    assert stack.server == server
    assert stack.devices == (() if server else ("nvme0n1",))


def test_a_network_block_device_is_on_a_server(machine: Machine) -> None:
    machine.disk("nbd3")
    assert below(machine, "nbd3").server == "nbd3 (a network block device)"


def test_a_device_that_does_not_count_is_not_observed(machine: Machine) -> None:
    machine.disk("vda", queue__iostats="0")
    machine.disk("vdb", stat=UNUSED)
    machine.disk("vdc", queue__iostats="1")
    machine.disk("md0", "vda", "vdc")
    assert [below(machine, name).devices for name in ("vda", "vdb", "vdc", "md0")] == [(), (), ("vdc",), ()]
    assert below(machine, "vda").unknown == ""  # the counter of the process is enough
    machine.loop("loop0", machine.storages["/kv"])
    assert "vda, which does not count its reads" in below(machine, "loop0").unknown


def test_all_devices_of_a_btrfs_are_found(machine: Machine) -> None:
    machine.disk("vda")
    machine.disk("vdb")
    for name in ("vda", "vdb"):
        (machine.folder / "btrfs" / "some-uuid" / "devices" / name).mkdir(parents=True)
    assert below(machine, "vda", "btrfs").devices == ("vda", "vdb")
    assert below(machine, "vda").devices == ("vda",)


def test_an_overlay_is_followed_to_its_upper_folder_where_it_is_visible(machine: Machine) -> None:
    machine.disk("vda")
    upper = machine.folder / "upper"
    options = f"rw;rw,lowerdir=/a:/b,upperdir={upper},workdir=/w"
    assert below(machine, None, "overlay", options) == StorageStack(machine.storages["/kv"])
    upper.mkdir()
    machine.storages[str(upper)] = Storage("ext4", "/", "rw", "vda")
    assert below(machine, None, "overlay", options).devices == ("vda",)
    machine.storages[str(upper)] = Storage("overlay", "/", options)  # itself
    assert below(machine, None, "overlay", options).devices == ()


def test_a_missing_path_has_no_storage(machine: Machine) -> None:
    machine.storages[None] = Storage()  # type: ignore[index]
    assert StorageStack.below(None) == StorageStack(Storage())


@pytest.mark.parametrize(
    ("fs_type", "hidden", "network"),
    [
        ("ext4", False, False),
        ("overlay", True, False),
        ("zfs", True, False),
        ("nfs4", False, True),
        ("fuse.sshfs", False, True),
        (None, False, False),
    ],
)
def test_the_file_system_tells_whether_pages_are_hidden_and_whether_a_server_holds_the_data(
    fs_type: str | None, hidden: bool, network: bool
) -> None:
    storage = Storage(fs_type=fs_type)
    assert (hides_pages(storage), is_network(storage)) == (hidden, network)
