"""The manifest of ``scripts/k8s``: what Kubernetes accepts, and what the workers need."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest
import yaml
from conftest import ROOT, RunL2Sweep

from l2sweep.cluster.membership import Membership, membership
from l2sweep.cluster.token import VARIABLE

OLDEST = "1.29"  # the first release with backoffLimitPerIndex on by default
MANIFEST = list(yaml.safe_load_all((ROOT / "scripts" / "k8s" / "l2sweep.yaml").read_text()))
BY_KIND: dict[str, Any] = {document["kind"]: document for document in MANIFEST}
JOB = BY_KIND["Job"]
POD = JOB["spec"]["template"]["spec"]
(WORKER,) = POD["containers"]


def flags_and_sweep() -> tuple[dict[str, str], list[str]]:
    """Return the flags of the worker command, and the options of the sweep behind them."""
    command, *arguments = WORKER["args"]
    assert command == "worker"
    separator = arguments.index("--")
    flags = dict(argument.removeprefix("--").split("=", 1) for argument in arguments[:separator])
    return flags, arguments[separator + 1 :]


@pytest.mark.parametrize("version", [OLDEST, kubernetes_validate.latest_version()])
@pytest.mark.parametrize("document", MANIFEST, ids=lambda document: str(document["kind"]))
def test_kubernetes_knows_every_field(document: dict[str, Any], version: str) -> None:
    kubernetes_validate.validate(document, version, strict=True)


def test_a_field_that_kubernetes_does_not_know_is_found() -> None:
    wrong = copy.deepcopy(JOB)
    wrong["spec"]["template"]["spec"]["containers"][0]["argz"] = []
    with pytest.raises(kubernetes_validate.ValidationError, match="'argz' was unexpected"):
        kubernetes_validate.validate(wrong, OLDEST, strict=True)


def test_every_pod_is_a_worker_that_finds_rank_0() -> None:
    spec, service = JOB["spec"], BY_KIND["Service"]
    flags, _ = flags_and_sweep()
    assert set(flags) == {"rendezvous", "size", "wait"}
    size = int(flags["size"])
    assert spec["completions"] == spec["parallelism"] == size
    assert spec["completionMode"] == "Indexed"
    # A pod of an Indexed Job is named JOB-INDEX, and its host name is resolved below the headless service.
    host = f"{JOB['metadata']['name']}-0.{service['metadata']['name']}"
    (port,) = service["spec"]["ports"]
    (container_port,) = WORKER["ports"]
    assert port["port"] == container_port["containerPort"]
    (wait_for_name,) = POD["initContainers"]
    assert f"getent hosts {host};" in wait_for_name["command"][-1]
    assert wait_for_name["image"] == WORKER["image"]
    for rank in range(size):
        environment = {"JOB_COMPLETION_INDEX": str(rank)}
        found = membership(rendezvous=flags["rendezvous"], rank=None, size=size, environment=environment)
        assert found == Membership(host, port["port"], rank, size)


def test_the_service_is_headless_and_selects_the_pods() -> None:
    service, labels = BY_KIND["Service"]["spec"], JOB["spec"]["template"]["metadata"]["labels"]
    assert service["clusterIP"] == "None"
    assert service["selector"].items() <= labels.items()
    assert POD["subdomain"] == BY_KIND["Service"]["metadata"]["name"]
    (rule,) = POD["affinity"]["podAntiAffinity"]["requiredDuringSchedulingIgnoredDuringExecution"]
    assert rule["labelSelector"]["matchLabels"].items() <= labels.items()


def test_the_token_comes_from_a_secret_and_is_in_no_argument() -> None:
    (token,) = WORKER["env"]
    assert token["name"] == VARIABLE
    assert token["valueFrom"]["secretKeyRef"] == {"name": "l2sweep-token", "key": "token"}
    assert "Secret" not in BY_KIND


def test_the_records_are_on_a_volume_that_outlives_the_pods() -> None:
    _, sweep = flags_and_sweep()
    volumes = {volume["name"]: volume for volume in POD["volumes"]}
    mounts = {mount["mountPath"]: volumes[mount["name"]] for mount in WORKER["volumeMounts"]}
    (results,) = [text.partition("=")[2] for text in sweep if text.startswith("results_dir=")]
    # Kubernetes lets a group write to the volume, and no manifest of a sweep is read below such a folder.
    volume = str(Path(results).parent)
    claim = mounts[volume]["persistentVolumeClaim"]["claimName"]
    assert claim == BY_KIND["PersistentVolumeClaim"]["metadata"]["name"]
    assert BY_KIND["PersistentVolumeClaim"]["spec"]["accessModes"] == ["ReadWriteMany"]


def test_l2sweep_accepts_the_command_of_the_pod_with_rank_0(run_l2sweep: RunL2Sweep, tmp_path: Path) -> None:
    arguments = [
        "results_dir=results" if text.startswith("results_dir=") else text for text in WORKER["args"]
    ]
    run = run_l2sweep(*arguments, "dry_run=true", JOB_COMPLETION_INDEX="0", L2SWEEP_TOKEN="0123456789abcdef")
    assert run.exit_code == 0, run.err
    assert "3 points" in run.out


def test_rank_0_and_the_others_wait_for_each_other_equally_long() -> None:
    flags, sweep = flags_and_sweep()
    assert f"cluster.wait_s={flags['wait']}" in sweep


def test_a_worker_that_fails_does_not_end_the_others() -> None:
    assert JOB["spec"]["backoffLimitPerIndex"] == 0
    assert "backoffLimit" not in JOB["spec"]
    assert POD["restartPolicy"] == "Never"
