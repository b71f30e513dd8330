"""What holds for all points of a sweep: its options."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import AfterValidator, Field
from pydantic.dataclasses import dataclass

from l2sweep.analysis.objective import OBJECTIVES
from l2sweep.config.constraints import Constraint
from l2sweep.config.options import LARGEST, RESULTS, RUN, STRICT, SWEEP, PathText, option


def _require_texts(texts: list[str]) -> list[str]:
    if not all(texts):
        raise ValueError("empty")
    return texts


def _require_groups(groups: list[list[str]]) -> list[list[str]]:
    if not all(len(group) > 1 and all(group) for group in groups):
        raise ValueError("empty")
    return groups


def _require_label(text: str) -> str:
    if not text.isprintable() or not 1 <= len(text) <= 200:
        raise ValueError("not a label")
    return text


def _require_objective(name: str) -> str:
    if name not in OBJECTIVES:
        raise ValueError("unknown")
    return name


SweepId = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$")]
SWEEP_ID = "1 to 100 letters, digits, '.', '_' and '-', starting with a letter or a digit"
_Above0 = Annotated[float, Field(gt=0)]


@dataclass(frozen=True, kw_only=True, config=STRICT)
class Budget:
    """What a sweep may take."""

    minutes: _Above0 | None = option(
        None, "no further point is started after this time", section=SWEEP, unit="min"
    )
    disk_gb: _Above0 | None = option(
        None, "a point that would write more than this to disk is skipped", section=SWEEP, unit="10^9 bytes"
    )


@dataclass(frozen=True, kw_only=True, config=STRICT)
class SweepConfig:
    """The options of a sweep, and of the run of a single point."""

    quiet: bool = option(False, "print nothing; the exit code stays", section=RUN)
    isolation: Literal["auto", "forkserver", "spawn"] = option(
        "auto",
        "forkserver: fork a point's process from one that has imported torch and LMCache; "
        "spawn: start a new interpreter; auto: fork where that is safe",
        section=RUN,
        rare=True,
    )
    constraints: Annotated[list[str], AfterValidator(_require_texts)] = option(
        [],
        "conditions such as 'num_keys * in_flight <= 256'; other points are skipped",
        section=SWEEP,
        allowed="a list of texts such as 'num_keys * in_flight <= 256'",
    )
    zip: Annotated[list[list[str]], AfterValidator(_require_groups)] = option(
        [],
        "[[num_keys,in_flight]]: their values are paired instead of combined",
        section=SWEEP,
        allowed="a list of lists of option names, such as [[num_keys,in_flight]]",
    )
    repeats: int = option(1, "how often every point is measured", section=SWEEP, ge=1, le=1_000_000)
    order: Literal["grid", "random", "interleaved"] = option(
        "grid",
        "grid, random, or interleaved: each repeat runs the whole grid, in an order of its own",
        section=SWEEP,
    )
    order_seed: int = option(0, "seed of a random order", section=SWEEP, ge=0, le=LARGEST, rare=True)
    on_infeasible: Literal["skip", "fail"] = option(
        "skip",
        "skip, or fail the request for, points that do not fit into memory or on the disk",
        section=SWEEP,
    )
    on_failure: Literal["continue", "stop"] = option(
        "continue", "continue, or stop: the first point that fails ends the sweep", section=SWEEP
    )
    dry_run: bool = option(
        False,
        "true: print the points, the bytes, the memory and the expected time; run nothing",
        section=SWEEP,
    )
    resume: SweepId | None = option(
        None,
        "latest, or a sweep_id: run the points that this sweep has not measured yet",
        section=SWEEP,
        allowed=f"latest, or {SWEEP_ID}, or null",
    )
    retry_failed: bool = option(
        True, "when resuming: run failed points again as well", section=SWEEP, rare=True
    )
    budget: Budget = Budget()
    lock: Literal["fail", "wait", "off"] = option(
        "fail",
        "while another sweep runs on this host: fail, wait for it, or off: measure all the same",
        section=SWEEP,
    )
    objective: Annotated[str, AfterValidator(_require_objective)] = option(
        "load_mib_per_s",
        "the number that a search optimises (docs/search.md)",
        section=SWEEP,
        allowed=f"one of {', '.join(OBJECTIVES)}",
        rare=True,
    )
    results_dir: PathText = option(
        "results", "folder of the records and logs", section=RESULTS, allowed="a path"
    )
    report_format: Literal["text", "json"] = option(
        "text",
        "text, or json: the final report alone on standard output; the progress goes to standard error",
        section=RESULTS,
    )
    report_file: PathText | None = option(
        None,
        "also write the final report to this file, in report_format",
        section=RESULTS,
        allowed="a path, or null",
    )
    sweep_name: Annotated[str, AfterValidator(_require_label)] = option(
        "default",
        "a label of your own in every row",
        section=RESULTS,
        allowed="a text of 1 to 200 printable characters",
    )
    sweep_id: SweepId = option(
        "${l2sweep_new_sweep_id:}",
        "names the run; given by l2sweep: date, time (UTC) and four random digits",
        section=RESULTS,
        allowed=SWEEP_ID,
        rare=True,
    )
    scratch_dir: PathText = option(
        "${results_dir}/scratch",
        "where the default adapter keeps its files",
        section=RESULTS,
        allowed="a path",
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
