"""Requests that l2sweep must refuse, for tests/end_to_end/test_wrong_requests.py."""

from __future__ import annotations

import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

SECRET = "hunter22"  # no request may show it
SPEC_VARIABLE = "L2_ADAPTER_JSON"
FULL_ERROR = {"HYDRA_FULL_ERROR": "1"}
FS = '{"type": "fs", "base_path": "kv"}'
FS_B = "{type: fs, base_path: b}"
MANAGED = "through=storage_manager"
SERDE_INSIDE = '{"type": "fault_inject", "inner": {"type": "fs", "base_path": "k", "serde": {"type": "fp8"}}}'
LONG = "n" * 129
NO_PERF = shutil.which("perf") is None
HUGE = "1" + "0" * 20

# The files of the folder in which a request runs, from path to content. "-> target" is a symbolic link.
PREPARED = {
    "file": "not a folder",
    "dangling": "-> nowhere",
    "rounds_is_file/rounds": "not a folder",
    "points_is_file/points": "not a folder",
    "sweeps_is_file/sweeps": "not a folder",
    "own/experiment/broken.yaml": "num_keys: [8\n",
    "own/experiment/wrong.yaml": "# @package _global_\nnum_keys: 0\nnmu_keys: 5\n",
    "own/experiment/grid.yaml": "# @package _global_\n"
    "hydra: {mode: MULTIRUN, sweeper: {params: {num_keys: '8,0'}}}\n",
}
OWN = ["--config-dir", "own"]


@dataclass(frozen=True)
class Case:
    """A request.

    Attributes:
        name: Its name in the output of pytest.
        arguments: The command line.
        words: What its error message must contain: the option, the value, what is allowed.
        environment: Environment variables to set.
    """

    name: str
    arguments: Sequence[str]
    words: str = ""
    environment: Mapping[str, str] = field(default_factory=dict)


