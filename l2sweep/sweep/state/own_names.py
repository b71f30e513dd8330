"""The names that only l2sweep gives: the namespace of a full run, and the files of its keys.

A later run reads a journal and deletes keys because of it. These patterns say what it may delete.
"""

from __future__ import annotations

import re

from l2sweep.bench.page_cache import name_in_files

_SWEEP_ID = r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}"
# "l2sweep-", the point_id, and run_label(): PointConfig.job makes this namespace for a full run.
_FRESH_NAMESPACE = re.compile(
    rf"l2sweep-[0-9a-f]{{16}}-(?P<sweep_id>{_SWEEP_ID})"
    r"-(?P<index>[0-9]{1,9})-(?P<attempt>[0-9]{1,9})-(?P<token>[0-9a-f]{6}(-c[0-9]{3})?)"
)
# LMCache 0.5: MODEL@0xKV_RANK@GROUP@HASH.data (fs_l2_adapter.py); releases before 0.5 have no GROUP. An
# unfinished file ends with .tmp, or with .tmp.UUID (file_dynamic_nixl_store_agent.py).
_AFTER_NAMESPACE = r"@(0x)?[0-9a-f]+(@[0-9a-f]+){1,2}(\.data)?(\.tmp(\.[0-9a-f]+)?)?"


def run_label(sweep_id: str, point_index: int, attempt: int, token: str) -> str:
    """Return the end of the namespace of a full run, which no other run has.

    Args:
        sweep_id: Id of the sweep.
        point_index: Index of the point.
        attempt: Number of the attempt. An attempt that was killed is repeated under the same number.
        token: Six random hexadecimal digits. ``Job.of_client`` adds the number of a client.
    """
    return f"{sweep_id}-{point_index}-{attempt}-{token}"


def parts_of_namespace(namespace: str) -> tuple[str, int, int, str] | None:
    """Return the arguments of :func:`run_label` in a namespace of a full run; None if it is not one.

    Args:
        namespace: Model name in the keys.
    """
    found = _FRESH_NAMESPACE.fullmatch(namespace)
    return found and (found["sweep_id"], int(found["index"]), int(found["attempt"]), found["token"])


def is_file_of(name: str, namespace: str) -> bool:
    """Whether LMCache's file adapters give a file this name, for a key of a namespace or an unfinished one.

    Args:
        name: Name of the file, without its folder.
        namespace: The namespace.
    """
    pattern = re.escape(name_in_files(namespace)) + _AFTER_NAMESPACE
    return re.fullmatch(pattern, name) is not None
