"""Conditions on a point's fields, such as ``num_keys * in_flight <= 256``, evaluated without eval()."""

from __future__ import annotations

import ast
import operator
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

_ARITHMETIC: dict[type[ast.AST], Callable[[Any, Any], Any]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.FloorDiv: operator.floordiv,
    ast.Mod: operator.mod,
    ast.Pow: lambda base, exponent: _power(base, exponent),
}
_COMPARISONS: dict[type[ast.AST], Callable[[Any, Any], bool]] = {
    ast.Eq: operator.eq,
    ast.NotEq: operator.ne,
    ast.Lt: operator.lt,
    ast.LtE: operator.le,
    ast.Gt: operator.gt,
    ast.GtE: operator.ge,
    ast.In: lambda item, container: item in container,
    ast.NotIn: lambda item, container: item not in container,
}
_SIGNS: dict[type[ast.AST], Callable[[Any], Any]] = {
    ast.Not: operator.not_,
    ast.USub: operator.neg,
    ast.UAdd: operator.pos,
}
_ALLOWED = "numbers, texts, fields of a point, + - * / // % **, comparisons, in, and, or, not"
_LARGEST_EXPONENT = 64


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
        try:
            expression = ast.parse(text, mode="eval").body
        except (SyntaxError, ValueError):
            raise ValueError(f"{text!r} cannot be read; allowed are {_ALLOWED}") from None
        for node in ast.walk(expression):
            if not isinstance(node, _NODES):
                raise ValueError(f"{text!r}: {type(node).__name__} is not allowed; allowed are {_ALLOWED}")
        return cls(text, expression)

    def holds(self, fields: Mapping[str, Any]) -> bool:
        """Whether a point meets the condition.

        Args:
            fields: The point's fields; a dot reaches into a mapping (``adapter.num_workers``).

        Raises:
            ValueError: The point lacks a field that is named, or the condition cannot be computed.
        """
        try:
            return bool(_evaluate(self.expression, fields))
        except (KeyError, TypeError, ZeroDivisionError, OverflowError) as error:
            reason = f"no field {error}" if isinstance(error, KeyError) else str(error)
            raise ValueError(f"{self.text!r}: {reason}") from None


_NODES = (
    *(ast.BoolOp, ast.And, ast.Or, ast.UnaryOp, ast.BinOp, ast.Compare),
    *(ast.Name, ast.Attribute, ast.Constant, ast.Tuple, ast.List, ast.Load),
    *_SIGNS,
    *_ARITHMETIC,
    *_COMPARISONS,
)


def _evaluate(node: ast.expr, fields: Mapping[str, Any]) -> Any:
    if isinstance(node, ast.Constant):
        return node.value
    if isinstance(node, ast.Name):
        return fields[node.id]
    if isinstance(node, ast.Attribute):
        return _evaluate(node.value, fields)[node.attr]
    if isinstance(node, (ast.Tuple, ast.List)):
        return [_evaluate(item, fields) for item in node.elts]
    if isinstance(node, ast.BinOp):
        return _ARITHMETIC[type(node.op)](_evaluate(node.left, fields), _evaluate(node.right, fields))
    if isinstance(node, ast.UnaryOp):
        return _SIGNS[type(node.op)](_evaluate(node.operand, fields))
    if isinstance(node, ast.BoolOp):
        values = (bool(_evaluate(value, fields)) for value in node.values)
        return all(values) if isinstance(node.op, ast.And) else any(values)
    assert isinstance(node, ast.Compare)
    left = _evaluate(node.left, fields)
    for comparison, right_node in zip(node.ops, node.comparators, strict=True):
        right = _evaluate(right_node, fields)
        if not _COMPARISONS[type(comparison)](left, right):
            return False
        left = right
    return True


def _power(base: Any, exponent: Any) -> Any:
    if abs(exponent) > _LARGEST_EXPONENT:
        raise OverflowError(f"an exponent above {_LARGEST_EXPONENT}")
    return base**exponent
