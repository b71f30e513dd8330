"""Sweeps whose results go into a real S3 store, and into one of files."""

from __future__ import annotations

import re
import signal
import subprocess
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest
from conftest import start_l2sweep, wait_for
from real_servers import running
from stores import BUCKET, ResultsStore, machine, spooled

import l2sweep
from l2sweep.records.store.address import StoreAddress
from l2sweep.records.store.object_store import ObjectStore

GRID = ("-m", "adapter=mock", "num_keys=2,4", "data_size_kb=64", "rounds=2")
SLOW = (
    "-m",
    "adapter=mock",
    "num_keys=8,16,32",
    "data_size_kb=1024",
    "rounds=2",
    "adapter.mock_bandwidth_gb=0.02",
)


@dataclass
class Machine:
    """A machine that uses a store."""

    folder: Path
    environment: Mapping[str, str]

    def start(self, *arguments: str, **changes: str) -> subprocess.Popen[str]:
        return start_l2sweep(self.folder, *arguments, **{**self.environment, **changes})

    def run(self, *arguments: str, **changes: str) -> tuple[int, str, str]:
        """Run l2sweep, and return its exit code and what it printed on both streams."""
        process = self.start(*arguments, **changes)
        out, err = process.communicate(timeout=300)
        return process.returncode, out, err

    @property
    def spool(self) -> Path:
        (folder,) = spooled(self.environment)
        return folder


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ResultsStore]:
    server = ResultsStore(tmp_path_factory.mktemp("store"))
    with running(server), pytest.MonkeyPatch.context() as patch:
        server.make_bucket()
        for name, value in server.environment.items():
            patch.setenv(name, value)
        yield server


@pytest.fixture
def url(request: pytest.FixtureRequest) -> str:
    """Return a URL for this test alone."""
    return f"s3://{BUCKET}/{re.sub('[^a-z0-9]+', '-', request.node.name)}/results"


@pytest.fixture
def on(tmp_path: Path, store: ResultsStore) -> Callable[[str], Machine]:
    """Return a machine by its name."""

    def made(name: str) -> Machine:
        environment = machine(tmp_path, name, store)
        folder = tmp_path / name / "cwd"
        folder.mkdir(exist_ok=True)
        return Machine(folder, environment)

    return made


def test_a_sweep_is_read_from_its_store_as_from_its_folder(on: Callable[[str], Machine], url: str) -> None:
    here, there = on("here"), on("there")
    place = f"results_dir={url}"
    code, out, err = here.run(*GRID, place, "report=true", "sweep_id=mine", "sweep_name=nightly")
    assert code == 0, out + err
    assert f'l2sweep.load_rounds("{url}", sweep="mine")' in out
    assert list(here.folder.iterdir()) == []  # all is in the spool folder
    assert l2sweep.load_rounds(url).equals(l2sweep.load_rounds(here.spool))
    assert l2sweep.load_points(url, sweep="name:nightly").equals(l2sweep.load_points(here.spool))
    for command in ("summary", "history"):
        of_store = there.run(command, f"{url}@latest")
        assert of_store == here.run(command, "latest", "--results-dir", str(here.spool))
        assert of_store[0] == 0, of_store
    code, out, _ = there.run("status", "--results-dir", url)
    assert (code, out.splitlines()[1].split()) == (0, ["mine", "2", "2", "0", "0", "0"])
    assert there.run(*GRID, place, "sweep_id=other")[0] == 0
    code, out, _ = there.run("list", "--results-dir", url)
    assert (code, [line.split()[0] for line in out.splitlines()]) == (0, ["sweep", "mine", "other"])
    assert there.run("compare", f"{url}@mine", f"{url}@other", "--threshold", "900%")[0] == 0
    code, out, err = there.run("report", f"{url}@mine", "-o", "report.html")
    assert code == 0, err
    assert (there.folder / "report.html").stat().st_size > 100_000


def test_a_store_of_files_is_used_as_one_with_a_server(on: Callable[[str], Machine], tmp_path: Path) -> None:
    here, there = on("here"), on("there")
    url = f"file://{tmp_path}/store"
    code, out, err = here.run(*GRID, f"results_dir={url}", "sweep_id=mine")
    assert code == 0, out + err
    assert l2sweep.load_rounds(url).equals(l2sweep.load_rounds(here.spool))
    assert l2sweep.load_rounds(url).equals(l2sweep.load_rounds(tmp_path / "store"))  # nothing else is there
    code, out, _ = there.run("resume=latest", f"results_dir={url}")
    assert (code, "2 measured before" in out) == (0, True)


def test_nothing_secret_is_in_a_file_or_printed(
    on: Callable[[str], Machine], url: str, store: ResultsStore
) -> None:
    here = on("here")
    code, out, err = here.run(*GRID, f"results_dir={url}")
    assert code == 0, err
    files = [path for path in here.spool.rglob("*") if path.is_file()]
    assert len(files) > 5
    for text in (out, err, *(path.read_bytes().decode(errors="replace") for path in files)):
        assert store.secret not in text
        assert store.service.access_key_id not in text


