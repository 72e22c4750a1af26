"""Formulas at real numbers by mpmath, with no SymPy in between; what is not real raises `NotReal`."""

from __future__ import annotations

import ast
from collections.abc import Callable

import mpmath as mp

__all__ = ["NotReal", "value"]

_HUGE = mp.mpf(10) ** 200
_GUARD = mp.mpf(10) ** -7


class NotReal(Exception):
    """The formula has no real value there."""


def value(text: str, y: mp.mpf, p: mp.mpf) -> mp.mpf:
    """`text`, a formula of the grammar, at `y` and `p`; infinite where it overflows."""
    return _value(ast.parse(text, mode="eval").body, {"y": y, "p": p})


def _value(node: ast.expr, names: dict[str, mp.mpf]) -> mp.mpf:
    if isinstance(node, ast.Name):
        return names[node.id]
    if isinstance(node, ast.Constant):
        return mp.mpf(str(node.value))
    if isinstance(node, ast.UnaryOp):
        return -_value(node.operand, names)
    if isinstance(node, ast.BinOp):
        return _INFIX[type(node.op)](_value(node.left, names), _value(node.right, names))
    assert isinstance(node, ast.Call)
    assert isinstance(node.func, ast.Name)
    return _CALLS[node.func.id](*(_value(arg, names) for arg in node.args))


def _divided(a: mp.mpf, b: mp.mpf) -> mp.mpf:
    if b == 0:
        raise NotReal
    return a / b


def _power(a: mp.mpf, b: mp.mpf) -> mp.mpf:
    if (a == 0 and b < 0) or (a < 0 and b != int(b)):
        raise NotReal
    if a > 0:
        return _exp(b * mp.log(a))
    return a ** int(b) if a else mp.mpf(b == 0)


def _log(x: mp.mpf) -> mp.mpf:
    if x <= 0:
        raise NotReal
    return mp.log(x)


def _sqrt(x: mp.mpf) -> mp.mpf:
    if x < 0:
        raise NotReal
    return mp.sqrt(x)


def _exp(x: mp.mpf) -> mp.mpf:
    if abs(x) > _HUGE:
        return mp.inf if x > 0 else mp.mpf(0)
    return mp.exp(x)


def _tanh(x: mp.mpf) -> mp.mpf:
    return mp.sign(x) if abs(x) > _HUGE else mp.tanh(x)


_INFIX: dict[type, Callable[[mp.mpf, mp.mpf], mp.mpf]] = {
    ast.Add: lambda a, b: a + b,
    ast.Sub: lambda a, b: a - b,
    ast.Mult: lambda a, b: a * b if a and b else mp.mpf(0),
    ast.Div: _divided,
    ast.Pow: _power,
}
_CALLS: dict[str, Callable[..., mp.mpf]] = {
    "abs": abs,
    "atan": mp.atan,
    "aq": lambda a, b: a / mp.sqrt(1 + b * b),
    "cos": mp.cos,
    "cosh": lambda x: (_exp(x) + _exp(-x)) / 2,
    "exp": _exp,
    "log": _log,
    "max": max,
    "min": min,
    "plog": lambda x: mp.log(max(abs(x), _GUARD)),
    "psqrt": lambda x: mp.sqrt(max(abs(x), _GUARD)),
    "relu": lambda x: max(x, mp.mpf(0)),
    "sigmoid": lambda x: 1 / (1 + _exp(-x)),
    "sign": mp.sign,
    "sin": mp.sin,
    "sinh": lambda x: mp.sinh(x) if abs(x) < _HUGE else mp.sign(x) * mp.inf,
    "softplus": lambda x: x if x > _HUGE else mp.log1p(_exp(x)),
    "sqrt": _sqrt,
    "square": lambda x: x * x,
    "tanh": _tanh,
}
