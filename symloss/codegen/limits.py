"""The value of a formula at `y = 0`, or its limit `y -> 0+` where the value is not finite.

Leading terms are enough: near 0 every subexpression behaves as `c * y**a * (-log y)**b` with `c` free of
`y`. Growth is bounded by the size of the formula; SymPy's own `limit` is not, and is not used.
"""

from __future__ import annotations

from dataclasses import dataclass

from sympy import (
    Abs,
    Add,
    Expr,
    Integer,
    Max,
    Min,
    Mul,
    Pow,
    S,
    Symbol,
    exp,
    log,
    nan,
    oo,
    sign,
    sinh,
    tanh,
    zoo,
)

from symloss.errors import CompileError
from symloss.expr import plog, psqrt, softplus

__all__ = ["at", "at_zero"]


def at_zero(expr: Expr, y: Symbol) -> Expr:
    """`expr` at `y = 0`: its value there, else its limit from above.

    Raises:
        CompileError: when the limit is infinite or not found.
    """
    value = at(expr, y, 0)
    if value is not None:
        return value
    try:
        leading = _leading(expr, y, {})
    except _UnknownError:
        raise CompileError(
            f"expected a formula with a value at y = 0, got {expr} whose limit is not known there; "
            "multiply the part that is undefined by y"
        ) from None
    if leading.infinite:
        raise CompileError(
            f"expected a formula that is finite at y = 0, got {expr}, which is infinite there for every "
            "class but the target; write y*abs(log(p)) for abs(log(y*p)), or use the protected plog"
        )
    return leading.coefficient if leading.order == (0, 0) else Integer(0)


def at(expr: Expr, y: Symbol, number: int) -> Expr | None:
    """`expr` at `y = number`, or None where it is not finite."""
    try:
        value = expr.xreplace({y: Integer(number)})
    except ValueError:  # SymPy's Max and Min refuse to compare an infinity of unknown sign
        return None
    return None if value.has(oo, -oo, zoo, nan) else value


class _UnknownError(Exception):
    """Leading terms cancel, or the function is not covered."""


@dataclass(frozen=True)
class _Leading:
    """`coefficient * y**power * (-log y)**logs`."""

    coefficient: Expr
    power: Expr = S.Zero
    logs: Expr = S.Zero

    @property
    def order(self) -> tuple[Expr, Expr]:
        """Smaller orders dominate."""
        return self.power, -self.logs

    @property
    def infinite(self) -> bool:
        return self.coefficient != 0 and self.order < (0, 0)

    @property
    def vanishing(self) -> bool:
        return self.coefficient == 0 or self.order > (0, 0)


def _leading(expr: Expr, y: Symbol, seen: dict[Expr, _Leading]) -> _Leading:
    if expr not in seen:
        seen[expr] = _leading_of(expr, y, seen)
    return seen[expr]


def _leading_of(expr: Expr, y: Symbol, seen: dict[Expr, _Leading]) -> _Leading:
    if not expr.has(y):
        return _Leading(expr)
    if expr == y:
        return _Leading(Integer(1), Integer(1))
    parts = [_leading(arg, y, seen) for arg in expr.args]
    if isinstance(expr, Mul):
        return _Leading(
            Mul(*(part.coefficient for part in parts)),
            Add(*(part.power for part in parts)),
            Add(*(part.logs for part in parts)),
        )
    if isinstance(expr, Add):
        return _sum(parts)
    if isinstance(expr, Pow) and expr.exp.is_Rational:
        base = parts[0]
        if base.coefficient == 0:
            raise _UnknownError
        power = expr.exp
        return _Leading(base.coefficient**power, base.power * power, base.logs * power)
    if isinstance(expr, log):
        return _logarithm(parts[0])
    if isinstance(expr, Abs):
        return _Leading(Abs(parts[0].coefficient), parts[0].power, parts[0].logs)
    if isinstance(expr, Max | Min):
        return _extremum(expr.func, parts)
    return _function(expr, parts[0])


def _sum(parts: list[_Leading]) -> _Leading:
    parts = [part for part in parts if part.coefficient != 0]
    order = min(part.order for part in parts)
    coefficient = Add(*(part.coefficient for part in parts if part.order == order))
    if coefficient == 0:
        raise _UnknownError
    return _Leading(coefficient, order[0], -order[1])


def _logarithm(x: _Leading) -> _Leading:
    if x.coefficient == 0 or (x.power == 0 and x.logs != 0):
        raise _UnknownError
    if x.power != 0:
        return _Leading(-x.power, Integer(0), Integer(1))
    value = log(x.coefficient)
    if value == 0:
        raise _UnknownError
    return _Leading(value)


def _extremum(func: type, parts: list[_Leading]) -> _Leading:
    if not any(part.infinite for part in parts):
        return _Leading(func(*(Integer(0) if part.vanishing else part.coefficient for part in parts)))
    infinite = [part for part in parts if part.infinite]
    wins = [part for part in infinite if _positive(part) == (func is Max)]
    if len(wins) == 1:
        return wins[0]
    finite = [part for part in parts if not part.infinite]
    if not wins and finite:
        return _Leading(func(*(Integer(0) if part.vanishing else part.coefficient for part in finite)))
    raise _UnknownError


def _positive(part: _Leading) -> bool:
    if part.coefficient.is_positive:
        return True
    if part.coefficient.is_negative:
        return False
    raise _UnknownError


def _function(expr: Expr, x: _Leading) -> _Leading:
    func = expr.func
    if func is sign and (x.infinite or x.vanishing):
        return _Leading(sign(x.coefficient))
    if not x.infinite:
        inner = Integer(0) if x.vanishing else x.coefficient
        value = func(inner)
        if value != 0:
            return _Leading(value)
        if x.vanishing and x.coefficient != 0:  # tanh, sin and sinh vanish as their argument does
            return x
        raise _UnknownError
    if func is tanh:
        return _Leading(Integer(1) if _positive(x) else Integer(-1))
    if func is plog:
        return _logarithm(_Leading(Abs(x.coefficient), x.power, x.logs))
    if func is psqrt:
        return _Leading(Abs(x.coefficient) ** Integer(1) / 2, x.power / 2, x.logs / 2)
    if func.__name__ == "sigmoid":
        return _Leading(Integer(1) if _positive(x) else Integer(0))
    if func is softplus:
        return x if _positive(x) else _Leading(Integer(0))
    if func is exp and not _positive(x):
        return _Leading(Integer(0))
    if func in (exp, sinh) or func.__name__ == "cosh":
        raise CompileError(
            f"expected a formula that is finite at y = 0, got {expr}, which grows without bound there; "
            "multiply the part that is undefined by y, or use the protected plog"
        )
    raise _UnknownError
