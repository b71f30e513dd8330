"""Random and hostile journals and manifests: no other exception than ours, and no path outside."""

from __future__ import annotations

import contextlib
import itertools
import json
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest
from fake_starter import ACCEPTED, Answer, FakeStarter
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from shipped import point

from l2sweep.bench.job import adapter_types
from l2sweep.bench.messages import Finished
from l2sweep.errors import RequestError
from l2sweep.records.owner import Host
from l2sweep.records.storage.stored_sweep import why_never_removed
from l2sweep.records.trusted_files import is_sweep_id
from l2sweep.sweep.state.journal import JournalEntry, journal_file
from l2sweep.sweep.state.leftovers import leftovers_in_words, remove_leftovers
from l2sweep.sweep.state.manifest import Manifest, UnreadableManifestError, load_manifest, read_manifest
from l2sweep.sweep.state.own_names import is_file_of, parts_of_namespace
from l2sweep.sweep.state.owned_files import OwnedFiles

# The same examples in each run: a test that fails does not pass the next time.
examples = settings(
    derandomize=True,
    database=None,
    deadline=None,
    max_examples=60,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)

HOSTILE_TEXTS = st.sampled_from(
    [
        "",
        "..",
        "../../precious",
        "/etc/passwd",
        "a/b",
        "a\0b",
        "*",
        "[x]",
        "-x",
        "\x1b[31m",
        "x" * 300,
        "\ud800",
    ]
)
TEXTS = st.one_of(st.text(max_size=20), HOSTILE_TEXTS)
VALUES = st.recursive(
    st.one_of(
        st.none(),
        st.booleans(),
        st.integers(),
        st.sampled_from([2**63, -(2**63), 10**400, -1]),
        st.floats(),
        TEXTS,
    ),
    lambda inside: st.one_of(st.lists(inside, max_size=3), st.dictionaries(TEXTS, inside, max_size=3)),
    max_leaves=6,
)
LABEL = "mine-0-1-0a0a0a"
FS = {"type": "fs", "base_path": "/no/such/folder"}
JOURNAL = json.loads(JournalEntry(Host.here(), point(adapter=FS).job(LABEL), None).to_json())
MANIFEST: dict[str, Any] = asdict(
    Manifest(
        "mine",
        ["num_keys=2"],
        [["num_keys", "in_flight"]],
        [{"index": 0, "repeat": 0, "point_id": "0" * 16, "overrides": ["num_keys=2"]}],
        [{"point_id": "1" * 16, "overrides": [], "reason": "no", "as_asked": False}],
    )
)


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a results folder with a sweep, beside a folder that nobody may change."""
    folder = tmp_path_factory.mktemp("hostile")
    (folder / "precious").mkdir()
    (folder / "precious" / "file").touch()
    (folder / "results" / "sweeps" / "mine").mkdir(parents=True)
    return folder / "results"


def paths_in(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Yield the path of each value inside of a JSON value."""
    yield path
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, inside in items:
        yield from paths_in(inside, (*path, key))


def with_value(value: Any, path: tuple[Any, ...], new: Any) -> Any:
    """Return a copy of a JSON value in which the value at a path is another one."""
    if not path:
        return new
    copied = dict(value) if isinstance(value, dict) else list(value)
    copied[path[0]] = with_value(value[path[0]], path[1:], new)
    return copied


def contents_like(real: dict[str, Any]) -> st.SearchStrategy[bytes]:
    """Return random bytes, random JSON, a real file with one other value, and a real file that is cut off."""
    text = json.dumps(real)
    changed = st.builds(
        lambda path, new: json.dumps(with_value(real, path, new)),
        st.sampled_from(list(paths_in(real))),
        VALUES,
    )
    return st.one_of(
        st.binary(max_size=40),
        VALUES.map(json.dumps).map(str.encode),
        changed.map(str.encode),
        st.integers(0, len(text)).map(lambda length: text[:length].encode()),
        st.sampled_from([b"[" * 900, b"[" * 100_000, b'{"job":' * 900, b'{"job":' * 100_000]),
    )


@examples
@given(contents_like(JOURNAL))
def test_a_journal_is_an_entry_or_a_value_error(content: bytes) -> None:
    try:
        entry = JournalEntry.from_json(content)
    except ValueError:
        return
    assert isinstance(entry.job.namespace, str)
    assert JournalEntry.from_json(entry.to_json()).job.namespace == entry.job.namespace


