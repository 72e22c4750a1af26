"""What a formula does at the ends of a cell: its expansions on the scales that tell, and its limits."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from fractions import Fraction

from sympy import Expr, Rational, Symbol

from symloss.theory.functions.constants import number_sign
from symloss.theory.functions.expand import expand_at
from symloss.theory.functions.growth import Growth
from symloss.theory.functions.points import Cell
from symloss.theory.functions.tail import Tail, TailError

__all__ = ["limit_at", "tail_at", "tails_at"]

_LEAST_REACH = 1 / 690
"""Nearer to infinity `exp(-|v|)` is no float."""


def tail_at(expr: Expr, variable: Symbol, cell: Cell, side: int, eps: float, fast: bool = False) -> Growth:
    """What `expr` does at the left (`side` -1) or right (1) end of `cell`.

    Args:
        fast: at infinity the variable v is `log(1/x)` for `x = exp(-|v|)`, so that exponentials are powers and of
            several none is lost; otherwise it is `1/x`, and of several exponentials the strongest is kept.

    Raises:
        TailError: where there is none.
    """
    point = cell.left if side < 0 else cell.right
    zero, one = Fraction(0), Fraction(1)
    if point.is_finite:
        at = point.exact
        # A rational point stays exact, so that terms which cancel there do; a bracket is a constant term that is an
        # interval. `x` is the distance from the point into the cell, hence the factor -side.
        here = Fraction(at.p, at.q) if isinstance(at, Rational) else (point.lo, point.hi)
        start = Tail.build([(zero, zero, here), (one, zero, Fraction(-side))], [], eps)
    elif fast:
        # v = +-L with x = exp(-|v|): |v| >= 1/eps is x <= exp(-1/eps).
        start = Tail(((zero, one, Fraction(side)),), None, math.exp(-1 / eps))
    else:
        # v = +-1/x: |v| >= 1/eps is x <= eps.
        start = Tail(((-one, zero, Fraction(side)),), None, eps)
    known = cell.zeros_left if side < 0 else cell.zeros_right

    def vanishes(node: Expr) -> bool:
        if node in known:
            return True
        return exact is not None and number_sign(node.xreplace({variable: exact})) == 0

    exact = point.exact if point.is_finite else None
    try:
        return expand_at(expr, variable, start, vanishes)
    except (OverflowError, ZeroDivisionError) as error:
        raise TailError(str(error)) from None


def tails_at(expr: Expr, variable: Symbol, cell: Cell, side: int, eps: float) -> Iterator[Growth]:
    """What `expr` does there on every scale that tells, the cheaper first."""
    is_finite = (cell.left if side < 0 else cell.right).is_finite
    for fast in (False, True):
        # On the second scale exponentials of v are powers of x, which tell `exp(-v) - exp(-2 v)` apart; powers of v are
        # those of L.
        if fast and (is_finite or eps <= _LEAST_REACH):
            return
        try:
            yield tail_at(expr, variable, cell, side, eps, fast)
        except TailError:
            continue


def limit_at(
    expr: Expr, variable: Symbol, cell: Cell, side: int, reaches: Iterable[float]
) -> tuple[float, float] | None:
    """The ends of an interval around a one-sided limit at an end of `cell`; None where it is not settled."""
    for eps in reaches:
        for tail in tails_at(expr, variable, cell, side, eps):
            try:
                return tail.limit()
            except TailError:
                continue
    return None
