"""The manifest of a sweep: saved, compared with a new request, and read in the format of earlier releases."""

from __future__ import annotations

import json
import os
import shutil
from dataclasses import asdict, replace
from pathlib import Path

import pytest
from conftest import ROOT
from shipped import point

from l2sweep.config.point import PointConfig
from l2sweep.config.sweep import SweepConfig
from l2sweep.errors import RequestError
from l2sweep.sweep.plan import Plan, PlannedPoint, SkippedPoint
from l2sweep.sweep.state.manifest import Manifest, load_manifest, sweep_folder


@pytest.fixture
def old_results(tmp_path: Path) -> str:
    """Return a copy of results of an earlier release, which belongs to the user of the test."""
    folder = tmp_path / "old"
    shutil.copytree(ROOT / "tests" / "data" / "results_v2", folder)
    return str(folder)


def config(num_keys: int, *more: str) -> PointConfig:
    return replace(point(), num_keys=num_keys, overrides=(f"num_keys={num_keys}", *more))


def plan_of(*num_keys: int, first: int = 0, skipped: tuple[SkippedPoint, ...] = ()) -> Plan:
    points = (PlannedPoint(first + cell, cell, 0, config(keys)) for cell, keys in enumerate(num_keys))
    return Plan(tuple(points), skipped)


def manifest_of(plan: Plan, *arguments: str, zipped: tuple[tuple[str, ...], ...] = ()) -> Manifest:
    return Manifest.of("mine", arguments, zipped, plan)


def save(results_dir: Path, manifest: Manifest) -> Path:
    folder = sweep_folder(SweepConfig(sweep_id=manifest.sweep_id, results_dir=str(results_dir)))
    folder.mkdir(parents=True)
    manifest.save(folder)
    return folder


def test_the_folder_of_a_sweep_has_its_id(tmp_path: Path) -> None:
    sweep = SweepConfig(sweep_id="mine", results_dir=str(tmp_path))
    assert sweep_folder(sweep) == tmp_path / "sweeps" / "mine"


def test_a_saved_manifest_is_loaded_unchanged(tmp_path: Path) -> None:
    skipped = SkippedPoint(config(8), "needs too much memory", as_asked=False)
    manifest = manifest_of(
        plan_of(2, 4, skipped=(skipped,)), "num_keys=2,4,8", zipped=(("num_keys", "in_flight"),)
    )
    folder = save(tmp_path, manifest)
    assert [path.name for path in folder.iterdir()] == ["manifest.json"]
    assert load_manifest(str(tmp_path), "mine") == manifest
    assert manifest.points[1] == {
        "index": 1,
        "repeat": 0,
        "point_id": config(4).point_id,
        "overrides": ["num_keys=4"],
    }
    assert manifest.skipped[0] == {
        "point_id": config(8).point_id,
        "overrides": ["num_keys=8"],
        "reason": "needs too much memory",
        "as_asked": False,
    }


def test_a_manifest_contains_no_credentials(tmp_path: Path) -> None:
    secret = "adapter.password=hunter2"
    plan = Plan(
        (PlannedPoint(0, 0, 0, config(2, secret)),), (SkippedPoint(config(4, secret), "no", as_asked=True),)
    )
    folder = save(tmp_path, manifest_of(plan, "num_keys=2", secret))
    text = (folder / "manifest.json").read_text()
    assert "hunter2" not in text
    assert text.count("adapter.password=***") == 3


def test_latest_is_the_manifest_that_was_written_last(tmp_path: Path) -> None:
    for sweep_id, age_s in (("b", 60), ("a", 0), ("c", 120)):
        folder = save(tmp_path, Manifest(sweep_id, [], [], []))
        os.utime(folder / "manifest.json", (1e9 - age_s, 1e9 - age_s))
    assert load_manifest(str(tmp_path), "latest").sweep_id == "a"


