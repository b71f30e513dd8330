"""Conditions on a point's fields, such as ``num_keys * in_flight <= 256``, evaluated without eval().

A condition is small: its text, its number of parts, its depth, and each number that is computed. So it takes
a bounded number of operations on bounded values, whatever it is.
"""

from __future__ import annotations

import ast
import difflib
import math
import operator
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from l2sweep.errors import shown

_ARITHMETIC: dict[type[ast.AST], Callable[[Any, Any], Any]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.FloorDiv: operator.floordiv,
    ast.Mod: operator.mod,
    ast.Pow: operator.pow,
}
_ORDER: dict[type[ast.AST], Callable[[Any, Any], bool]] = {
    ast.Lt: operator.lt,
    ast.LtE: operator.le,
    ast.Gt: operator.gt,
    ast.GtE: operator.ge,
}
_EQUALITY: dict[type[ast.AST], Callable[[Any, Any], bool]] = {ast.Eq: operator.eq, ast.NotEq: operator.ne}
_MEMBERSHIP: dict[type[ast.AST], Callable[[Any, Any], bool]] = {
    ast.In: lambda item, container: item in container,
    ast.NotIn: lambda item, container: item not in container,
}
_SIGNS: dict[type[ast.AST], Callable[[Any], Any]] = {ast.USub: operator.neg, ast.UAdd: operator.pos}
_NODES = (
    *(ast.BoolOp, ast.And, ast.Or, ast.UnaryOp, ast.Not, ast.BinOp, ast.Compare),
    *(ast.Name, ast.Attribute, ast.Constant, ast.Tuple, ast.List, ast.Load),
    *_SIGNS,
    *_ARITHMETIC,
    *_ORDER,
    *_EQUALITY,
    *_MEMBERSHIP,
)
_ALLOWED = "numbers, texts, fields of a point, + - * / // % **, comparisons, in, and, or, not"

# A condition over every option of a point, each compared once, has 900 characters and 160 nodes.
_MOST_CHARACTERS = 2_000
_MOST_NODES = 400
_DEEPEST = 40
# More than the bytes of any sweep. A power of it that is still computed has at most 64 x 100 bits.
_LARGEST = 10**30
_LARGEST_EXPONENT = 64

_Number = (int, float)


@dataclass(frozen=True)
class Constraint:
    """A condition that a point must meet.

    Attributes:
        text: The condition, as it was given.
        expression: The parsed and checked condition.
    """

    text: str
    expression: ast.expr

    @classmethod
    def parse(cls, text: str) -> Constraint:
        """Read a condition.

        Raises:
            ValueError: The text is no condition; the message says what is allowed.
        """
        named = f"'{shown(text)}'"
        if len(text) > _MOST_CHARACTERS:
            raise ValueError(f"{named}: must have at most {_MOST_CHARACTERS} characters, and not {len(text)}")
        try:
            with warnings.catch_warnings(action="ignore"):  # of a text such as "\d"
                expression = ast.parse(text.strip(), mode="eval").body
        except (SyntaxError, ValueError, RecursionError, MemoryError):
            raise ValueError(f"{named} cannot be read; allowed are {_ALLOWED}") from None
        problem = _why_too_large(expression) or next(
            filter(None, map(_why_refused, ast.walk(expression))), ""
        )
        if problem:
            raise ValueError(f"{named}: {problem}")
        return cls(text, expression)

    @property
    def names(self) -> frozenset[str]:
        """The fields that the condition names, such as ``num_keys`` or ``adapter.num_workers``."""
        inside: set[ast.AST] = set()
        found: set[str] = set()
        for node in ast.walk(self.expression):  # an attribute comes before the name that it belongs to
            if isinstance(node, ast.Attribute):
                inside.add(node.value)
            if isinstance(node, (ast.Attribute, ast.Name)) and node not in inside:
                found.add(ast.unparse(node))
        return frozenset(found)

    def holds(self, fields: Mapping[str, Any]) -> bool:
        """Whether a point meets the condition.

        Args:
            fields: The point's fields; a dot reaches into a mapping (``adapter.num_workers``).

        Raises:
            ValueError: The point lacks a field that is named, or the condition cannot be computed.
        """
        try:
            return bool(_evaluate(self.expression, fields))
        except _CannotComputeError as error:
            raise ValueError(f"'{shown(self.text)}': {error}") from None


class _CannotComputeError(Exception):
    """A condition has no value for a point; the message says why."""


def _why_too_large(expression: ast.expr) -> str:
    """Return why an expression is too large or too deep to be evaluated; empty if it is not."""
    level: list[ast.AST] = [expression]
    nodes = depth = 0
    while level:
        nodes, depth = nodes + len(level), depth + 1
        if nodes > _MOST_NODES:
            return f"must have at most {_MOST_NODES} operators, names and values"
        if depth > _DEEPEST:
            return f"must be nested at most {_DEEPEST} levels deep"
        level = [child for node in level for child in ast.iter_child_nodes(node)]
    return ""


