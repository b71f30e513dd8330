"""Options that had another name or value in an earlier release."""

from __future__ import annotations

RENAMED_OPTIONS = {
    "memory_limit_mb": "memory_limit_mib",
    "cache.between": "cache.drop_before",
    "cache.max_resident": "cache.max_resident_fraction",
}
"""From the old name to the new one. An old name on a command line is refused with the new one."""

_RENAMED_VALUES = {("on_infeasible", "prune"): "skip"}


def current_override(override: str) -> str:
    """Return an override of an earlier release as it is given today: for a manifest that is resumed.

    Args:
        override: ``name=value``, as a manifest holds it.
    """
    name, separator, value = override.partition("=")
    sign = name[: len(name) - len(name.lstrip("+~"))]
    name = name[len(sign) :]
    name = RENAMED_OPTIONS.get(name, name)
    return f"{sign}{name}{separator}{_RENAMED_VALUES.get((name, value), value)}"