# Option, wrong values, words that describe the allowed values.
VALUES = [
    ("num_keys", "0 -1 1.5 abc true null", "integer 1"),
    ("in_flight", "0", "integer 1"),
    ("data_size_kb", "0 2.5", "integer 1"),
    ("rounds", "0", "integer 1"),
    ("warmup_rounds", "-1", "integer 0"),
    ("lookup_max_hit_rate", "1.5 -0.1 nan", "number 0 1"),
    ("workload", "replay", "rounds trace"),
    ("trace_speed", "0 -1 fast", "number 0 max"),
    ("skip_verify", "maybe", "true false"),
    ("only", "all", "store lookup load null"),
    ("l1_align_bytes", "0", "integer 1"),
    ("seed", "-1 x", "integer 0"),
    ("namespace", f"a@b {LONG}", "128 @"),
    ("profile", "memray", "flamegraph null"),
    ("profile_mode", "cpu", "on-cpu off-cpu wakeup offwake wall gil"),
    ("payload_namespace", LONG, "128 null"),
    ("timeout_s.store", "0", "number 0"),
    ("timeout_s", "5", "store lookup load"),
    ("deadline_s", "-5", "number 0 null"),
    ("lmcache_log_level", "LOUD", "DEBUG INFO WARNING ERROR CRITICAL"),
    ("quiet", "perhaps", "true false"),
    ("report_format", "xml", "text json"),
    ("sweep_id", "../x", "letters digits"),
    ("objective", "speed", "store_mib_per_s load_submit_p99_s"),
    ("cache.mode", "tepid", "hot cold"),
    ("cache.method", "magic", "auto drop_caches helper fadvise command none"),
    ("cache.command_timeout_s", "0", "number 0"),
    ("cache.max_resident_fraction", "1.5", "number 0 1"),
    ("cache.store_durable", "maybe", "true false"),
    ("cache.paths", "kv", "list paths"),
    ("budget.minutes", "0", "number 0 null"),
    ("budget.disk_gb", "-1", "number 0 null"),
]
WRONG = [
    # LMCache itself refuses these, in a benchmark process
    Case("type unknown to LMCache", ['adapter_json={"type": "nope"}'], "type nope fs resp"),
    Case("no base_path", ['adapter_json={"type": "fs"}'], "fs base_path"),
    Case("use_odirect of a wrong type", ["+adapter.use_odirect=perhaps"], "fs use_odirect boolean"),
    # Values
    *(
        Case(f"{option}={value:.9}", [f"{option}={value}"], f"{option} {value} {allowed}")
        for option, values, allowed in VALUES
        for value in values.split()
    ),
    Case("namespace with a space", ["namespace='a b'"], "namespace a b 128"),
    Case("empty namespace", ["namespace="], "namespace 1 128"),
    Case("empty sweep_name", ["sweep_name="], "sweep_name 1 200"),
    Case("sweep_id that leaves its folder", ["sweep_id=..", "num_keys=1"], "sweep_id .."),
    Case("sweep_id that hides the records", ["sweep_id=_x", "num_keys=1"], "sweep_id _x"),
    Case("missing trace", ["workload=trace", "trace=nowhere"], "trace nowhere No such file"),
    Case("file that is no trace", ["workload=trace", "trace=file"], "trace file LMCache Mooncake"),
    Case("trace of rounds", ["trace=file"], "trace file workload=trace"),
    Case("misaligned size", ["data_size_kb=3"], "data_size_kb 3 l1_align_bytes 4096"),
    Case("huge num_keys", [f"num_keys={HUGE}"], f"num_keys {HUGE}"),
    Case("huge seed", [f"seed={HUGE}", "num_keys=1"], f"seed {HUGE}"),
    Case("huge deadline_s", ["deadline_s=1e300"], "deadline_s"),
    Case("huge hit rate", [f"lookup_max_hit_rate=1{'0' * 400}"], "lookup_max_hit_rate number 0 1"),
    Case("removed option", ["~num_keys"], "num_keys integer 1"),
    # Names
    Case("unknown option", ["nmu_keys=5"], "nmu_keys did you mean num_keys"),
    Case("unknown option with +", ["+nmu_keys=5"], "nmu_keys did you mean num_keys"),
    Case(
        "unknown field of the adapter",
        ["adapter.bas_path=x"],
        "adapter.bas_path field",
    ),
    Case("unknown time-out", ["timeout_s.other=5"], "timeout_s.other option"),
    Case("unknown time-out with +", ["+timeout_s.other=5"], "timeout_s.other option"),
    Case("unknown adapter choice", ["adapter=foo"], "adapter foo fs mock resp"),
    Case("unknown experiment", ["experiment=nope"], "experiment nope smoke"),
    Case("unknown flag", ["--nope"], "--nope"),
    Case("missing folder of configuration", ["--config-dir", "nowhere"], "nowhere"),
    Case("missing configuration", ["--config-name", "nowhere"], "nowhere"),
    Case(
        "flag that Hydra would ignore",
        ["--experimental-rerun", "nowhere", "num_keys=1"],
        "--experimental-rerun",
    ),
    # Names and values of an earlier release
    Case("renamed memory_limit_mb", ["memory_limit_mb=900"], "memory_limit_mb memory_limit_mib"),
    Case("renamed cache.between", ["cache=cold", "cache.between=[load]"], "cache.between cache.drop_before"),
    Case(
        "renamed cache.max_resident",
        ["cache.max_resident=0"],
        "cache.max_resident cache.max_resident_fraction",
    ),
    Case("renamed value of on_infeasible", ["on_infeasible=prune"], "on_infeasible prune skip"),
    Case(
        "sweep: renamed option",
        ["-m", "num_keys=8,16", "memory_limit_mb=9,8"],
        "memory_limit_mb memory_limit_mib",
    ),
    # Commands that do not measure
    Case("status of a folder without its name", ["status", "x"], "status x --help"),
    Case("status of a missing folder", ["status", "--results-dir=missing"], "--results-dir missing"),
    Case(
        "status: unknown option",
        ["status", "result_dir=missing"],
        "status result_dir --results-dir",
    ),
    Case("night: too few nights", ["night", "--keep-nights=1"], "night --keep-nights 1 2"),
    # The page cache
    Case("unknown choice of cache", ["cache=tepid"], "cache tepid hot cold"),
    Case("unknown option of cache", ["cache.mthod=auto"], "cache.mthod did you mean cache.method"),
    Case("null cache", ["cache=null"], "cache"),
    Case("command without a command", ["cache=cold", "cache.method=command"], "cache.command null command"),
    Case("command that is not used", ["cache=cold", "cache.command=sync"], "cache.command sync auto"),
    Case("dropped before a store", ["cache.drop_before=[store]"], "cache.drop_before store lookup load"),
    Case("hot but dropped between", ["cache.drop_before=[load]"], "cache.drop_before load cold"),
    Case("cold memory", ["cache=cold", "adapter=mock"], "cache cold mock memory hot"),
    Case(
        "cold tmpfs", ["cache=cold", "adapter.base_path=/dev/shm/kv"], "cache cold /dev/shm/kv tmpfs memory"
    ),
    Case(
        "command that fails",
        ["cache=cold", "cache.method=command", "cache.command='echo no >&2; exit 3'"],
        "cache.method command 3 no",
    ),
    Case(
        "durable elsewhere",
        ["adapter=resp", "adapter.host=h", "cache.store_durable=true"],
        "cache.store_durable true resp cache.paths",
    ),
    # The model
    Case("unknown model", ["model=gpt"], "model gpt llama-3.1-8b"),
    Case("heads that ranks cannot share", ["model=qwen3-32b", "model.tp=3"], "model.tp 3 8"),
    Case(
        "size of its own and a model",
        ["model=llama-3.1-8b", "data_size_kb=64"],
        "data_size_kb 64 model llama-3.1-8b 32768",
    ),
    Case(
        "sweep: size of its own and models",
        ["-m", "model=llama-3.1-8b,qwen2.5-7b", "data_size_kb=64"],
        "data_size_kb 64 model llama-3.1-8b 32768 qwen2.5-7b 14336",
    ),
    Case("unknown type of a model", ["model=qwen3-32b", "model.dtype=int4"], "model.dtype int4 fp8"),
    # The profiler
    Case("mode without a profiler", ["profile_mode=wall"], "profile_mode wall profile flamegraph"),
    Case(
        "no FlameGraph scripts",
        ["profile=flamegraph", "profile_scripts_dir=nowhere"],
        "profile_mode on-cpu perf" if NO_PERF else "profile_scripts_dir nowhere flamegraph.pl",
    ),
    Case(
        "sweep: one point with an unusable profiler",
        ["-m", "profile=null,flamegraph", "profile_scripts_dir=nowhere"],
        "profile_mode" if NO_PERF else "profile_scripts_dir",
    ),
    # Adapter
    Case("resp without host", ["adapter=resp"], "adapter.host"),
    Case("empty adapter.type", ["adapter.type="], "adapter.type"),
    Case("dotted adapter.type", ['adapter_json={"type": "a.b"}'], "adapter.type a.b known"),
    Case("sweep: dotted adapter.type", ["-m", 'adapter_json={"type": "a.b"}'], "adapter.type a.b known"),
    Case("null adapter", ["adapter=null"], "adapter"),
    Case("removed adapter", ["~adapter"], "adapter"),
    Case("broken JSON", ['adapter_json={"type": "fs"'], "adapter_json JSON"),
    Case("JSON list", ["adapter_json=[1]"], "adapter_json type"),
    Case("JSON without type", ['adapter_json={"base_path": "kv"}'], "adapter_json type"),
    Case("JSON and a field", [f"adapter_json={FS}", "adapter.base_path=x"], "adapter_json adapter.base_path"),
    Case("variable: broken JSON", [], f"{SPEC_VARIABLE} JSON", {SPEC_VARIABLE: "{fs"}),
    Case("variable: JSON list", [], f"{SPEC_VARIABLE} type", {SPEC_VARIABLE: "[1]"}),
    Case("variable: in a sweep", ["-m", "num_keys=1,2"], f"{SPEC_VARIABLE} type", {SPEC_VARIABLE: "{}"}),
    # The path of a point
    Case("serde", ["+adapter.serde={type: fp8}"], "adapter.serde storage_manager"),
    Case("serde inside", ["adapter=fault_inject", "+adapter.inner.serde.type=fp8"], "adapter.inner.serde"),
    Case("serde inside JSON", [f"adapter_json={SERDE_INSIDE}"], "adapter.inner.serde"),
    Case("eviction", ["+adapter.eviction={eviction_policy: LRU}"], "adapter.eviction storage_manager"),
    Case(
        "sweep: serde on one of two paths",
        ["-m", "through=storage_manager,adapter", "+adapter.serde={type: fp8}"],
        "adapter.serde storage_manager",
    ),
    Case("lookup of the storage manager", [MANAGED, "only=lookup"], "only lookup store load"),
    Case("unknown serde", [MANAGED, "+adapter.serde={type: gzip}", "serde_tolerance=0.1"], "serde gzip fp8"),
    Case(
        "misspelt field of a serde",
        [MANAGED, "+adapter.serde={type: fp8, fp8_dtyp: float8_e5m2}"],
        "adapter.serde.fp8_dtyp field",
    ),
    Case(
        "more adapters, of an adapter alone",
        [f"more_adapters=[{FS_B}]"],
        "more_adapters through=storage_manager",
    ),
    Case("more adapters without a type", [MANAGED, "more_adapters=[{base_path: b}]"], "more_adapters type"),
    Case("no list of more adapters", [MANAGED, "more_adapters=fs"], "more_adapters list"),
    Case("the same place twice", [MANAGED, f"more_adapters=[{FS_B},{FS_B}]"], "more_adapters.3 adapter 2 b"),
    Case(
        "misspelt field of the second", [MANAGED, "more_adapters=[{type: fs, base_pth: b}]"], "fs base_path"
    ),
    Case("fio at the same time", ["adapter=fio", "concurrent=true"], "concurrent fio"),
    Case("unknown L1", [MANAGED, "+adapter.affinity_tag=other"], "adapter.affinity_tag other _default"),
    # Places
    Case("results_dir below a file", ["results_dir=file/results"], "results_dir file/results folder"),
    Case("results_dir is a file", ["results_dir=file"], "results_dir file folder"),
    Case("results_dir below /proc", ["results_dir=/proc/results"], "results_dir /proc/results folder"),
    Case("results_dir is a dangling link", ["results_dir=dangling"], "results_dir dangling"),
    Case("rounds is a file", ["results_dir=rounds_is_file", "num_keys=1"], "results_dir rounds"),
    Case("points is a file", ["results_dir=points_is_file", "num_keys=1"], "results_dir points"),
    Case("sweeps is a file", ["-m", "results_dir=sweeps_is_file", "num_keys=1"], "results_dir sweeps"),
    Case("report_file below a file", ["report_file=file/r.json"], "report_file file/r.json"),
    Case("report_file is a folder", ["report_file=own", "report_format=json"], "report_file own regular"),
    Case("report_file is a device", ["report_file=/dev/stdout"], "report_file /dev/stdout regular"),
    Case("report_file below /proc", ["report_file=/proc/r.json"], "report_file /proc/r.json"),
    Case(
        "sweep: report_file below a file", ["-m", "num_keys=1,2", "report_file=file/r"], "report_file file/r"
    ),
    Case("report of a plan", ["dry_run=true", "report_format=json"], "dry_run true report_format text"),
    Case("file for a plan", ["dry_run=true", "report_file=r.txt"], "dry_run true report_file null"),
    # Grammar
    Case("several values without -m", ["num_keys=8,16"], "num_keys 8,16 -m"),
    Case("cannot be read", ["num_keys={{"], "num_keys name=value"),
    Case("no value", ["num_keys"], "num_keys name=value"),
    Case("no name", ["=5"], "=5"),
    Case("interpolation of nothing", ["num_keys=${nothing}"], "num_keys nothing"),
    Case("interpolation of an unset variable", ["num_keys=${oc.env:NOT_SET}"], "num_keys NOT_SET"),
    Case("line break in a value", ["sweep_name=a\nb"], "sweep_name"),
    Case("line break in a flag", ["--no\npe"], "--no"),
    Case("control character in a value", ['sweep_name="\x1b[31mred"'], "sweep_name 200"),
    # Sweeps: nothing runs if one point is wrong
    Case("sweep: one wrong value", ["-m", "num_keys=8,0"], "num_keys 0 integer 1"),
    Case("sweep: one wrong choice", ["-m", "adapter=fs,foo"], "adapter foo fs"),
    Case("sweep: one wrong JSON", ["-m", f'adapter_json={FS},{{"a": 1}}'], "adapter_json type"),
    Case("sweep: unknown option", ["-m", "num_keys=8,16", "nmu_keys=1,2"], "nmu_keys did you mean num_keys"),
    Case("sweep: below a file", ["-m", "num_keys=8,16", "results_dir=file/x"], "results_dir file/x folder"),
    # Options of a whole sweep have one value
    *(
        Case(f"sweep: over {option}", ["-m", f"{option}=a,b", "num_keys=1"], option)
        for option in ("results_dir", "sweep_id", "sweep_name", "scratch_dir")
    ),
    # A configuration folder of the user
    Case("own: not YAML", [*OWN, "experiment=broken"], "broken"),
    Case(
        "own: wrong value and name", [*OWN, "experiment=wrong"], "num_keys 0 nmu_keys did you mean num_keys"
    ),
    Case("own: wrong grid", [*OWN, "experiment=grid"], "num_keys 0 integer 1"),
    # All errors are reported at once, and an error is reported although quiet=true
    Case("two", ["num_keys=0", "lookup_max_hit_rate=1.5"], "num_keys 0 lookup_max_hit_rate 1.5"),
    Case("three", ["quiet=no way", "seed=x", "adapter_json={"], "quiet no way seed x adapter_json"),
    Case("in two points", ["-m", "num_keys=0,-7", "rounds=0"], "num_keys 0 -7 rounds"),
    Case("quiet", ["quiet=true", "num_keys=0"], "num_keys 0 integer 1"),
    # What Hydra would do by itself before anything is checked
    Case("Hydra: unknown mode", ["hydra.mode=FOO"], "hydra.mode FOO"),
    Case("Hydra: working folder", ["hydra.run.dir=made", "num_keys=0"]),
    Case("Hydra: saving", ["hydra.output_subdir=made", "num_keys=0", f"+adapter.password={SECRET}"]),
    Case("Hydra: log file", ["hydra/job_logging=default", "num_keys=0"]),
    Case("Hydra: its launcher", ["-m", "hydra/launcher=basic", "num_keys=1,0"]),
    Case("Hydra: its sweeper", ["-m", "hydra/sweeper=basic", "num_keys=1,0"]),
    # Several hosts
    Case(
        "rendezvous without a port",
        ["cluster.rendezvous=node1", "cluster.size=2", "hosts=2"],
        "cluster.rendezvous=node1 HOST:PORT",
    ),
    Case("hosts without a rendezvous", ["hosts=2"], "hosts=2 cluster.rendezvous"),
    Case("worker without a rank", ["worker", "--", "num_keys=8"], "--rank RANK SLURM_PROCID"),
    # Credentials
    Case("secret: no fault", ["adapter=resp", f"+adapter.password={SECRET}", "num_keys=0"], "num_keys 0"),
    Case("secret: without +", [f"adapter.password={SECRET}"], "adapter.password no field"),
    Case("secret: several values", [f"+adapter.password={SECRET},x"], "adapter.password -m"),
    Case("secret: cannot be read", [f"+adapter.password={SECRET}{{"], "adapter.password name=value"),
    Case("secret: flag", [f"--password={SECRET}"], "--password"),
    Case("secret: broken JSON", [f'adapter_json={{"password": "{SECRET}", '], "adapter_json JSON"),
    Case("secret: variable", [], f"{SPEC_VARIABLE} JSON", {SPEC_VARIABLE: f'{{"password": "{SECRET}", '}),
]
TRACED = [
    Case("traced: value", ["num_keys=0"], "num_keys 0", FULL_ERROR),
    Case("traced: sweep", ["-m", "num_keys=8,0"], "num_keys 0", FULL_ERROR),
    Case("traced: flag", ["--nope"], "--nope", FULL_ERROR),
    Case("traced: secret", [f"+adapter.password={SECRET},x"], "adapter.password", FULL_ERROR),
    Case("traced: secret in a flag", [f"--password={SECRET}"], "--password", FULL_ERROR),
]

# Refused by a real process as well. One or two of each way to be refused.
AS_PROCESS = [
    case
    for case in [*WRONG, *TRACED]
    if case.name
    in (
        "num_keys=0",
        "type unknown to LMCache",
        "unknown flag",
        "line break in a value",
        "sweep: one wrong value",
        "secret: cannot be read",
        "status of a folder without its name",
        "traced: secret",
    )
]