def _why_refused(node: ast.AST) -> str:
    """Return why a part of an expression is not allowed; empty if it is."""
    if not isinstance(node, _NODES):
        return f"{type(node).__name__} is not allowed; allowed are {_ALLOWED}"
    if not isinstance(node, ast.Constant) or node.value is None or isinstance(node.value, str):
        return ""
    if not isinstance(node.value, _Number):
        return f"{type(node.value).__name__} is not allowed; allowed are {_ALLOWED}"
    return "" if _is_bounded(node.value) else f"a number must be from {-_LARGEST:.0e} to {_LARGEST:.0e}"


def _evaluate(node: ast.expr, fields: Mapping[str, Any]) -> Any:
    if isinstance(node, ast.Constant):
        return node.value
    if isinstance(node, ast.Name):
        return _field(fields, node.id, "a point")
    if isinstance(node, ast.Attribute):
        return _field(_evaluate(node.value, fields), node.attr, ast.unparse(node.value))
    if isinstance(node, (ast.Tuple, ast.List)):
        return [_evaluate(item, fields) for item in node.elts]
    if isinstance(node, ast.BinOp):
        left, right = _evaluate(node.left, fields), _evaluate(node.right, fields)
        return _computed(node, _ARITHMETIC[type(node.op)], left, right)
    if isinstance(node, ast.UnaryOp):
        operand = _evaluate(node.operand, fields)
        if isinstance(node.op, ast.Not):
            return not operand
        return _computed(node, _SIGNS[type(node.op)], operand)
    if isinstance(node, ast.BoolOp):
        values = (bool(_evaluate(value, fields)) for value in node.values)
        return all(values) if isinstance(node.op, ast.And) else any(values)
    assert isinstance(node, ast.Compare)
    left = _evaluate(node.left, fields)
    for comparison, right_node in zip(node.ops, node.comparators, strict=True):
        right = _evaluate(right_node, fields)
        if not _compare(node, type(comparison), left, right):
            return False
        left = right
    return True


def _field(fields: Any, name: str, owner: str) -> Any:
    if not isinstance(fields, Mapping):
        raise _CannotComputeError(f"{owner} is {_kind(fields)} and has no field {name}")
    if name not in fields:
        close = difflib.get_close_matches(name, [str(one) for one in fields], n=1)
        raise _CannotComputeError(
            f"{owner} has no field {name}" + (f"; did you mean {close[0]}?" if close else "")
        )
    return fields[name]


def _computed(node: ast.expr, operate: Callable[..., Any], *operands: Any) -> int | float:
    """Return the result of an arithmetic operation: a bounded number, computed from bounded numbers."""
    for operand in operands:
        _require_number(node, operand)
    if operate is operator.pow and abs(operands[1]) > _LARGEST_EXPONENT:
        raise _CannotComputeError(f"{ast.unparse(node)}: an exponent must be at most {_LARGEST_EXPONENT}")
    try:
        result = operate(*operands)
    except ZeroDivisionError:
        raise _CannotComputeError(f"{ast.unparse(node)}: division by zero") from None
    except OverflowError:
        result = math.inf
    if not isinstance(result, _Number) or result != result:  # nan
        raise _CannotComputeError(f"{ast.unparse(node)}: the result is not a number")
    if not _is_bounded(result):
        raise _CannotComputeError(f"{ast.unparse(node)}: the result is above {_LARGEST:.0e}")
    return result


def _compare(node: ast.expr, comparison: type[ast.AST], left: Any, right: Any) -> bool:
    if comparison in _EQUALITY:
        return _EQUALITY[comparison](left, right)
    if comparison in _ORDER:
        _require_number(node, left)
        _require_number(node, right)
        return _ORDER[comparison](left, right)
    is_text_in_text = isinstance(left, str) and isinstance(right, str)
    is_key = isinstance(left, str) and isinstance(right, Mapping)
    if not (isinstance(right, (list, tuple)) or is_text_in_text or is_key):
        raise _CannotComputeError(f"{ast.unparse(node)}: {_kind(left)} cannot be in {_kind(right)}")
    return _MEMBERSHIP[comparison](left, right)


def _require_number(node: ast.expr, value: Any) -> None:
    if not isinstance(value, _Number) or isinstance(value, bool):
        raise _CannotComputeError(f"{ast.unparse(node)}: needs numbers, and {shown(value)} is {_kind(value)}")
    if not _is_bounded(value):  # a field of the adapter's spec
        raise _CannotComputeError(f"{ast.unparse(node)}: {shown(value)} is above {_LARGEST:.0e}")


def _is_bounded(value: int | float) -> bool:
    return -_LARGEST <= value <= _LARGEST


def _kind(value: Any) -> str:
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true or false"
    if isinstance(value, _Number):
        return "a number"
    if isinstance(value, str):
        return "a text"
    return "a group of fields" if isinstance(value, Mapping) else "a list"
