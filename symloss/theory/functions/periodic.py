"""Sines and cosines on the whole line: a formula that has a period is looked at over one of them.

Of one that has none, such as `r + sin(r)`, what happens along `r = phase + k T` says what it does far out.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import reduce
from math import gcd, lcm

from sympy import Expr, Poly, Rational, Symbol, cos, pi, sin
from sympy.polys.polyerrors import PolynomialError

__all__ = ["along_periods", "period_of", "turns"]

_PHASES = (0, 1, 2, 3)
"""Quarters of a turn."""


def turns(expr: Expr, variable: Symbol) -> bool:
    """Whether a formula has a sine or cosine of the variable."""
    return any(variable in node.free_symbols for node in expr.atoms(sin, cos))


def _innermost(expr: Expr, variable: Symbol) -> list[Expr]:
    """The sines and cosines of the variable that have no other inside, in a fixed order."""
    nodes = [node for node in expr.atoms(sin, cos) if variable in node.free_symbols]
    return sorted((node for node in nodes if not turns(node.args[0], variable)), key=str)


def _frequencies(expr: Expr, variable: Symbol) -> list[Rational] | None:
    """The rational `a` of all sines and cosines of `a x + b`; None where one is of something else, or there is none."""
    found = []
    for node in _innermost(expr, variable):
        try:
            argument = Poly(node.args[0], variable)
        except PolynomialError:
            return None
        if argument.degree() != 1 or not argument.LC().is_Rational:
            return None
        found.append(abs(argument.LC()))
    return found or None


def _common_turn(frequencies: list[Rational]) -> Expr:
    """The smallest length that is whole turns of all."""
    # With T = 2 pi lcm(q)/gcd(p) a frequency p/q turns (p/gcd)(lcm/q) times in T, a whole number; there is no smaller T
    # for all.
    above = reduce(gcd, (int(a.p) for a in frequencies))
    below = reduce(lcm, (int(a.q) for a in frequencies))
    return 2 * pi * Rational(below, above)


def period_of(expr: Expr, variable: Symbol) -> Expr | None:
    """A period of a formula whose variable stands in sines and cosines alone, if that is seen; None otherwise.

    >>> x = Symbol("x", real=True)
    >>> period_of(sin(2 * x / 3) ** 2 + cos(x), x), period_of(x + sin(x), x)
    (6*pi, None)
    """
    frequencies = _frequencies(expr, variable)
    if frequencies is None:
        return None
    # With every innermost sine and cosine a symbol no variable may be left: what is made of them alone has their
    # period, nested ones too.
    without = expr.xreplace({node: Symbol(f"_turn{i}") for i, node in enumerate(_innermost(expr, variable))})
    return None if variable in without.free_symbols else _common_turn(frequencies)


def along_periods(expr: Expr, variable: Symbol) -> Iterator[tuple[Rational, Expr]]:
    """A phase, in turns, and the formula without sines and cosines along `phase T + k T`, of the variable there.

    For `T` a common turn of all of them; nothing where there is none.
    """
    frequencies = _frequencies(expr, variable)
    if frequencies is None:
        return
    turn = _common_turn(frequencies)
    for quarter in _PHASES:
        phase = Rational(quarter, 4)
        # sin(a x + b) has one value at all x = phase T + k T, so that what is left is a formula without turns that
        # agrees with the first on this sequence, and has the same limit along it.
        fixed = {node: node.xreplace({variable: phase * turn}) for node in _innermost(expr, variable)}
        yield phase, expr.xreplace(fixed)