@pytest.mark.parametrize("resume", ["latest", "mine", "other"])
def test_a_sweep_that_does_not_exist_is_refused(tmp_path: Path, resume: str) -> None:
    (tmp_path / "sweeps" / "mine").mkdir(parents=True)
    with pytest.raises(RequestError, match=f"resume={resume}: {tmp_path} contains no such sweep"):
        load_manifest(str(tmp_path), resume)


def test_another_plan_is_added() -> None:
    skipped = SkippedPoint(config(16), "constraint num_keys < 9", as_asked=True)
    manifest = manifest_of(plan_of(2), "num_keys=2").with_more(plan_of(4, 8, first=1, skipped=(skipped,)))
    assert [entry["index"] for entry in manifest.points] == [0, 1, 2]
    assert [entry["reason"] for entry in manifest.skipped] == ["constraint num_keys < 9"]
    assert manifest.arguments == ["num_keys=2"]


def test_only_points_that_the_machine_could_not_run_are_skipped_again() -> None:
    skipped = (
        SkippedPoint(config(8), "needs too much memory", as_asked=False),
        SkippedPoint(config(16), "constraint num_keys < 9", as_asked=True),
    )
    why = manifest_of(plan_of(2, skipped=skipped)).reasons_skipped()
    assert [why(config(keys)) for keys in (2, 8, 16)] == ["", "needs too much memory", ""]


def test_the_same_plan_is_accepted_also_with_other_overrides() -> None:
    plan = plan_of(2, 4)
    again = tuple(replace(planned, config=replace(planned.config, overrides=())) for planned in plan.points)
    manifest_of(plan).require_same(replace(plan, points=again))


@pytest.mark.parametrize(
    ("plan", "difference"),
    [
        (
            plan_of(2, 8),
            "1 of 2 points differ, the first is point 1: it was num_keys=4 and is now num_keys=8",
        ),
        (plan_of(2), "1 of 2 points differ, the first is point 1: it was num_keys=4 and is now none"),
        (plan_of(2, 4, 8), "1 of 3 points differ, the first is point 2: it was none and is now num_keys=8"),
        (
            plan_of(4, 2),
            "2 of 2 points differ, the first is point 0: it was num_keys=2 and is now num_keys=4",
        ),
    ],
)
def test_another_plan_is_refused_with_the_first_difference(plan: Plan, difference: str) -> None:
    with pytest.raises(
        RequestError, match="resume=mine: the request is not the one of that sweep"
    ) as refused:
        manifest_of(plan_of(2, 4)).require_same(plan)
    assert str(refused.value).endswith(difference)


def test_another_repeat_is_a_difference() -> None:
    plan = plan_of(2)
    repeated = replace(plan, points=(replace(plan.points[0], repeat=1),))
    with pytest.raises(RequestError, match="1 of 1 points differ"):
        manifest_of(plan).require_same(repeated)


def test_a_point_without_overrides_is_called_the_default_point() -> None:
    default = Plan((PlannedPoint(0, 0, 0, point()),), ())
    with pytest.raises(RequestError, match="it was the default point and is now num_keys=2"):
        manifest_of(default).require_same(plan_of(2))


def test_a_request_without_credentials_can_be_repeated() -> None:
    assert manifest_of(plan_of(2), "num_keys=2,4").repeatable_arguments() == ["num_keys=2,4"]


def test_a_request_with_credentials_must_be_given_again() -> None:
    manifest = manifest_of(plan_of(2), "num_keys=2,4", "adapter.password=hunter2")
    with pytest.raises(RequestError, match="resume=mine: the request contained credentials"):
        manifest.repeatable_arguments()


def test_a_manifest_of_schema_version_2_is_read_under_todays_names(old_results: str) -> None:
    manifest = load_manifest(old_results, "v2-killed")
    assert "memory_limit_mib=4000" in manifest.arguments
    assert "cache.max_resident_fraction=0.01" in manifest.arguments
    assert "on_infeasible=skip" in manifest.arguments
    assert len(manifest.points) == 4
    assert [entry["point_id"] for entry in manifest.skipped] == ["c3705ea983ff67ed"]
    cold = load_manifest(old_results, "v2-cold")
    assert "cache.drop_before=[load],[lookup,load]" in cold.arguments
    assert list(cold.skipped) == []


