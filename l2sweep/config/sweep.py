"""What holds for all points of a sweep: its options."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Literal

from pydantic import AfterValidator, Field
from pydantic.dataclasses import dataclass

from l2sweep.analysis.constraints import Constraint
from l2sweep.analysis.objective import OBJECTIVES
from l2sweep.config.options import (
    A_PATH,
    LARGEST,
    LONGEST_S,
    MOST,
    STRICT,
    PathText,
    Text,
    results_option,
    run_option,
    sweep_option,
)
from l2sweep.config.workload.clients import MOST_HOSTS
from l2sweep.errors import RequestError


def _require_label(text: str) -> str:
    if not text.isprintable() or not 1 <= len(text) <= 200:
        raise ValueError("not a label")
    return text


SweepId = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$")]
LATEST = "latest"
"""As ``resume``: the sweep whose manifest was written last. So no sweep can have this id."""


def _require_new_id(text: str) -> str:
    if text == LATEST:
        raise ValueError("reserved")
    return text


NewSweepId = Annotated[SweepId, AfterValidator(_require_new_id)]
SWEEP_ID = "1 to 100 letters, digits, '.', '_' and '-', starting with a letter or a digit"
MAX_POINTS = 10_000
"""A point takes about a second at least: 10,000 take three hours, and more are more likely a mistake."""

# An IPv6 address is in brackets. Not ray://HOST:PORT: the launcher must be on a node of the cluster.
_RAY_ADDRESS = r"^(auto|[^\s:/\[\]]+:[0-9]{1,5}|\[[0-9A-Fa-f:.]+\]:[0-9]{1,5})$"
_Above0 = Annotated[float, Field(gt=0, le=MOST)]


@dataclass(frozen=True, kw_only=True, config=STRICT)
class Budget:
    """What a sweep may take."""

    minutes: _Above0 | None = sweep_option(None, "no further point is started after this time", unit="min")
    disk_gb: _Above0 | None = sweep_option(
        None, "a point that would write more than this to disk is skipped", unit="10^9 bytes"
    )


@dataclass(frozen=True, kw_only=True, config=STRICT)
class Cluster:
    """The hosts that measure a sweep."""

    rendezvous: Text | None = sweep_option(
        None,
        "HOST:PORT on which this launcher listens for the workers of all hosts; HOST names the interface "
        "(docs/hosts.md)",
        allowed="HOST:PORT, or null",
    )
    size: Annotated[int, Field(ge=1, le=MOST_HOSTS)] | None = sweep_option(
        None, "number of hosts; null: as many as the points need"
    )
    wait_s: _Above0 = sweep_option(
        120.0, "how long to wait for hosts that have not joined, or were lost", unit="s", rare=True
    )


@dataclass(frozen=True, kw_only=True, config=STRICT)
class SweepConfig:
    """The options of a sweep, and of the run of a single point."""

    quiet: bool = run_option(False, "print nothing; the exit code stays")
    isolation: Literal["auto", "forkserver", "spawn"] = run_option(
        "auto",
        "forkserver: fork a point's process from one that has imported torch and LMCache; "
        "spawn: start a new interpreter; auto: fork where that is safe",
        rare=True,
    )
    service: Literal["none", "auto", "redis", "seaweedfs", "moto", "bigtable"] = run_option(
        "none",
        "start a server for each adapter whose spec names none; auto: the one that fits (docs/services.md)",
    )
    probe: bool = run_option(
        True,
        "false: do not ask the server of each spec whether it can be used, before the first point",
        rare=True,
    )
    constraints: list[Text] = sweep_option(
        [],
        "conditions such as 'num_keys * in_flight <= 256'; other points are skipped",
        allowed="a list of texts such as 'num_keys * in_flight <= 256'",
    )
    zip: list[Annotated[list[Text], Field(min_length=2)]] = sweep_option(
        [],
        "[[num_keys,in_flight]]: their values are paired instead of combined",
        allowed="a list of lists of option names, such as [[num_keys,in_flight]]",
    )
    repeats: int = sweep_option(1, "how often every point is measured", ge=1, le=1_000_000)
    max_points: int = sweep_option(
        MAX_POINTS,
        "a sweep with more points, repeats counted, is refused before it is composed",
        ge=1,
        le=1_000_000,
        rare=True,
    )
    order: Literal["grid", "random", "interleaved"] = sweep_option(
        "grid", "grid, random, or interleaved: each repeat runs the whole grid, in an order of its own"
    )
    order_seed: int = sweep_option(0, "seed of a random order", ge=0, le=LARGEST, rare=True)
    on_infeasible: Literal["skip", "fail"] = sweep_option(
        "skip", "skip, or fail the request for, points that do not fit into memory or on the disk"
    )
    on_failure: Literal["continue", "stop"] = sweep_option(
        "continue", "continue, or stop: the first point that fails ends the sweep"
    )
    dry_run: bool = sweep_option(
        False, "true: print the points, the bytes, the memory and the expected time; run nothing"
    )
    resume: SweepId | None = sweep_option(
        None,
        "latest, or a sweep_id: run the points that this sweep has not measured yet",
        allowed=f"latest, or {SWEEP_ID}, or null",
    )
    retry_failed: bool = sweep_option(True, "when resuming: run failed points again as well", rare=True)
    budget: Budget = Budget()
    lock: Literal["fail", "wait", "off"] = sweep_option(
        "fail", "while another sweep runs on this host: fail, wait for it, or off: measure all the same"
    )
    cluster: Cluster = Cluster()
    ray_address: Annotated[str, Field(pattern=_RAY_ADDRESS)] | None = sweep_option(
        None,
        "with hydra/launcher=ray: auto, or the HOST:PORT of a running Ray; null: a local one is started "
        "(docs/ray.md)",
        allowed="auto, HOST:PORT, or null",
    )
    fleet: bool = sweep_option(
        False,
        "true: every host measures every point (docs/fleet.md); false: the hosts share the grid",
    )
    fleet_order: Literal["parallel", "serial"] = sweep_option(
        "parallel", "parallel: all hosts of a fleet at the same time; serial: one host after another"
    )
    objective: Annotated[str, Field(pattern=f"^({'|'.join(OBJECTIVES)})$")] = sweep_option(
        "load_mib_per_s",
        "the number that a search optimises (docs/search.md)",
        allowed=f"one of {', '.join(OBJECTIVES)}",
        rare=True,
    )
    results_dir: PathText = results_option(
        "results",
        "folder of the records and logs, or s3://, gs:// or file:// (docs/results_anywhere.md)",
        allowed=f"{A_PATH}, or a URL",
    )
    upload_wait_s: Annotated[float, Field(ge=0, le=LONGEST_S)] = results_option(
        60.0,
        "how long a store that is away is waited for when the sweep ends; then records stay on this machine",
        unit="s",
        rare=True,
    )
    report_format: Literal["text", "json"] = results_option(
        "text",
        "text, or json: the final report alone on standard output; the progress goes to standard error",
    )
    report_file: PathText | None = results_option(
        None, "also write the final report to this file, in report_format", allowed=f"{A_PATH}, or null"
    )
    report: bool = results_option(
        False,
        "true: make a page of a sweep with several points when it ends, sweeps/ID/report.html in results_dir "
        "(docs/report.md)",
    )
    sweep_name: Annotated[str, AfterValidator(_require_label)] = results_option(
        "default", "a label of your own in every row", allowed="a text of 1 to 200 printable characters"
    )
    sweep_id: NewSweepId = results_option(
        "${l2sweep_new_sweep_id:}",
        "names the run; given by l2sweep: date, time (UTC) and four random digits",
        allowed=f"{SWEEP_ID}; not {LATEST}, which resume takes",
        rare=True,
    )
    scratch_dir: PathText = results_option(
        "${l2sweep_local_folder:${results_dir}}/scratch",
        "where the default adapter keeps its files",
        allowed=A_PATH,
        rare=True,
    )

    def contradictions(self) -> list[str]:
        """Return a sentence for each option that cannot be read or cannot be used with another."""
        problems = []
        if self.dry_run and (self.report_format == "json" or self.report_file is not None):
            problems.append("dry_run=true: goes with report_format=text and report_file=null only")
        for text in self.constraints:
            try:
                Constraint.parse(text)
            except ValueError as error:
                problems.append(f"constraints: {error}")
        return problems

    def require_few_points(self, cells: int, sizes: Mapping[str, int]) -> None:
        """Check that the sweep has at most ``max_points`` points.

        Args:
            cells: Number of points without their repeats.
            sizes: From an option to the number of its values, for the message.

        Raises:
            RequestError: It has more.
        """
        points = cells * self.repeats
        if points > self.max_points:
            factors = [f"{name}: {size} values" for name, size in sizes.items() if size > 1]
            factors += [f"repeats={self.repeats}"] if self.repeats > 1 else []
            raise RequestError(
                [
                    f"max_points={self.max_points}: must be at least the number of points, which is {points} "
                    f"({', '.join(factors)})"
                ]
            )
