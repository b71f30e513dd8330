"""The settings of a night."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from l2sweep.errors import RequestError, shown

_SET_BY_NIGHTLY = ("sweep_id", "quiet", "resume")
_OPTIONS = (
    *("results_dir", "scratch_dir", "experiment", "config_dir", "lock", "dry_run", "keep_nights", "keep_gb"),
    *("compare_nights", "min_control_fraction", "max_control_error_percent"),
)


@dataclass(frozen=True)
class Limits:
    """What is a problem of a night, and with which nights it is compared.

    Attributes:
        compare_nights: Number of previous nights to compare with.
        min_control_fraction: A control is too slow below this share of its throughput in these nights.
        max_control_error_percent: The control adapter is too inexact above this error against theory.
    """

    compare_nights: int = 7
    min_control_fraction: float = 0.5
    max_control_error_percent: float = 1.0


@dataclass(frozen=True)
class Kept:
    """Which old nights are kept.

    Attributes:
        nights: Number of sweeps with the same name.
        gb: Their largest total size, in 10^9 bytes; None: no limit.
    """

    nights: int = 60
    gb: float | None = None


@dataclass(frozen=True)
class NightlySettings:
    """The settings of a night.

    Attributes:
        results_dir: Folder of the records and of the log of all nights.
        scratch_dir: Folder where the adapters keep their files; None: in ``results_dir``.
        experiment: The experiment to run, a file in ``conf/experiment``.
        config_dir: Folder with more experiments and other config groups; None: only those of l2sweep.
        overrides: More options of the sweep, as ``name=value``.
        lock: What to do while another sweep runs on this host: fail, wait or off.
        limits: What is a problem.
        kept: Which old nights are kept.
    """

    results_dir: Path
    scratch_dir: Path | None = None
    experiment: str = "nightly_cold"
    config_dir: Path | None = None
    overrides: tuple[str, ...] = ()
    lock: str = "fail"
    limits: Limits = Limits()
    kept: Kept = Kept()

    def sweep_arguments(self, sweep_id: str) -> list[str]:
        """Return the command line of the sweep.

        Args:
            sweep_id: Id of the sweep.
        """
        scratch_dir = self.scratch_dir or self.results_dir / "scratch"
        return [
            *([] if self.config_dir is None else [f"--config-dir={self.config_dir}"]),
            *(f"experiment={self.experiment}", "sweep_name=nightly", f"sweep_id={sweep_id}"),
            *(f"lock={self.lock}", "quiet=true"),
            *(f"results_dir={self.results_dir}", f"scratch_dir={scratch_dir}"),
            *self.overrides,
        ]


def require_overrides(overrides: tuple[str, ...]) -> None:
    """Check that the extra arguments are options of a sweep that a night leaves to the user.

    Args:
        overrides: The arguments after ``--``.

    Raises:
        RequestError: An argument is not ``name=value``, or names an option that the night sets itself.
    """
    problems = []
    for override in overrides:
        name, separator, _ = override.partition("=")
        if name.startswith("-") or not (separator or name.startswith("~")):
            problems.append(f"{shown(override)}: must be an option of the sweep, as name=value")
        elif name.lstrip("+~") in _SET_BY_NIGHTLY:
            problems.append(f"{shown(override)}: cannot be given, because a night sets it")
        elif name.lstrip("+~") in _OPTIONS:
            problems.append(f"{shown(override)}: is given as --{name.lstrip('+~').replace('_', '-')}")
    if problems:
        raise RequestError([f"nightly: {problem}" for problem in problems])
