"""Where a margin loss starts: at m = 0, where nothing is learned yet, or a policy is its own reference."""

from __future__ import annotations

from typing import Any

from sympy import Abs, Expr, Max, Min, Poly, Rational, factor_terms, fraction, sign, together

from symloss.expr import M, coefficient, plog, psqrt
from symloss.theory.certificate import Finding, proved, refuted, unknown
from symloss.theory.findings.guards import names_guards
from symloss.theory.findings.margin import Margin, saturating
from symloss.theory.functions.algebra import shorter
from symloss.theory.functions.constants import as_float, number_sign

__all__ = ["falls_at_start"]

_KINKED = (Abs, Max, Min, sign, plog, psqrt)


@names_guards
def falls_at_start(view: Margin) -> Finding:
    """`M'(0) < 0`."""
    start = view.start
    if start is None:
        return unknown("a kink lies at the start, m = 0")
    direction = number_sign(start)
    if direction is None:
        return unknown("the sign of M'(0) is open")
    words, between = _said(start), None
    if direction:
        between = _while_sign_lasts(view)
    if between is not None:
        name, low, high = between
        words += f", {'positive' if direction > 0 else 'negative'} for every {_range(name, low, high)}"
    if direction < 0:
        return proved(words, -start)
    witness: dict[str, Any] = {"m": 0.0, "slope": as_float(start)}
    if between is not None:
        name, low, high = between
        witness |= {"coefficient": name, "above": _float_or_none(low), "below": _float_or_none(high)}
    return refuted(words, witness, -start)


def _said(start: Expr) -> str:
    near = as_float(start)
    return f"M'(0) = {start}" if start.is_Rational or near is None else f"M'(0) = {start} = {near:.6g}"


def _float_or_none(value: Expr | None) -> float | None:
    return None if value is None else as_float(value)


def _range(name: str, low: Expr | None, high: Expr | None) -> str:
    ends = [
        None if end is None else f"{end}" + ("" if end.is_Rational else f" = {as_float(end):.6g}")
        for end in (low, high)
    ]
    if ends[0] is None:
        return f"{name} below {ends[1]}"
    return f"{name} above {ends[0]}" if ends[1] is None else f"{name} between {ends[0]} and {ends[1]}"


def _while_sign_lasts(view: Margin) -> tuple[str, Expr | None, Expr | None] | None:
    """The one named coefficient of the loss and the stretch of its values on which `M'(0)` keeps its sign.

    Where `M'(0)` is a fraction of polynomials of degree one in it: between its zeros and poles nothing changes.
    """
    named, formula = view.loss.coefficients, view.loss.expr
    if len(named) != 1 or formula.has(*_KINKED):
        return None
    (name,) = named
    symbol = coefficient(name)
    slope = together(shorter(saturating(formula).diff(M).subs(M, 0)))
    if not slope.has(symbol):
        return None
    breaks = []
    for part in fraction(slope):
        if not part.has(symbol):
            continue
        if not part.is_polynomial(symbol) or Poly(part, symbol).degree() != 1:
            return None
        # a + b c vanishes at c = -a/b, with a its value at 0 and a + b that at 1.
        zero = shorter(part.subs(symbol, 0) / (part.subs(symbol, 0) - part.subs(symbol, 1)))
        breaks.append(factor_terms(zero, sign=False))
    here = Rational(repr(named[name]))
    below = [each for each in breaks if number_sign(here - each) == 1]
    above = [each for each in breaks if number_sign(here - each) == -1]
    if len(below) + len(above) != len(breaks):
        return None
    return name, max(below, key=float, default=None), min(above, key=float, default=None)
