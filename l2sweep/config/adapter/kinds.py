"""What l2sweep knows of each adapter type: one table.

LMCache does not tell these facts; they were found by running LMCache 0.5.6 and reading its adapters. A type
that is not in the table is treated as a remote store: its data are not on this machine. ``docs/adapters.md``
is written from this table.

The control is of LMCache's type ``plugin``, and has a row of its own.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from l2sweep.analysis.control import CONTROL
from l2sweep.bench.job import FIO, PHASES

AnsweredBy = Literal["server", "client_cache", "index"]
SERVER: AnsweredBy = "server"
CLIENT_CACHE: AnsweredBy = "client_cache"
INDEX: AnsweredBy = "index"

_BLOCK_BYTES = 4096  # the logical block of most devices, and the default of raw_block's block_align


@dataclass(frozen=True)
class Package:
    """What an adapter type needs besides LMCache's Python modules.

    Attributes:
        module: The module that is imported.
        install: How to get it: a command, or what must be built.
    """

    module: str
    install: str


@dataclass(frozen=True)
class AdapterKind:
    """An adapter type.

    Attributes:
        place: Where its data are: ``files``, a ``device`` (or one file as a device), the ``memory`` of the
            process, or a ``server``.
        has_page_cache: Its data are files or a device of this machine, whose pages the kernel caches.
        lost_because: Why no later process can find its data; empty where one can.
        is_direct_by_default: It opens its device with O_DIRECT unless told otherwise.
        falls_back_to_buffered: With O_DIRECT asked for, it uses buffered I/O without failing when a key's
            size is not a multiple of the file system's block.
        alignment_bytes: Alignment that its buffers need where the spec asks for O_DIRECT; 1: any.
        is_destructive: It overwrites the content of its ``device_path``.
        keeps_data_in_process: Its data take memory of the benchmark process.
        can_delete: It deletes keys; None: unknown.
        lookup_locks: A lookup locks the keys that it finds, and a locked key is not deleted; None: unknown.
        lookup_answered_by: What tells that a key exists, in a process that stored it: the ``server`` (the
            place that holds the data), a ``client_cache`` in the process, or an ``index`` in its memory;
            None: unknown, or there is no lookup.
        leaves_files: LMCache leaves files behind whose keys were all deleted. Those of NIXL's pool lose their
            names in ``bench/adapter/create.py``.
        reconnects: It reconnects to its server after a failure; None: it has no server, or it is unknown.
        secret_fields: Fields of its spec that hold credentials. They are redacted by their names.
        packages: What must be installed besides LMCache and its requirements.
        needs: What else it needs, which no package has; empty if nothing.
        phases: The phases that it has.
        needs_program: A program that must be installed to measure it.
        runs_no_code: No field of its spec names a module, a class, a library or a program.
    """

    place: Literal["files", "device", "memory", "server"] = "server"
    has_page_cache: bool = False
    lost_because: str = ""
    is_direct_by_default: bool = False
    falls_back_to_buffered: bool = False
    alignment_bytes: int = 1
    is_destructive: bool = False
    keeps_data_in_process: bool = False
    can_delete: bool | None = None
    lookup_locks: bool | None = None
    lookup_answered_by: AnsweredBy | None = None
    leaves_files: bool = False
    reconnects: bool | None = None
    secret_fields: tuple[str, ...] = ()
    packages: tuple[Package, ...] = ()
    needs: str = ""
    phases: tuple[str, ...] = PHASES
    needs_program: str = ""
    runs_no_code: bool = False

    @property
    def is_local(self) -> bool:
        """Whether its data are on this machine."""
        return self.place != "server"

    @property
    def survives(self) -> bool:
        """Whether a later process finds what this one stored."""
        return not self.lost_because


_INDEX_IN_PROCESS = "keeps its index in the memory of its process"
_DATA_IN_PROCESS = "keeps its data in the memory of its process"


def _extension(module: str, name: str) -> tuple[Package, ...]:
    return (Package(f"lmcache.{module}", f"build LMCache with its {name} extension: the wheel lacks it"),)


_NIXL = (Package("nixl", "pip install --no-deps nixl nixl-cu12 nixl-cu13"),)

ADAPTER_KINDS: dict[str, AdapterKind] = {
    "fs": AdapterKind(
        place="files",
        has_page_cache=True,
        falls_back_to_buffered=True,
        can_delete=True,
        lookup_locks=False,
        lookup_answered_by="server",
        runs_no_code=True,
    ),
    "fs_native": AdapterKind(
        place="files",
        has_page_cache=True,
        falls_back_to_buffered=True,
        can_delete=True,
        lookup_locks=False,
        lookup_answered_by="server",
        runs_no_code=True,
    ),
    "native_plugin": AdapterKind(place="files", has_page_cache=True),
    "plugin": AdapterKind(place="files", has_page_cache=True),
    "raw_block": AdapterKind(
        place="device",
        has_page_cache=True,
        is_direct_by_default=True,
        alignment_bytes=_BLOCK_BYTES,
        is_destructive=True,
        can_delete=True,
        lookup_locks=True,
        lookup_answered_by="index",
        packages=(Package("lmcache_rust_raw_block_io", "pip install 'l2sweep[raw_block]'"),),
    ),
    "nixl_store_dynamic": AdapterKind(
        place="files",
        has_page_cache=True,
        can_delete=True,
        lookup_locks=True,
        lookup_answered_by="client_cache",
        packages=_NIXL,
    ),
    "nixl_store": AdapterKind(
        place="files",
        lost_because=_INDEX_IN_PROCESS,
        can_delete=True,
        lookup_locks=True,
        lookup_answered_by="index",
        leaves_files=True,
        packages=_NIXL,
    ),
    "dax": AdapterKind(
        place="device",
        lost_because=_INDEX_IN_PROCESS,
        is_destructive=True,
        can_delete=True,
        lookup_locks=True,
        lookup_answered_by="index",
    ),
    CONTROL: AdapterKind(
        place="memory",
        lost_because=_DATA_IN_PROCESS,
        keeps_data_in_process=True,
        can_delete=True,
        lookup_locks=False,
        lookup_answered_by="server",
        runs_no_code=True,
    ),
    "mock": AdapterKind(
        place="memory",
        lost_because=_DATA_IN_PROCESS,
        keeps_data_in_process=True,
        can_delete=True,
        lookup_locks=False,
        lookup_answered_by="server",
        runs_no_code=True,
    ),
    FIO: AdapterKind(
        place="files",
        has_page_cache=True,
        phases=("store", "load"),
        needs_program="fio",
        runs_no_code=True,
    ),
    "fault_inject": AdapterKind(runs_no_code=True),
    "resp": AdapterKind(
        can_delete=True,
        lookup_locks=False,
        lookup_answered_by="server",
        reconnects=False,
        secret_fields=("password",),
        runs_no_code=True,
    ),
    "valkey": AdapterKind(
        can_delete=True,
        lookup_locks=True,
        lookup_answered_by="server",
        reconnects=True,
        secret_fields=("password", "username"),
        packages=(Package("glide_sync", "pip install 'l2sweep[valkey]'"),),
        runs_no_code=True,
    ),
    "s3": AdapterKind(
        can_delete=True,
        lookup_locks=True,
        lookup_answered_by="client_cache",
        reconnects=False,
        secret_fields=("aws_access_key_id", "aws_secret_access_key"),
        packages=(Package("awscrt", "pip install awscrt"),),
        runs_no_code=True,
    ),
    "bigtable": AdapterKind(
        can_delete=True,
        lookup_locks=True,
        lookup_answered_by="client_cache",
        reconnects=False,
        secret_fields=("bigtable_credentials_path", "credentials_path"),
        packages=(Package("google.cloud.bigtable", "pip install google-cloud-bigtable"),),
        needs="a Bigtable instance, or Google's emulator",
    ),
    "aerospike": AdapterKind(
        can_delete=True,
        lookup_locks=False,
        lookup_answered_by="server",
        secret_fields=("password",),
        packages=_extension("lmcache_aerospike", "Aerospike"),
    ),
    "hf3fs": AdapterKind(
        can_delete=True,
        lookup_locks=False,
        lookup_answered_by="client_cache",
        packages=_extension("lmcache_hf3fs", "3FS"),
        needs="a mounted 3FS file system",
    ),
    "hfbucket": AdapterKind(
        can_delete=True,
        lookup_locks=True,
        lookup_answered_by="client_cache",
        secret_fields=("token",),
        packages=(Package("huggingface_hub", "pip install huggingface_hub"),),
        needs="a bucket of the Hugging Face Hub",
    ),
    "mooncake_store": AdapterKind(
        can_delete=True,
        lookup_locks=False,
        lookup_answered_by="server",
        packages=_extension("lmcache_mooncake", "Mooncake"),
        needs="a Mooncake master and its metadata server",
    ),
    "nixl_native": AdapterKind(packages=_extension("lmcache_nixl", "NIXL")),
    "p2p": AdapterKind(
        can_delete=False, lookup_locks=True, lookup_answered_by="server", needs="another LMCache as its peer"
    ),
    "sagemaker-hyperpod": AdapterKind(
        can_delete=False,
        lookup_locks=True,
        lookup_answered_by="server",
        needs="the daemon of SageMaker HyperPod and its shared memory",
    ),
}
REMOTE = AdapterKind()
"""What is known of a type that is not in the table."""
