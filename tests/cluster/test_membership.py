"""The rank of a worker, how many workers there are, and where they meet."""

from __future__ import annotations

import pytest

from l2sweep.cluster.membership import Membership, membership, rendezvous_address
from l2sweep.errors import RequestError

TORCHRUN = {"RANK": "2", "WORLD_SIZE": "4", "MASTER_ADDR": "10.0.0.1", "MASTER_PORT": "29500"}
SLURM = {
    "SLURM_PROCID": "1",
    "SLURM_NTASKS": "3",
    "SLURM_STEP_ID": "0",
    "SLURM_STEP_NODELIST": "node[07-09]",
    "SLURM_JOB_NODELIST": "node[05-09]",
    "SLURM_JOB_ID": "1234567",
}
KUBERNETES = {"JOB_COMPLETION_INDEX": "1"}


def found(
    environment: dict[str, str],
    *,
    rendezvous: str | None = None,
    rank: int | None = None,
    size: int | None = None,
) -> Membership:
    return membership(rendezvous=rendezvous, rank=rank, size=size, environment=environment)


def problems(
    environment: dict[str, str],
    *,
    rendezvous: str | None = None,
    rank: int | None = None,
    size: int | None = None,
) -> tuple[str, ...]:
    with pytest.raises(RequestError) as raised:
        found(environment, rendezvous=rendezvous, rank=rank, size=size)
    assert raised.value.exit_code == 2
    return raised.value.problems


def test_flags_are_enough() -> None:
    assert found({}, rendezvous="10.0.0.1:29500", rank=1, size=2) == Membership("10.0.0.1", 29500, 1, 2)


def test_flags_that_say_everything_win_over_every_environment() -> None:
    everything = {**TORCHRUN, **SLURM, **KUBERNETES}
    assert found(everything, rendezvous="a:1", rank=0, size=2) == Membership("a", 1, 0, 2)


def test_torchrun_says_everything() -> None:
    assert found(TORCHRUN) == Membership("10.0.0.1", 29500, 2, 4)


@pytest.mark.parametrize(("port", "beside"), [("29500", 29501), ("65535", 65534)])
def test_the_port_beside_that_of_torchrun_is_used_where_torchrun_listens_itself(
    port: str, beside: int
) -> None:
    own_store = {**TORCHRUN, "MASTER_PORT": port, "TORCHELASTIC_USE_AGENT_STORE": "True"}
    assert found(own_store).rendezvous_port == beside
    assert found({**own_store, "TORCHELASTIC_USE_AGENT_STORE": "False"}).rendezvous_port == int(port)
    assert found(own_store, rendezvous="a:29500").rendezvous_port == 29500


def test_slurm_meets_on_the_first_host_of_the_step_and_a_port_of_the_job() -> None:
    assert found(SLURM) == Membership("node07", 24567, 1, 3)


def test_slurm_without_a_list_of_the_step_meets_on_the_first_host_of_the_job() -> None:
    assert found({**SLURM, "SLURM_STEP_NODELIST": ""}).rendezvous_host == "node05"


def test_torchrun_below_slurm_wins() -> None:
    assert found({**SLURM, **TORCHRUN}) == Membership("10.0.0.1", 29500, 2, 4)


def test_the_address_and_the_port_can_be_set_under_slurm() -> None:
    environment = {**SLURM, "MASTER_ADDR": "node08-ib", "MASTER_PORT": "4000"}
    assert found(environment) == Membership("node08-ib", 4000, 1, 3)


def test_a_flag_overrides_one_value_of_an_environment() -> None:
    assert found(SLURM, rendezvous="other:77") == Membership("other", 77, 1, 3)


def test_kubernetes_gives_the_rank_and_flags_the_rest() -> None:
    assert found(KUBERNETES, rendezvous="l2sweep-0.l2sweep:29500", size=2) == Membership(
        "l2sweep-0.l2sweep", 29500, 1, 2
    )


def test_kubernetes_gives_the_rank_and_variables_of_the_manifest_the_rest() -> None:
    manifest = {"WORLD_SIZE": "2", "MASTER_ADDR": "l2sweep-0.l2sweep", "MASTER_PORT": "29500"}
    assert found({**KUBERNETES, **manifest}) == Membership("l2sweep-0.l2sweep", 29500, 1, 2)


@pytest.mark.parametrize("address", ["[fd00::1]", "[::1]", "[fe80::1%eth0]"])
def test_an_ipv6_address_stands_in_brackets_and_is_kept_without_them(address: str) -> None:
    assert found({}, rendezvous=f"{address}:29500", rank=0, size=1).rendezvous_host == address[1:-1]
    for written in (address, address[1:-1]):
        assert found({**TORCHRUN, "MASTER_ADDR": written}).rendezvous_host == address[1:-1]


@pytest.mark.parametrize(
    "rendezvous",
    [
        *(
            "",
            "host",
            ":1",
            "host:",
            "host:0",
            "host:65536",
            "host:x",
            "host:-1",
            "host:\u0661",
            "fd00::1:29500",
        ),
        *("[fd00::1]", "[fd00::1:29500", "[host]:1", "[fd00::zz]:1", "[]:1", "a b:1", "-a:1", "http://a:1"),
    ],
)
def test_a_wrong_rendezvous_is_named(rendezvous: str) -> None:
    (problem,) = problems({}, rendezvous=rendezvous, rank=0, size=1)
    assert problem.startswith(f"--rendezvous {rendezvous}: must be ")


