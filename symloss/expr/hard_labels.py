"""Shorter formulas that agree with a given one where every label is 0 or 1: there `y**2`, `sqrt(y)` and `y` are one."""

from __future__ import annotations

from collections.abc import Iterator

from sympy import Expr, Integer, Mul

from symloss.expr.symbols import Y

__all__ = ["hardened"]

MAX_DEGREE = 256
"""Largest exponent that nested powers add up to; beyond it their exact values at a label have too many digits."""


def hardened(expr: Expr) -> Iterator[Expr]:
    """Other formulas with the values of `expr` at `y = 0` and `y = 1`; to be checked before they are believed.

    >>> from sympy import log
    >>> from symloss.expr import P
    >>> [str(each) for each in hardened(Y**2 * log(P + Y))]
    ['y*log(p + 1)', 'y*log(p + 1)']
    """
    if _degree(expr) > MAX_DEGREE:
        return
    yield _walk(expr, {})
    zero, one = (expr.xreplace({Y: Integer(label)}) for label in (0, 1))
    if not _is_real(one):
        return
    if not _is_real(zero):
        return
    # On {0, 1} any function of y is f(0) + y (f(1) - f(0)): these are its shortest spellings.
    if zero == 0:
        yield Y * one
    elif one == 0:
        yield (1 - Y) * zero
    else:
        yield Y * one + (1 - Y) * zero
        # With a constant f(0) this spelling has p in one place only.
        if not zero.free_symbols:
            yield zero + Y * (one - zero)


def _walk(expr: Expr, seen: dict[Expr, Expr]) -> Expr:
    if not expr.args:
        return expr
    if expr not in seen:
        seen[expr] = _node(expr.func(*(_walk(arg, seen) for arg in expr.args)))
    return seen[expr]


def _node(expr: Expr) -> Expr:
    if expr.free_symbols == {Y}:
        zero, one = (expr.xreplace({Y: Integer(label)}) for label in (0, 1))
        # The line through the values at both labels, taken where it is shorter, as y for y**2.
        line = zero + (one - zero) * Y
        if zero.is_Rational and one.is_Rational and line.count_ops() < expr.count_ops():
            return line
    if expr.is_Mul:
        # Beside a factor y everything is at y = 1, beside 1 - y at y = 0.
        for factor, label in ((Y, 1), (1 - Y, 0)):
            # SymPy may hold 1 - y as -(y - 1): either sign is looked for, and the sign is put back.
            if any(each in (factor, -factor) for each in expr.args):
                rest = Mul(*(each for each in expr.args if each not in (factor, -factor)))
                sign = -1 if -factor in expr.args and -factor != factor else 1
                at = rest.xreplace({Y: Integer(label)})
                return sign * factor * at if _is_real(at) else expr
    return expr


def _degree(expr: Expr) -> int:
    inner = max(map(_degree, expr.args), default=1)
    return inner * max(1, abs(int(expr.exp))) if expr.is_Pow and expr.exp.is_Rational else inner


def _is_real(expr: Expr) -> bool:
    return expr.is_number is False or bool(expr.is_extended_real and expr.is_finite)
