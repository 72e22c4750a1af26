"""Which margin loss of the zoo is it: `M(m) = a Z(c m) + b`, a and c > 0.

As `known_as`: a fit of slopes proposes coefficients, `scale` for c among them, which are snapped to exact numbers, and
the identity is proved by algebra. A loss that is one without `scale` is named without.
"""

from __future__ import annotations

from dataclasses import replace

from sympy import Expr, Rational, oo, sqrt

from symloss.expr import M, coefficient, to_string
from symloss.theory.certificate import Finding, proved
from symloss.theory.findings.margin import Margin, saturating
from symloss.theory.functions.algebra import shorter
from symloss.theory.functions.constants import as_float, number_sign
from symloss.theory.functions.curve import Curve
from symloss.theory.functions.pieces import pieces_of
from symloss.theory.functions.points import Point
from symloss.theory.identify.fit import Fit, loss_of_fit
from symloss.theory.identify.match import jumps, matched, slope_ratio
from symloss.zoo import Entry, entry, names

__all__ = ["SCALE", "known_margin", "scaled"]

SCALE = "scale"
"""What multiplies the margin."""


def known_margin(view: Margin) -> Finding:
    """Equality with a zoo loss of a multiple of the margin, up to a factor and a constant; else the nearest."""
    known = [entry(name, view.loss.kind) for name in names(view.loss.kind)]
    # `scale` is one coefficient more, so a loss that needs none is found without.
    return matched(
        view.loss, 2, [*known, *map(scaled, known)], lambda: _constants(view),
        lambda fit: _proof(view, fit), lambda problem: jumps(view.curve, problem),
    )  # fmt: skip


def scaled(found: Entry) -> Entry:
    """The zoo loss of a multiple of the margin.

    >>> scaled(entry("hinge")).formula
    'max(1 - m*scale, 0)'
    """
    formula = to_string(found.loss.expr.xreplace({M: coefficient(SCALE) * M}))
    return replace(
        found,
        formula=formula,
        defaults={**found.defaults, SCALE: 1.0},
        bounds={**found.bounds, SCALE: (1e-3, 1e3)},
    )


def _constants(view: Margin) -> list[Expr]:
    """Constants of the formula, and the places of its kinks, with their inverses and the like: likely coefficients."""
    numbers = view.loss.value_expr.atoms(Rational)
    kinks = {cell.right.exact for cell, _ in view.curve.parts[:-1]} - {None}
    found = {abs(number) for number in numbers | kinks if number.is_Rational}
    found |= {root for number in found if (root := sqrt(number)).is_Rational}
    found |= {1 / number for number in found if number != 0}
    found |= {number / 2 for number in found} | {abs(1 - number) for number in found}
    return sorted(found, key=lambda number: (number.count_ops(), len(str(number)), float(number)))


def _proof(view: Margin, fit: Fit) -> Finding | None:
    """The identity on the whole line, with `a` from one point and the rest by algebra."""
    theirs = saturating(loss_of_fit(fit).value_expr)
    pieces, _ = pieces_of(
        lambda r: (r.smooth(view.formula, {}), r.smooth(theirs, {})), M, Point.at(-oo), Point.at(oo)
    )
    # c stands in the fitted formula already, so the ratio of slopes is a.
    ratio = slope_ratio(pieces, M, (1.0, 0.1, 4.0))
    if ratio is None:
        return None
    factor = _simple(ratio)
    if number_sign(factor) != 1:
        return None
    line = Curve.of_pieces(M, pieces, lambda exprs: shorter(exprs[0] - factor * exprs[1])).line
    if line is None or number_sign(line.slope) != 0:
        return None
    constant = line.intercept if line.intercept.is_Rational else _simple(line.intercept)
    times = "" if factor == 1 else f"{factor} * "
    plus = "" if constant == 0 else f" + {constant}"
    return proved(f"M is {times}{fit.name}{plus}, by algebra on every smooth piece", fit.name)


def _simple(number: Expr) -> Expr:
    """A constant as the short decimal or fraction that it is next to: what is claimed with it is proved afterwards."""
    near = as_float(number)
    if number.is_Rational or near is None:
        return shorter(number)
    for candidate in (Rational(near).limit_denominator(1000), Rational(repr(round(near, 12)))):
        if abs(float(candidate) - near) <= 1e-13 * max(1.0, abs(near)):
            return candidate
    return shorter(number)
