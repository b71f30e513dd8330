"""Which adapters have a server, and which service can be the server where a spec names none.

A service has another port and another password in each sweep. In the identity of a point and in its plan, the
text ``<redis>`` stands for what only the running service knows, so the identity is the same every night.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from l2sweep.errors import RequestError

NO_SERVICE, AUTO, BIGTABLE = "none", "auto", "bigtable"

_MISSING = (None, "", "???")


@dataclass(frozen=True)
class ServerFields:
    """How a type of adapter names its server.

    Attributes:
        services: Services that can be its server. ``service=auto`` takes the first.
        named_by: The field without which a spec names no server.
        fields: The fields that a service sets, without its credentials.
        credentials: The fields for credentials, which a service sets or which are left out.
        variable: An environment variable that names the server where the spec does not; empty: there is none.
    """

    services: tuple[str, ...]
    named_by: str
    fields: tuple[str, ...]
    credentials: tuple[str, ...] = ("username", "password")
    variable: str = ""


SERVER_FIELDS = {
    "resp": ServerFields(("redis",), "host", ("host", "port")),
    "valkey": ServerFields(("redis",), "startup_nodes", ("startup_nodes",)),
    "s3": ServerFields(
        ("seaweedfs", "moto"),
        "s3_endpoint",
        ("s3_endpoint", "s3_region", "disable_tls", "s3_prefer_http2"),
        ("aws_access_key_id", "aws_secret_access_key"),
    ),
    BIGTABLE: ServerFields((BIGTABLE,), "bigtable_project_id", (), (), "BT_PROJECT_ID"),
}
"""From an adapter type to how it names its server. Source: the configuration classes of LMCache 0.5.6."""


def service_of(spec: Mapping[str, Any], option: str, environment: Mapping[str, str]) -> str:
    """Return the service that is the server of a spec; empty if none is.

    Args:
        spec: The spec.
        option: The value of the option ``service``.
        environment: The process's environment.

    Raises:
        RequestError: The service cannot be started on any machine.
    """
    if option == NO_SERVICE:
        return ""
    for known in _without_server(spec):
        if environment.get(known.variable):
            continue
        service = known.services[0] if option == AUTO else option
        if service == BIGTABLE == known.services[0]:
            fields = "adapter.bigtable_project_id, bigtable_instance_id and bigtable_table_name"
            problem = "the emulator of Bigtable is not part of l2sweep: start one, and give"
            raise RequestError([f"service={option}: {problem} {fields}"])
        if service in known.services:
            return service
    return ""


def lacks_server(spec: Mapping[str, Any]) -> bool:
    """Whether a spec, or a spec inside it, names no server, and a service could be its server."""
    return any(known.services != (BIGTABLE,) for known in _without_server(spec))


def placeholder(service: str) -> Callable[[str], dict[str, Any]]:
    """Return a function from an adapter type to the fields that stand for a service in a plan.

    Args:
        service: Name of the service.
    """
    return lambda adapter_type: dict.fromkeys(SERVER_FIELDS[adapter_type].fields, f"<{service}>")


def with_server(
    spec: Mapping[str, Any], service: str, fields_of: Callable[[str], Mapping[str, Any]]
) -> dict[str, Any]:
    """Return a spec whose server is a service. A spec inside it that names a server of its own stays.

    Args:
        spec: The spec, with or without placeholders.
        service: Name of the service.
        fields_of: Returns the fields of a type of adapter that name the service.
    """
    changed = {
        name: with_server(value, service, fields_of) if isinstance(value, Mapping) else value
        for name, value in spec.items()
    }
    known = SERVER_FIELDS.get(str(spec.get("type")))
    if known is None or service not in known.services:
        return changed
    if spec.get(known.named_by) not in (*_MISSING, f"<{service}>"):
        return changed
    kept = {name: value for name, value in changed.items() if name not in known.credentials}
    return {**kept, **fields_of(str(spec["type"]))}


def _without_server(spec: Mapping[str, Any]) -> Iterator[ServerFields]:
    """Yield how the spec, and each spec inside it that names no server, would name one."""
    known = SERVER_FIELDS.get(str(spec.get("type")))
    if known is not None and spec.get(known.named_by) in _MISSING:
        yield known
    for value in spec.values():
        if isinstance(value, Mapping):
            yield from _without_server(value)