@pytest.mark.parametrize(
    ("changes", "place", "reason"),
    [
        (
            {"AWS_SECRET_ACCESS_KEY": "TOPSECRET"},
            "",
            "cannot be used (PutObject: the secret of the access key is",
        ),
        ({"AWS_ACCESS_KEY_ID": "TOPSECRET"}, "", "cannot be used (PutObject: the access key is unknown)"),
        ({}, "s3://no-such-bucket/a", "there is no bucket no-such-bucket"),
        ({}, "file:///proc/nights", "cannot be used (its folder cannot be created)"),
        (
            {"AWS_ENDPOINT_URL": "http://localhost:1"},
            "",
            "cannot be reached (HeadBucket: NETWORK_CONNECTION: ",
        ),
        ({}, "s3://me:TOPSECRET@nights/a", "results_dir: a URL must be s3://BUCKET/PREFIX, "),
    ],
)
def test_a_store_that_cannot_be_used_is_refused_in_one_line_before_anything_runs(
    on: Callable[[str], Machine], url: str, changes: dict[str, str], place: str, reason: str
) -> None:
    here = on("here")
    code, out, err = here.run(*GRID, f"results_dir={place or url}", **changes)
    assert code == 2
    assert err.startswith("l2sweep: ")
    assert reason in err
    assert len(err.splitlines()) == 1
    assert "TOPSECRET" not in out + err
    assert not [path for folder in spooled(here.environment) for path in folder.rglob("*") if path.is_file()]


@pytest.mark.parametrize(
    ("changes", "place", "reason"),
    [
        (
            {"AWS_SECRET_ACCESS_KEY": "TOPSECRET"},
            "",
            "(ListObjectsV2: the secret of the access key is wrong)",
        ),
        ({"AWS_ACCESS_KEY_ID": "TOPSECRET"}, "", "(ListObjectsV2: the access key is unknown)"),
        ({}, "s3://no-such-bucket/a", "(there is no bucket no-such-bucket)"),
    ],
)
@pytest.mark.parametrize("command", ["summary", "list", "status"])
def test_a_store_that_cannot_be_read_is_refused_in_one_line_with_the_cause(
    on: Callable[[str], Machine], url: str, changes: dict[str, str], place: str, reason: str, command: str
) -> None:
    code, out, err = on("here").run(command, "--results-dir", place or url, **changes)
    assert (code, out) == (2, "")
    assert err == f"l2sweep: {place or url}: the store cannot be used {reason}\n"


def test_a_failed_point_is_measured_again_on_another_machine(
    on: Callable[[str], Machine], url: str, faulty: Callable[[str], str]
) -> None:
    here, there = on("here"), on("there")
    grid = ("-m", faulty("RaisingStore"), "num_keys=2,4", "data_size_kb=64", f"results_dir={url}")
    assert here.run(*grid, FAULT_AT="2")[0] == 1
    first = l2sweep.load_points(url)
    code, out, err = there.run("resume=latest", f"results_dir={url}", FAULT_AT="99")
    assert code == 0, out + err
    points = l2sweep.load_points(url)
    assert points["attempt"].tolist() == [1, 2, 1, 2]
    assert points["status"].tolist() == ["failed", "ok", "failed", "ok"]
    assert points["sweep_id"].nunique() == first["sweep_id"].nunique() == 1
    code, out, _ = here.run("resume=latest", f"results_dir={url}")
    assert code == 0
    assert "2 measured before" in out
    assert l2sweep.load_points(url).equals(points)


def test_of_two_machines_that_resume_at_once_one_runs(on: Callable[[str], Machine], url: str) -> None:
    here, there = on("here"), on("there")
    first = here.start(*SLOW, f"results_dir={url}", "sweep_id=mine")
    wait_for(lambda: _is_listed(there, url) or None)
    first.send_signal(signal.SIGSTOP)  # it must still run when the others are refused
    try:
        code, out, _ = there.run("status", "--results-dir", url)
        assert re.search(r"^mine .* running *$", out, flags=re.MULTILINE), out
        for arguments in (("resume=mine",), (*SLOW, "sweep_id=mine")):
            code, out, err = there.run(*arguments, f"results_dir={url}")
            assert code == 2, out
            assert err.startswith(f"l2sweep: sweep mine is being run by process {first.pid} on host "), err
            assert len(err.splitlines()) == 1
    finally:
        first.send_signal(signal.SIGCONT)
    out, err = first.communicate(timeout=300)
    assert first.returncode == 0, out + err
    assert sorted(l2sweep.load_points(url)["point_index"]) == [0, 1, 2]


def _is_listed(there: Machine, url: str) -> bool:
    try:
        return len(l2sweep.load_points(url)) > 0
    except FileNotFoundError:
        return False


