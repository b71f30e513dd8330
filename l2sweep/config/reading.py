"""From a composed configuration to a checked sweep and a checked point."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import fields
from typing import Any

from l2sweep.bench.job import MORE_ADAPTERS
from l2sweep.config.adapter import servers
from l2sweep.config.adapter import spec as adapter_spec
from l2sweep.config.adapter.in_force import path_problems
from l2sweep.config.adapter.kinds import ADAPTER_KINDS, REMOTE
from l2sweep.config.adapter.several import with_more
from l2sweep.config.options import checked, no_such_option
from l2sweep.config.point import PointConfig
from l2sweep.config.point_options import PointOptions
from l2sweep.config.releases import interpreter_of
from l2sweep.config.sweep import SweepConfig
from l2sweep.config.workload.model import model_name, size_problem
from l2sweep.errors import RequestError, collected

_MISSING = "???"  # OmegaConf's mark of a value that must be given

SWEEP_OPTIONS = tuple(field.name for field in fields(SweepConfig))
POINT_OPTIONS = tuple(field.name for field in fields(PointOptions))
GROUPS = ("adapter", "adapter_json", MORE_ADAPTERS, "model")
"""Options that hold a config group, or the text that stands for one."""
_KNOWN = {*SWEEP_OPTIONS, *POINT_OPTIONS, *GROUPS}


class RequestReader:
    """Checks the composed configurations of one sweep.

    What holds for the whole sweep is checked once, as long as the configurations share it.

    Args:
        environment: The process's environment, for ``L2_ADAPTER_JSON``.
    """

    def __init__(self, environment: Mapping[str, str]) -> None:
        self._environment = environment
        self._values: list[Any] = []
        self._sweep: SweepConfig | None = None

    def read(self, config: Mapping[str, Any], overrides: Sequence[str]) -> tuple[SweepConfig, PointConfig]:
        """Check a composed configuration.

        Args:
            config: The composed configuration as plain containers, interpolations resolved.
            overrides: The command line's overrides of this point.

        Raises:
            RequestError: With everything that is wrong with it.
        """
        problems = [no_such_option(name, _KNOWN) for name in sorted(config.keys() - _KNOWN)]
        with collected(problems):
            sweep = self._read_sweep(config)
        with collected(problems):
            point = read_point(config, overrides, self._environment)
        if problems:
            raise RequestError(problems)
        return sweep, point

    def _read_sweep(self, config: Mapping[str, Any]) -> SweepConfig:
        values = [config.get(name) for name in SWEEP_OPTIONS]
        # Not ==, which takes 1 for true.
        if self._sweep is None or any(
            one is not other for one, other in zip(values, self._values, strict=True)
        ):
            self._sweep = read_sweep(config)
            self._values = values
        return self._sweep


def read_request(
    config: Mapping[str, Any], overrides: Sequence[str], environment: Mapping[str, str]
) -> tuple[SweepConfig, PointConfig]:
    """Check a single composed configuration, as :meth:`RequestReader.read` does."""
    return RequestReader(environment).read(config, overrides)


def read_sweep(config: Mapping[str, Any]) -> SweepConfig:
    """Check and return what holds for a whole sweep.

    Args:
        config: The composed configuration as plain containers; other options are ignored.

    Raises:
        RequestError: With everything that is wrong with it.
    """
    sweep = checked(SweepConfig, {name: config.get(name) for name in SWEEP_OPTIONS})
    if problems := sweep.contradictions():
        raise RequestError(problems)
    return sweep


def read_point(
    config: Mapping[str, Any], overrides: Sequence[str], environment: Mapping[str, str]
) -> PointConfig:
    """Check and return a point.

    Args:
        config: The composed configuration as plain containers; options of a sweep are ignored.
        overrides: The command line's overrides of this point.
        environment: The process's environment, for ``L2_ADAPTER_JSON``.

    Raises:
        RequestError: With everything that is wrong with it.
    """
    problems: list[str] = []
    options: PointOptions | None = None
    with collected(problems):
        options = checked(PointOptions, {name: config.get(name) for name in POINT_OPTIONS})
        problems += options.contradictions()
        problems += size_problem(config.get("model"), options.data_size_kb)
    scratch_dir = str(config.get("scratch_dir"))
    with collected(problems):
        spec = adapter_spec.choose_spec(
            config.get("adapter"), config.get("adapter_json"), overrides, environment, scratch_dir
        )
        spec = with_more(spec, config.get(MORE_ADAPTERS))
        service_option = str(config.get("service") or servers.NO_SERVICE)
        service = servers.service_of(spec, service_option, environment)
        if service:
            spec = servers.with_server(spec, service, servers.placeholder(service))
        hint = _hint(spec, service_option)
        problems += [f"{one}{hint}" for one in missing_values(spec, "adapter")]
        problems += adapter_spec.reference_problems(config, spec, GROUPS)
        if options is not None:
            problems += path_problems(
                spec, options.through, options.serde_tolerance, concurrent=options.concurrent
            )
    if problems or options is None:
        raise RequestError(problems)
    given = {name: getattr(options, name) for name in POINT_OPTIONS}
    if options.release is not None:
        given["python"] = interpreter_of(options.release)
    point = PointConfig(
        **given,
        adapter_spec=spec,
        spec_identity=adapter_spec.identity(spec, scratch_dir),
        service=service,
        model=model_name(config.get("model")),
        overrides=tuple(overrides),
    )
    if problems := point.spec_contradictions():
        raise RequestError(problems)
    return point


def _hint(spec: Mapping[str, Any], service_option: str) -> str:
    """Return how to give what is missing in a spec, after the sentence that names it."""
    adapter = f"adapter={spec.get('type')}"
    if servers.lacks_server(spec):
        if service_option == servers.NO_SERVICE:
            return " (service=auto starts a server)"
        return f" ({adapter}: service={service_option} is no server for it; service=auto starts one)"
    if ADAPTER_KINDS.get(str(spec.get("type")), REMOTE).is_destructive:
        return f" ({adapter}: a block device, or a file in the place of one; its content is overwritten)"
    return f" ({adapter})"


def missing_values(value: Any, name: str) -> list[str]:
    """Return a sentence for each value below ``name`` that must be given and is not."""
    if isinstance(value, Mapping):
        return [problem for key, item in value.items() for problem in missing_values(item, f"{name}.{key}")]
    return [f"{name}: no value given, and it has no default"] if value == _MISSING else []
