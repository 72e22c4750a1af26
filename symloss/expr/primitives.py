"""The operators of the grammar: arity, meaning in SymPy, value on floats."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sympy import Abs, Expr, Max, Min, cos, cosh, exp, log, sign, sin, sinh, sqrt, tanh

from symloss.expr.functions import GUARD, plog, psqrt, sigmoid, softplus

__all__ = ["FUNCTIONS", "PRIMITIVES", "Primitive", "apply_body"]


@dataclass(frozen=True)
class Primitive:
    """An operator a formula may use.

    Attributes:
        name: how it is written, `name(a, ...)`.
        arity: how many arguments it takes.
        build: its meaning as a SymPy expression of its arguments.
        evaluate: its value on floats; raises `ValueError`, `OverflowError` or `ZeroDivisionError` outside
            its domain.
        infix: written between or before its arguments rather than called.
        body: of an operator registered by a user, its definition as nested tuples `(operator, operand, ...)`,
            an argument being its index (int) and a constant a float; None of a built-in one.
    """

    name: str
    arity: int
    build: Callable[..., Expr]
    evaluate: Callable[..., float]
    infix: bool = False
    body: Any = None


def _sigmoid(x: float) -> float:
    return 1 / (1 + math.exp(-x)) if x >= 0 else math.exp(x) / (1 + math.exp(x))


_GUARD = float(GUARD)

PRIMITIVES: dict[str, Primitive] = {
    primitive.name: primitive
    for primitive in (
        Primitive("add", 2, lambda a, b: a + b, lambda a, b: a + b, infix=True),
        Primitive("sub", 2, lambda a, b: a - b, lambda a, b: a - b, infix=True),
        Primitive("mul", 2, lambda a, b: a * b, lambda a, b: a * b, infix=True),
        Primitive("div", 2, lambda a, b: a / b, lambda a, b: a / b, infix=True),
        Primitive("pow", 2, lambda a, b: a**b, math.pow, infix=True),
        Primitive("neg", 1, lambda a: -a, lambda a: -a, infix=True),
        Primitive("aq", 2, lambda a, b: a / sqrt(1 + b**2), lambda a, b: a / math.hypot(1, b)),
        Primitive("min", 2, Min, min),
        Primitive("max", 2, Max, max),
        Primitive("abs", 1, Abs, abs),
        Primitive("sign", 1, sign, lambda a: (a > 0) - (a < 0)),
        Primitive("square", 1, lambda a: a**2, lambda a: a * a),
        Primitive("log", 1, log, math.log),
        Primitive("exp", 1, exp, math.exp),
        Primitive("sqrt", 1, sqrt, math.sqrt),
        Primitive("tanh", 1, tanh, math.tanh),
        Primitive("sin", 1, sin, math.sin),
        Primitive("cos", 1, cos, math.cos),
        Primitive("sinh", 1, sinh, math.sinh),
        Primitive("cosh", 1, cosh, math.cosh),
        Primitive("sigmoid", 1, sigmoid, _sigmoid),
        Primitive("softplus", 1, softplus, lambda a: max(a, 0.0) + math.log1p(math.exp(-abs(a)))),
        Primitive("relu", 1, lambda a: Max(a, 0), lambda a: max(a, 0.0)),
        Primitive("plog", 1, plog, lambda a: math.log(max(abs(a), _GUARD))),
        Primitive("psqrt", 1, psqrt, lambda a: math.sqrt(max(abs(a), _GUARD))),
    )
}
"""Every operator by name; the search speaks of infix ones by name too (`add`, `mul`)."""

FUNCTIONS: dict[str, Primitive] = {name: f for name, f in PRIMITIVES.items() if not f.infix}
"""The operators that are written as calls."""


def apply_body(body: Any, operators: Mapping[str, Callable[..., Any]], arguments: Sequence[Any]) -> Any:
    """The value of a registered operator's `body`, with built-in operators as `operators` has them.

    >>> apply_body(("add", 0, ("mul", 2.0, 0)), {"add": lambda a, b: a + b, "mul": lambda a, b: a * b}, [5])
    15.0
    """
    if isinstance(body, tuple):
        operands = [apply_body(operand, operators, arguments) for operand in body[1:]]
        return operators[body[0]](*operands)
    return arguments[body] if isinstance(body, int) else body