def test_a_store_that_stays_away_gets_everything_later(
    on: Callable[[str], Machine], url: str, store: ResultsStore
) -> None:
    here = on("here")
    place = f"results_dir={url}"
    sweep = here.start(*SLOW, place, "sweep_id=mine", "upload_wait_s=1")
    wait_for(lambda: _is_listed(here, url) or None)
    store.kill()
    try:
        out, err = sweep.communicate(timeout=300)
        assert sweep.returncode == 1, out + err
        assert "Sweep mine: 3 of 3 points measured" in out
        line = out.splitlines()[-1]
        assert re.fullmatch(
            rf"\d+ files of this sweep not in {url} yet \(.*\): l2sweep upload {url}", line
        ), line
        code, out, _ = here.run("upload", url)
        assert code == 1
        assert re.search(rf"^\d+ files of sweep mine could not be uploaded to {url}: ", out), out
    finally:
        store.start()
    assert len(l2sweep.load_points(url)) < 3
    code, out, _ = here.run("upload", url, "--remove")
    assert code == 0, out
    assert re.search(rf"^uploaded \d+ files of sweep mine to {url}\nremoved 1 sweep from ", out), out
    assert sorted(l2sweep.load_points(url)["point_index"]) == [0, 1, 2]
    assert not list(here.spool.rglob("*.parquet"))
    assert here.run("resume=mine", place)[0] == 0


def test_the_next_sweep_uploads_what_a_killed_one_left(on: Callable[[str], Machine], url: str) -> None:
    here = on("here")
    place = f"results_dir={url}"
    killed = here.start(*SLOW, place, "sweep_id=mine")
    wait_for(
        lambda: len(list(Path(here.environment["L2SWEEP_SPOOL_DIR"]).rglob("points/*/*/*.parquet"))) or None
    )
    killed.kill()
    killed.communicate()
    recorded = len(l2sweep.load_points(here.spool))
    code, out, err = here.run(*GRID, place, "sweep_id=other")
    assert code == 0, out + err
    assert len(l2sweep.load_points(url, sweep=["mine"])) == recorded
    assert len(l2sweep.load_points(url, sweep=["other"])) == 2


def test_a_sweep_does_not_wait_for_a_frozen_store_after_each_point(
    on: Callable[[str], Machine], url: str, store: ResultsStore
) -> None:
    here = on("here")
    sweep = here.start(*SLOW, f"results_dir={url}", "sweep_id=mine", "upload_wait_s=0")
    wait_for(lambda: _is_listed(here, url) or None)
    store.freeze()
    try:
        out, err = sweep.communicate(timeout=300)
    finally:
        store.thaw()
    assert sweep.returncode == 1, out + err
    assert out.count("Not uploaded yet, and tried again later: ") <= 1
    assert here.run("upload", url)[0] == 0
    assert sorted(l2sweep.load_points(url)["point_index"]) == [0, 1, 2]


def test_commands_that_change_files_refuse_a_store_in_one_line(
    on: Callable[[str], Machine], url: str
) -> None:
    here = on("here")
    assert here.run(*GRID, f"results_dir={url}", "sweep_id=mine")[0] == 0
    for arguments in (
        ("compact", f"{url}@mine"),
        ("compact", "--results-dir", url),
        ("night", "--results-dir", url, "--sweep-id", "mine"),
        ("nightly", "--results-dir", url),
    ):
        code, out, err = here.run(*arguments)
        assert (code, len(err.splitlines())) == (2, 1), out + err
        assert ": must be a local folder: " in err
    code, out, _ = here.run("clean", "--results-dir", url)
    assert (code, out.strip()) == (0, "no keys of runs that died were found")
    assert here.run("upload", "results")[0] == here.run("upload", "s3://me:pw@b/x")[0] == 2


def test_a_sweep_is_removed_from_its_store(on: Callable[[str], Machine], url: str) -> None:
    here, there = on("here"), on("there")
    for sweep_id in ("mine", "other"):
        assert here.run(*GRID, f"results_dir={url}", f"sweep_id={sweep_id}")[0] == 0
    code, out, err = there.run("remove", f"{url}@mine", "--yes")
    assert (code, err, out.splitlines()[-1]) == (0, "", "removed 1 sweep")
    assert set(l2sweep.load_points(url)["sweep_id"]) == {"other"}
    assert here.run("upload", url)[0] == 0  # the spool folder there still has it, as what was uploaded
    assert objects_of("mine", url) == []
    assert len(objects_of("other", url)) > 4
    assert here.run("remove", "other", "--results-dir", url, "--yes")[0] == 0
    assert objects_of("other", url) == []
    assert not list((here.spool / "points").rglob("other*"))


def objects_of(sweep_id: str, url: str) -> list[str]:
    """Return the keys of the objects of a sweep. A store may keep the names of empty folders."""
    store = ObjectStore(StoreAddress.parse(url))
    folders = [f"sweeps/{sweep_id}", f"sweeps/{sweep_id}/claims"]
    for data_set in ("rounds", "points"):
        folders += [f"{data_set}/{date}/{sweep_id}" for date in store.names(data_set)]
    return [f"{folder}/{name}" for folder in folders for name in store.ages_ns(folder)]


def test_a_plan_is_printed_without_asking_the_store(on: Callable[[str], Machine], url: str) -> None:
    code, out, err = on("here").run(
        *GRID, f"results_dir={url}", "dry_run=true", AWS_ENDPOINT_URL="http://localhost:1"
    )
    assert code == 0, err
    assert "num_keys=4" in out