@pytest.mark.parametrize(
    ("name", "text", "allowed"),
    [
        ("RANK", "-1", "a whole number from 0 to 9999"),
        ("RANK", "two", "a whole number from 0 to 9999"),
        ("RANK", "1.0", "a whole number from 0 to 9999"),
        ("WORLD_SIZE", "0", "a whole number from 1 to 10000"),
        ("WORLD_SIZE", "10001", "a whole number from 1 to 10000"),
        ("WORLD_SIZE", "9" * 5000, "a whole number from 1 to 10000"),
        ("MASTER_PORT", "0", "a whole number from 1 to 65535"),
        ("MASTER_PORT", "70000", "a whole number from 1 to 65535"),
        ("MASTER_ADDR", "a b", "a host name or an address"),
        ("MASTER_ADDR", "10.0.0.1:29500", "a host name or an address"),
    ],
)
def test_a_wrong_variable_of_torchrun_is_named(name: str, text: str, allowed: str) -> None:
    (problem,) = problems({**TORCHRUN, name: text})
    assert problem.startswith(f"{name}={text[:200]}")
    assert f": must be {allowed}" in problem


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("SLURM_PROCID", "x"),
        ("SLURM_NTASKS", "0"),
        ("SLURM_STEP_NODELIST", "node[1-"),
        ("SLURM_JOB_ID", "abc"),
    ],
)
def test_a_wrong_variable_of_slurm_is_named(name: str, text: str) -> None:
    (problem,) = problems({**SLURM, name: text})
    assert problem.startswith(f"{name}={text}: must be ")


def test_flags_outside_their_bounds_are_named() -> None:
    assert problems({}, rendezvous="a:1", rank=-1, size=0) == (
        "--rank -1: must be a whole number from 0 to 9999",
        "--size 0: must be a whole number from 1 to 10000",
    )


def test_a_rank_must_be_below_the_size() -> None:
    assert problems({}, rendezvous="a:1", rank=2, size=2) == (
        "--rank 2: must be below --size 2: ranks count from 0",
    )
    assert problems({**TORCHRUN, "RANK": "4"}) == ("RANK=4: must be below WORLD_SIZE=4: ranks count from 0",)


def test_all_that_is_missing_is_named_together() -> None:
    assert problems({}) == (
        "--rank: must be given, because none of RANK, SLURM_PROCID, JOB_COMPLETION_INDEX is set",
        "--size: must be given, because WORLD_SIZE is not set",
        "--rendezvous: must be given as HOST:PORT, because MASTER_ADDR is not set",
    )


def test_what_is_missing_under_slurm_names_the_variables_of_slurm() -> None:
    assert problems({"SLURM_PROCID": "0"}) == (
        "--size: must be given, because WORLD_SIZE and SLURM_NTASKS are not set",
        "--rendezvous: must be given as HOST:PORT, because MASTER_ADDR and SLURM_STEP_NODELIST and "
        "SLURM_JOB_NODELIST are not set",
    )
    without_job = {name: text for name, text in SLURM.items() if name != "SLURM_JOB_ID"}
    assert problems(without_job) == (
        "--rendezvous: must be given as HOST:PORT, because MASTER_PORT and SLURM_JOB_ID are not set",
    )


@pytest.mark.parametrize(
    ("environment", "flags", "problem"),
    [
        (SLURM, {"rank": 0}, "--rank 0: must be SLURM_PROCID=1, or"),
        (SLURM, {"size": 2}, "--size 2: must be SLURM_NTASKS=3, or"),
        ({**SLURM, "WORLD_SIZE": "2"}, {}, "WORLD_SIZE=2: must be SLURM_NTASKS=3, or"),
        (TORCHRUN, {"rank": 3}, "--rank 3: must be RANK=2, or"),
        (KUBERNETES, {"rank": 0, "rendezvous": "a:1"}, "--rank 0: must be JOB_COMPLETION_INDEX=1, or"),
    ],
)
def test_a_value_that_contradicts_what_started_the_worker_is_refused(
    environment: dict[str, str], flags: dict[str, int], problem: str
) -> None:
    extra = {"WORLD_SIZE": "2"} if environment is KUBERNETES else {}
    (said,) = problems({**environment, **extra}, **flags)  # type: ignore[arg-type]
    assert said.startswith(problem)


def test_a_worker_in_the_script_of_a_job_without_srun_is_refused() -> None:
    script = {name: text for name, text in SLURM.items() if "STEP" not in name}
    assert problems({**script, "SLURM_PROCID": "0"}) == (
        "SLURM_PROCID=0: must be set by srun for a step of the job: srun l2sweep worker",
    )
    assert found({**script, "SLURM_PROCID": "0", "SLURM_NTASKS": "1"}).size == 1
    assert found(script, rank=1).rank == 1


def test_a_flag_that_repeats_what_started_the_worker_is_accepted() -> None:
    assert found(SLURM, rank=1, size=3) == found(SLURM)


def test_the_address_of_an_option_is_read_as_that_of_the_flag_and_named_as_the_option() -> None:
    assert rendezvous_address("cluster.rendezvous", "[::1]:29500") == ("::1", 29500)
    with pytest.raises(RequestError, match=r"^cluster\.rendezvous=node1: must be HOST:PORT"):
        rendezvous_address("cluster.rendezvous", "node1")