# A journal that is well formed: only its values are hostile.
PLUGIN = {"type": "plugin", "module_path": "evil", "class_name": "Evil"}
OWN_NAMESPACE = JOURNAL["job"]["namespace"]
NAMESPACES = [OWN_NAMESPACE, "bench-model", f"l2sweep-{'0' * 16}-other-0-1-0a0a0a", "../x", "*"]
SPECS: list[dict[str, Any]] = [
    FS,
    PLUGIN,
    {"type": "fault_inject", "inner": PLUGIN},
    {"type": "raw_block", "device_path": "/no/such/device"},
]
RANDOM_SPECS = st.dictionaries(
    st.sampled_from(["type", "base_path", "module_path", "inner", "serde"]), VALUES
)


def journal_with(namespace: str, spec: dict[str, Any], python: str | None) -> bytes:
    job = {**JOURNAL["job"], "namespace": namespace, "adapter_spec": spec}
    return json.dumps({**JOURNAL, "python": python, "job": job}).encode()


def remove_because_of(results: Path, content: bytes) -> FakeStarter:
    """Remove leftovers because of one journal, check that nothing else happens, and return the starter."""
    file = journal_file(results / "sweeps" / "mine", 0, 1, "0a0a0a")
    file.write_bytes(content)
    before = sorted(results.parent.rglob("*"))
    starter = FakeStarter(lambda _: Answer([ACCEPTED, Finished(0, "", 1, keys_removed=True)]))
    for sentence in leftovers_in_words(str(results)):
        assert sentence.isprintable()
    for sentence in remove_leftovers(str(results), starter.start, [], remove_kept=True):
        assert sentence.isprintable()
    assert set(before) - set(results.parent.rglob("*")) <= {file}
    for job in starter.jobs:
        assert parts_of_namespace(job.namespace) == ("mine", 0, 1, "0a0a0a")
        assert set(adapter_types(job.adapter_spec)) == {"fs"}
    assert {limits.python for limits in starter.limits} <= {None}
    return starter


@examples
@given(content=contents_like(JOURNAL))
def test_a_random_journal_removes_only_the_keys_of_its_own_run(results: Path, content: bytes) -> None:
    remove_because_of(results, content)


@examples
@given(spec=RANDOM_SPECS)
def test_a_journal_with_a_random_spec_removes_only_the_keys_of_its_own_run(
    results: Path, spec: dict[str, Any]
) -> None:
    remove_because_of(results, journal_with(OWN_NAMESPACE, spec, "/tmp/evil.sh"))


def test_a_hostile_journal_removes_only_the_keys_of_its_own_run(results: Path) -> None:
    for namespace, spec, python in itertools.product(NAMESPACES, SPECS, [None, "/tmp/evil.sh", ""]):
        starter = remove_because_of(results, journal_with(namespace, spec, python))
        assert len(starter.jobs) == ((namespace, spec) == (OWN_NAMESPACE, FS))


@examples
@given(content=contents_like(MANIFEST))
def test_a_manifest_is_that_of_its_folder_or_an_error_of_ours(results: Path, content: bytes) -> None:
    file = results / "sweeps" / "mine" / "manifest.json"
    file.write_bytes(content)
    with contextlib.suppress(UnreadableManifestError):
        assert read_manifest(file, str(results)).sweep_id == "mine"


@examples
@given(resume=st.one_of(TEXTS, st.sampled_from(["mine", "latest"])))
def test_a_sweep_to_resume_is_below_its_folder_or_a_wrong_request(results: Path, resume: str) -> None:
    (results / "sweeps" / "mine" / "manifest.json").write_text(json.dumps(MANIFEST))
    try:
        assert load_manifest(str(results), resume).sweep_id == "mine"
    except RequestError:
        assert resume not in ("mine", "latest")


@examples
@given(sweep_id=VALUES)
def test_the_id_in_a_row_is_one_name_or_removes_nothing(results: Path, sweep_id: Any) -> None:
    if not why_never_removed(results, sweep_id):
        assert is_sweep_id(sweep_id)
        assert (results / "sweeps" / sweep_id).resolve().parent == (results / "sweeps").resolve()


@examples
@given(namespace=TEXTS, name=TEXTS)
def test_no_other_name_is_one_of_ours(namespace: str, name: str) -> None:
    assert parts_of_namespace(namespace) is None
    assert not is_file_of(name, f"l2sweep-{'0' * 16}-{LABEL}")


@examples
@given(
    content=contents_like({"/a": {"host": "h", "device": 1, "inode": 2, "created_ns": 3, "changed_ns": 4}})
)
def test_a_hostile_list_of_owned_files_owns_no_other_file(results: Path, content: bytes) -> None:
    (results / "owned_files.json").write_bytes(content)
    assert not OwnedFiles.load(str(results)).contains(results.parent / "precious" / "file")
