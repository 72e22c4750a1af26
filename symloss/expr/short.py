"""Numbers of few digits: not an equal loss, but one that a reader can copy and that trains alike."""

from __future__ import annotations

from sympy import Expr, Integer, N, Rational

from symloss.expr.loss import Loss

__all__ = ["shortened"]

MAX_ROUNDS = 3
"""Simplifying multiplies numbers that were short, and rounding offers new simplifications; two rounds are usual."""


def shortened(loss: Loss, digits: int = 4, *, hard_labels: bool = False) -> Loss:
    """The plainest form of a loss with every number to `digits` significant digits.

    Simplifying is exact, so that the product of two coefficients of four digits has eight; and a number such as
    `tanh(1.501)**4.572` is kept as it is written. Here each becomes one short decimal: another loss, within
    rounding of the first one, which must be trained itself before anything is said of it. Exponents that are
    whole numbers and named coefficients stay.

    Args:
        loss: the formula.
        digits: significant digits.
        hard_labels: see `Loss.simplify`.

    >>> from symloss.expr import parse
    >>> print(shortened(parse("-tanh(1.501)**4.572*y*log(1.23456*p)")))
    -0.6346*y*log(1.235*p)
    >>> print(shortened(parse("0.909*0.953*(y - p)**2", kind="regression")))
    0.8663*(y - p)**2
    """
    for _ in range(MAX_ROUNDS):
        loss = loss.simplify(hard_labels=hard_labels)
        rounded = Loss(_rounded(loss.expr, digits), loss.kind, loss.coefficients)
        if rounded.expr == loss.expr:
            return loss
        loss = rounded
    return loss


def _rounded(expr: Expr, digits: int) -> Expr:
    if expr.is_number:
        return _short(expr, digits)
    if not expr.args:
        return expr
    # Whole exponents are structure: a square stays a square.
    if expr.is_Pow and expr.exp.is_Integer:
        return _rounded(expr.base, digits) ** expr.exp
    numbers = [arg for arg in expr.args if arg.is_number] if expr.is_Mul or expr.is_Add else []
    if len(numbers) > 1:
        # `2**0.7*tanh(1.5)*p` holds one number to a reader, and two factors to SymPy.
        rest = [_rounded(arg, digits) for arg in expr.args if not arg.is_number]
        return expr.func(_short(expr.func(*numbers), digits), *rest)
    return expr.func(*(_rounded(arg, digits) for arg in expr.args))


def _short(number: Expr, digits: int) -> Expr:
    if isinstance(number, Integer) and abs(number) < 10**digits:
        return number
    value = N(number, 30)
    return Rational(f"{float(value):.{digits}g}") if value.is_real and value.is_finite else number
