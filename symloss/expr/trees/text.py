"""A weighted tree as text in the grammar of `parse`, without SymPy: the search prints every loss."""

from __future__ import annotations

import ast
from collections.abc import Sequence

from symloss.expr.operator import Operator, apply_body
from symloss.expr.operators import OPERATORS
from symloss.expr.trees.program import Program

__all__ = ["infix", "symbols"]

_SUM, _PRODUCT, _POWER, _ATOM = range(4)
_Text = tuple[str, int]
"""A text, and the precedence of its outermost operator."""


def infix(program: Program, edges: Sequence[float], factor: float = 1.0) -> str:
    """The formula `factor * program`, its edges written out where they are not 1.

    A user's operator is written by its definition, so that the text can be read where it is not registered.

    >>> infix(Program(("mul", "y", "plog", "sub", "p", "1")), (2.0, 1.0, 1.3, 1.0, 0.5))
    '2*y*plog(1.3*(p - 0.5))'
    """
    operators = program.registry.operators
    texts: list[_Text] = [("", _ATOM)] * program.size
    for i in range(program.size - 1, -1, -1):
        operands = [_times(edges[child - 1], texts[child]) for child in program.children(i)]
        token = program.tokens[i]
        texts[i] = _node(operators[token], operands) if operands else _leaf(token)
    return _times(factor, texts[0])[0]


def symbols(text: str) -> int:
    """How many operators, functions, symbols and numbers a formula has, as `Loss.complexity` counts them.

    >>> symbols("2*y*plog(1.3*(p - 0.5))")
    10
    """
    nodes = list(ast.walk(ast.parse(text, mode="eval")))
    return sum(isinstance(node, ast.BinOp | ast.UnaryOp | ast.Constant | ast.Name) for node in nodes)


def _leaf(token: str) -> _Text:
    # -1 binds as a product does: `-1**2` would be -(1**2).
    return (token, _ATOM) if token != "-1" else ("-1", _PRODUCT)


def _node(operator: Operator, operands: Sequence[_Text]) -> _Text:
    token = operator.name
    if operator.body is not None:
        return _text(apply_body(operator.body, _inner, operands))
    if token in ("add", "sub"):
        left, right = operands
        return _sum(left, right, "+" if token == "add" else "-")
    if token == "mul":
        return f"{_within(operands[0], _PRODUCT)}*{_within(operands[1], _PRODUCT)}", _PRODUCT
    if token == "div":
        # One level more on the right: a/(b*c) is not a/b*c.
        return f"{_within(operands[0], _PRODUCT)}/{_within(operands[1], _POWER)}", _PRODUCT
    if token == "neg":
        return _negated(operands[0])
    if token == "square":
        return f"{_within(operands[0], _ATOM)}**2", _POWER
    if token == "pow":
        # Brackets on both sides: `**` groups to the right, and binds tighter than a minus before it.
        return f"{_within(operands[0], _ATOM)}**{_within(operands[1], _ATOM)}", _POWER
    return f"{token}({', '.join(text for text, _ in operands)})", _ATOM


def _sum(left: _Text, right: _Text, sign: str) -> _Text:
    text = right[0]
    if text.startswith("-") and right[1] >= _PRODUCT:
        # a - (-b) is a + b
        text, sign = text[1:], "-" if sign == "+" else "+"
    # a - (b + c); on the left of a sum, and after a plus, no brackets are needed.
    elif sign == "-" and right[1] == _SUM:
        text = f"({text})"
    return f"{left[0]} {sign} {text}", _SUM


def _times(number: float, operand: _Text) -> _Text:
    text, _ = operand
    if number == 1:
        return operand
    if number == -1:
        return _negated(operand)
    if text in ("1", "-1"):
        # A coefficient of a constant is one number: 0.5, not 0.5*1.
        value = number * float(text)
        return _number(value), _ATOM if value >= 0 else _PRODUCT
    return f"{_number(number)}*{_within(operand, _PRODUCT)}", _PRODUCT


def _negated(operand: _Text) -> _Text:
    text, binding = operand
    if text.startswith("-") and binding >= _PRODUCT:
        return text[1:], binding
    return f"-{_within(operand, _PRODUCT)}", _PRODUCT


def _within(operand: _Text, binding: int) -> str:
    """In brackets, where the operand binds less tightly than its place asks or begins with a minus."""
    text, own = operand
    return f"({text})" if own < binding or text.startswith("-") else text


def _number(value: float) -> str:
    # The shortest text that reads back as this float, so that a stored formula is the loss that was trained.
    text = repr(value)
    return text.removesuffix(".0")


def _text(operand: _Text | float) -> _Text:
    """A constant in the body of a registered operator is a bare number."""
    if isinstance(operand, tuple):
        return operand
    return _number(operand), _ATOM if operand >= 0 else _PRODUCT


def _inner(name: str, *operands: _Text | float) -> _Text:
    return _node(OPERATORS[name], [_text(operand) for operand in operands])
