"""A wrong request is refused before anything happens: exit code 2, one line, nothing touched.

The requests run a few at a time, each in a folder of its own: see the fixture ``outcomes``.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

import pytest

import l2sweep

ROOT = Path(l2sweep.__file__).resolve().parent.parent
SECRET = "hunter22"  # shown by no request
SPEC_VARIABLE = "L2_ADAPTER_JSON"
FULL_ERROR = {"HYDRA_FULL_ERROR": "1"}
FS = '{"type": "fs", "base_path": "kv"}'
SERDE_INSIDE = '{"type": "fault_inject", "inner": {"type": "fs", "base_path": "k", "serde": {"type": "fp8"}}}'
LONG = "n" * 129
HUGE = "1" + "0" * 20

# What is in a request's folder before it, from path to content; a link's is "-> target".
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
    """A request, and the words that its line must have: the option, the value, what is allowed."""

    name: str
    arguments: Sequence[str]
    words: str = ""
    environment: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Outcome:
    """What a request did. ``touched``: every path that is new, gone or changed."""

    exit_code: int
    stdout: str
    stderr: str
    touched: Sequence[str]


# Option, wrong values, words for what is allowed.
VALUES = [
    ("num_keys", "0 -1 1.5 abc true null", "integer 1"),
    ("in_flight", "0", "integer 1"),
    ("data_size_kb", "0 2.5", "integer 1"),
    ("rounds", "0", "integer 1"),
    ("warmup_rounds", "-1", "integer 0"),
    ("lookup_max_hit_rate", "1.5 -0.1 nan", "number 0 1"),
    ("skip_verify", "maybe", "true false"),
    ("only", "all", "store lookup load null"),
    ("l1_align_bytes", "0", "integer 1"),
    ("seed", "-1 x", "integer 0"),
    ("namespace", f"a@b {LONG}", "128 @"),
    ("timeout_s.store", "0", "number 0"),
    ("timeout_s", "5", "store lookup load"),
    ("deadline_s", "-5", "number 0 null"),
    ("lmcache_log_level", "LOUD", "DEBUG INFO WARNING ERROR CRITICAL"),
    ("quiet", "perhaps", "true false"),
    ("sweep_id", "../x", "letters digits"),
    ("objective", "speed", "store_mib_per_s load_submit_p99_s"),
    ("cache.mode", "tepid", "hot cold"),
    ("cache.method", "magic", "auto drop_caches helper fadvise command none"),
    ("cache.command_timeout_s", "0", "number 0"),
    ("cache.max_resident", "1.5", "number 0 1"),
    ("cache.store_durable", "maybe", "true false"),
    ("cache.paths", "kv", "list paths"),
    ("budget.minutes", "0", "number 0 null"),
    ("budget.disk_gb", "-1", "number 0 null"),
]
WRONG = [
    # LMCache itself refuses these: a benchmark process is started, which takes seconds.
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
    Case("misaligned size", ["data_size_kb=3"], "data_size_kb 3 l1_align_bytes 4096"),
    Case("huge num_keys", [f"num_keys={HUGE}"], f"num_keys {HUGE}"),
    Case("huge seed", [f"seed={HUGE}", "num_keys=1"], f"seed {HUGE}"),
    Case("huge deadline_s", ["deadline_s=1e300"], "deadline_s"),
    Case("huge hit rate", [f"lookup_max_hit_rate=1{'0' * 400}"], "lookup_max_hit_rate number 0 1"),
    Case("removed option", ["~num_keys"], "num_keys integer 1"),
    # Names
    Case("unknown option", ["nmu_keys=5"], "nmu_keys option"),
    Case("unknown option with +", ["+nmu_keys=5"], "nmu_keys option"),
    Case("unknown field of the adapter", ["adapter.bas_path=x"], "adapter.bas_path option"),
    Case("unknown time-out", ["timeout_s.other=5"], "timeout_s.other option"),
    Case("unknown time-out with +", ["+timeout_s.other=5"], "timeout_s.other option"),
    Case("unknown adapter choice", ["adapter=foo"], "adapter foo fs mock resp"),
    Case("unknown experiment", ["experiment=nope"], "experiment nope smoke"),
    Case("unknown flag", ["--nope"], "--nope"),
    Case("folder of configuration not there", ["--config-dir", "nowhere"], "nowhere"),
    Case("configuration not there", ["--config-name", "nowhere"], "nowhere"),
    Case(
        "flag that would be ignored",
        ["--experimental-rerun", "nowhere", "num_keys=1"],
        "--experimental-rerun",
    ),
    # The page cache
    Case("unknown choice of cache", ["cache=tepid"], "cache tepid hot cold"),
    Case("unknown option of cache", ["cache.mthod=auto"], "cache.mthod option"),
    Case("null cache", ["cache=null"], "cache"),
    Case("command without a command", ["cache=cold", "cache.method=command"], "cache.command null command"),
    Case("command that is not used", ["cache=cold", "cache.command=sync"], "cache.command sync auto"),
    Case("dropped before a store", ["cache.between=[store]"], "cache.between store lookup load"),
    Case("hot but dropped between", ["cache.between=[load]"], "cache.between load cold"),
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
    Case("unknown type of a model", ["model=qwen3-32b", "model.dtype=int4"], "model.dtype int4 fp8"),
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
    Case("serde", ["+adapter.serde={type: fp8}"], "adapter.serde"),
    Case("serde inside", ["adapter=fault_inject", "+adapter.inner.serde.type=fp8"], "serde"),
    Case("serde inside JSON", [f"adapter_json={SERDE_INSIDE}"], "serde"),
    # Places
    Case("results_dir below a file", ["results_dir=file/results"], "results_dir file/results folder"),
    Case("results_dir is a file", ["results_dir=file"], "results_dir file folder"),
    Case("results_dir below /proc", ["results_dir=/proc/results"], "results_dir /proc/results folder"),
    Case("results_dir is a dangling link", ["results_dir=dangling"], "results_dir dangling"),
    Case("rounds is a file", ["results_dir=rounds_is_file", "num_keys=1"], "results_dir rounds"),
    Case("points is a file", ["results_dir=points_is_file", "num_keys=1"], "results_dir points"),
    Case("sweeps is a file", ["-m", "results_dir=sweeps_is_file", "num_keys=1"], "results_dir sweeps"),
    # Grammar
    Case("several values without -m", ["num_keys=8,16"], "num_keys 8,16 -m"),
    Case("cannot be read", ["num_keys={{"], "num_keys read"),
    Case("no value", ["num_keys"], "num_keys name=value"),
    Case("no name", ["=5"], "=5"),
    Case("interpolation of nothing", ["num_keys=${nothing}"], "num_keys nothing"),
    Case("interpolation of an unset variable", ["num_keys=${oc.env:NOT_SET}"], "num_keys NOT_SET"),
    Case("line break in a value", ["sweep_name=a\nb"], "sweep_name"),
    Case("line break in a flag", ["--no\npe"], "--no"),
    Case("control character in a value", ['sweep_name="\x1b[31mred"'], "sweep_name 200"),
    # Sweeps: nothing is run where one point is wrong
    Case("sweep: one wrong value", ["-m", "num_keys=8,0"], "num_keys 0 integer 1"),
    Case("sweep: one wrong choice", ["-m", "adapter=fs,foo"], "adapter foo fs"),
    Case("sweep: one wrong JSON", ["-m", f'adapter_json={FS},{{"a": 1}}'], "adapter_json type"),
    Case("sweep: unknown option", ["-m", "num_keys=8,16", "nmu_keys=1,2"], "nmu_keys option"),
    Case("sweep: below a file", ["-m", "num_keys=8,16", "results_dir=file/x"], "results_dir file/x folder"),
    # What holds for a whole sweep is not swept over
    *(
        Case(f"sweep: over {option}", ["-m", f"{option}=a,b", "num_keys=1"], option)
        for option in ("results_dir", "sweep_id", "sweep_name", "scratch_dir")
    ),
    # A folder of the user's own
    Case("own: not YAML", [*OWN, "experiment=broken"], "broken"),
    Case("own: wrong value and name", [*OWN, "experiment=wrong"], "num_keys 0 nmu_keys"),
    Case("own: wrong grid", [*OWN, "experiment=grid"], "num_keys 0 integer 1"),
    # All that is wrong is said at once, and quiet does not mean silent
    Case("two", ["num_keys=0", "lookup_max_hit_rate=1.5"], "num_keys 0 lookup_max_hit_rate 1.5"),
    Case("three", ["quiet=no way", "seed=x", "adapter_json={"], "quiet no way seed x adapter_json"),
    Case("in two points", ["-m", "num_keys=0,-7", "rounds=0"], "num_keys 0 -7 rounds"),
    Case("quiet", ["quiet=true", "num_keys=0"], "num_keys 0 integer 1"),
    # What Hydra would do of its own before anything is checked
    Case("Hydra: unknown mode", ["hydra.mode=FOO"], "hydra.mode FOO"),
    Case("Hydra: working folder", ["hydra.run.dir=made", "num_keys=0"]),
    Case("Hydra: saving", ["hydra.output_subdir=made", "num_keys=0", f"+adapter.password={SECRET}"]),
    Case("Hydra: log file", ["hydra/job_logging=default", "num_keys=0"]),
    Case("Hydra: its launcher", ["-m", "hydra/launcher=basic", "num_keys=1,0"]),
    Case("Hydra: its sweeper", ["-m", "hydra/sweeper=basic", "num_keys=1,0"]),
    # Credentials
    Case("secret: no fault", ["adapter=resp", f"+adapter.password={SECRET}", "num_keys=0"], "num_keys 0"),
    Case("secret: without +", [f"adapter.password={SECRET}"], "adapter.password no option"),
    Case("secret: several values", [f"+adapter.password={SECRET},x"], "adapter.password -m"),
    Case("secret: cannot be read", [f"+adapter.password={SECRET}{{"], "adapter.password read"),
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


@pytest.fixture(scope="module")
def outcomes(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Mapping[str, Future[Outcome]]]:
    """What came of each case that a test asks for, by its name; four of them run at a time."""
    calls = [item.callspec.params for item in request.session.items if hasattr(item, "callspec")]
    cases = [params["case"] for params in calls if isinstance(params.get("case"), Case)]
    pool = ThreadPoolExecutor(4)
    yield {case.name: pool.submit(_run, case, tmp_path_factory.mktemp("request")) for case in cases}
    pool.shutdown(cancel_futures=True)


@pytest.mark.parametrize("case", WRONG, ids=lambda case: case.name)
def test_a_wrong_request_is_one_line_and_touches_nothing(
    case: Case, outcomes: Mapping[str, Future[Outcome]]
) -> None:
    outcome = outcomes[case.name].result()

    assert (outcome.exit_code, outcome.stdout) == (2, ""), outcome
    assert outcome.stderr.startswith("l2sweep: ")
    assert outcome.stderr.endswith("\n")
    line = outcome.stderr[:-1]
    assert line.isprintable(), f"a line break or another control character: {line!r}"
    assert "Traceback" not in line
    assert SECRET not in line
    assert _missing(case.words, line) == [], line
    assert outcome.touched == []


@pytest.mark.parametrize("case", TRACED, ids=lambda case: case.name)
def test_the_traceback_is_shown_when_asked_for_and_holds_no_credential(
    case: Case, outcomes: Mapping[str, Future[Outcome]]
) -> None:
    outcome = outcomes[case.name].result()

    assert (outcome.exit_code, outcome.stdout) == (2, ""), outcome
    assert "Traceback (most recent call last)" in outcome.stderr
    last_line = outcome.stderr.splitlines()[-1]
    assert last_line.startswith("l2sweep: ")
    assert _missing(case.words, last_line) == [], last_line
    assert SECRET not in outcome.stderr
    assert outcome.touched == []


def _run(case: Case, folder: Path) -> Outcome:
    working, elsewhere = folder / "working", folder / "elsewhere"
    elsewhere.mkdir()
    for path, content in PREPARED.items():
        (working / path).parent.mkdir(parents=True, exist_ok=True)
        if content.startswith("-> "):
            (working / path).symlink_to(content.removeprefix("-> "))
        else:
            (working / path).write_text(content)
    before = _tree(folder)
    ours = (SPEC_VARIABLE, *FULL_ERROR)
    environment = {name: value for name, value in os.environ.items() if name not in ours}
    environment["PYTHONPATH"] = os.pathsep.join(filter(None, [str(ROOT), environment.get("PYTHONPATH", "")]))
    process = subprocess.run(
        [sys.executable, "-m", "l2sweep", *case.arguments],
        cwd=working,
        env={**environment, "HOME": str(elsewhere), "TMPDIR": str(elsewhere), **case.environment},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        timeout=120,
        check=False,
    )
    after = _tree(folder)
    touched = sorted(path for path in {*before, *after} if before.get(path) != after.get(path))
    return Outcome(process.returncode, process.stdout.decode(), process.stderr.decode(), touched)


def _tree(folder: Path) -> dict[str, object]:
    """Return every path below a folder, with what shows that a file was written to."""
    return {str(path.relative_to(folder)): _state(path) for path in folder.rglob("*")}


def _state(path: Path) -> object:
    if path.is_symlink():
        return path.readlink()
    return (path.read_bytes(), path.stat().st_mtime_ns) if path.is_file() else "folder"


def _missing(words: str, line: str) -> list[str]:
    """Return the words that do not stand in a line as words of their own: the 1 of 1.5 does not."""
    return [
        word
        for word in words.split()
        if not re.search(rf"(?<![\w-])(?<!\d\.){re.escape(word)}(?!\w|\.\d)", line)
    ]