def test_a_manifest_without_skipped_points_is_read(tmp_path: Path) -> None:
    folder = save(tmp_path, manifest_of(plan_of(2)))
    content = json.loads((folder / "manifest.json").read_text())
    del content["skipped"]
    (folder / "manifest.json").write_text(json.dumps(content))
    assert list(load_manifest(str(tmp_path), "mine").skipped) == []


def problem_of(results_dir: Path, resume: str) -> str:
    with pytest.raises(RequestError) as refused:
        load_manifest(str(results_dir), resume)
    return str(refused.value)


@pytest.mark.parametrize("resume", ["mine", "latest"])
def test_a_manifest_that_others_can_write_is_not_resumed(tmp_path: Path, resume: str) -> None:
    file = save(tmp_path, Manifest("mine", ["python=/tmp/evil.sh"], [], [])) / "manifest.json"
    file.chmod(0o666)
    assert problem_of(tmp_path, resume) == (f"resume={resume}: {file} is ignored: every user can write to it")


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files to another user")
def test_a_manifest_of_another_user_is_not_resumed(tmp_path: Path) -> None:
    folder = save(tmp_path, Manifest("mine", [], [], []))
    os.chown(folder / "manifest.json", 65534, 65534)
    assert problem_of(tmp_path, "mine").endswith("manifest.json is ignored: it belongs to user 65534")


def test_a_manifest_behind_a_link_is_not_resumed(tmp_path: Path) -> None:
    save(tmp_path, Manifest("mine", [], [], []))
    (tmp_path / "sweeps" / "mine").rename(tmp_path / "elsewhere")
    (tmp_path / "sweeps" / "mine").symlink_to(tmp_path / "elsewhere")
    assert problem_of(tmp_path, "mine").endswith("it is a symbolic link")


def test_a_fifo_in_place_of_a_manifest_does_not_block(tmp_path: Path) -> None:
    (tmp_path / "sweeps" / "mine").mkdir(parents=True)
    os.mkfifo(tmp_path / "sweeps" / "mine" / "manifest.json", 0o600)
    assert problem_of(tmp_path, "latest").endswith("manifest.json is ignored: it is not a regular file")


@pytest.mark.parametrize("sweep_id", ["../../precious", "other", "", ".."])
def test_a_manifest_that_names_another_sweep_is_not_resumed(tmp_path: Path, sweep_id: str) -> None:
    folder = save(tmp_path, Manifest("mine", [], [], []))
    (folder / "manifest.json").write_text(json.dumps(asdict(Manifest(sweep_id, [], [], []))))
    assert "manifest.json cannot be read: " in problem_of(tmp_path, "mine")


def test_a_resumed_sweep_must_have_the_name_of_a_folder(tmp_path: Path) -> None:
    save(tmp_path, Manifest("mine", [], [], []))
    assert problem_of(tmp_path / "sweeps", "../../sweeps/mine").endswith("contains no such sweep")


VALID = {"sweep_id": "mine", "arguments": [], "zip": [], "points": []}


@pytest.mark.parametrize(
    "content",
    [
        "",
        "{",
        "[]",
        "null",
        "[" * 100_000,
        "\xff",
        *(json.dumps({**VALID, name: value}) for name in VALID for value in (None, 3, "text", {})),
        json.dumps({**VALID, "points": [{"index": 0, "repeat": 0, "point_id": 7, "overrides": []}]}),
        json.dumps({**VALID, "skipped": [{"point_id": "0", "overrides": [], "reason": "no"}]}),
    ],
)
def test_a_damaged_manifest_is_one_line(tmp_path: Path, content: str) -> None:
    folder = save(tmp_path, Manifest("mine", [], [], []))
    (folder / "manifest.json").write_text(content, encoding="latin-1")
    assert "manifest.json cannot be read: " in problem_of(tmp_path, "mine")
