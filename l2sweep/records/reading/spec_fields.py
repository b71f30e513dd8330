"""The fields of the adapter spec as columns, such as ``adapter.num_workers``."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import pyarrow as pa

ADAPTER = "adapter"
_INT64 = range(-(2**63), 2**63)


class SpecFields:
    """The fields of the adapter specs in a table. Each distinct spec is parsed once.

    Args:
        specs: The column ``adapter_spec``, dictionary-encoded.

    Attributes:
        specs: Each distinct spec, as a mapping. Empty for a text that is not one.
        names: The names of all columns, in the order of their first appearance.
    """

    def __init__(self, specs: pa.ChunkedArray) -> None:
        encoded = specs.combine_chunks()
        self._indices: pa.Array = encoded.indices
        self.specs = [_parsed(text) for text in encoded.dictionary.to_pylist()]
        self._flat = [dict(_leaves(ADAPTER, spec)) for spec in self.specs]
        self.names = tuple(dict.fromkeys(name for flat in self._flat for name in flat))

    def column(self, name: str) -> pa.Array:
        """Return a column. It is null where the spec does not have the field.

        Values keep their type if all specs agree on it. Otherwise they are texts.

        Args:
            name: Such as ``adapter.num_workers``.
        """
        return _array([flat.get(name) for flat in self._flat]).take(self._indices)

    def of_rows(self, rows: Sequence[int]) -> list[Mapping[str, Any]]:
        """Return the spec of each of some rows.

        Args:
            rows: Indices of the rows.
        """
        indices = self._indices.take(pa.array(rows)).to_pylist()
        return [{} if index is None else self.specs[index] for index in indices]


def _parsed(text: str | None) -> Mapping[str, Any]:
    try:
        spec = json.loads(text or "{}")
    except (ValueError, RecursionError):
        return {}
    return spec if isinstance(spec, dict) else {}


def _leaves(prefix: str, value: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    for key, inner in value.items():
        if isinstance(inner, dict):
            yield from _leaves(f"{prefix}.{key}", inner)
        else:
            yield f"{prefix}.{key}", json.dumps(inner) if isinstance(inner, list) else inner


def _array(values: Sequence[Any]) -> pa.Array:
    kinds = {type(value) for value in values if value is not None}
    if kinds == {bool}:
        return pa.array(values, pa.bool_())
    if kinds == {int} and all(value is None or value in _INT64 for value in values):
        return pa.array(values, pa.int64())
    if kinds and kinds <= {int, float}:
        return pa.array([None if value is None else float(value) for value in values], pa.float64())
    texts = [value if value is None or isinstance(value, str) else json.dumps(value) for value in values]
    return pa.array(texts, pa.string()).dictionary_encode()
