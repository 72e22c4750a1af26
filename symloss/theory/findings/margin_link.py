"""Does a margin say how likely the label is? (Reid, Williamson, Composite binary losses, 2010.)

The risk `C(m) = h M(m) + (1 - h) M(-m)` is stationary where `h = h(m) = M'(-m)/Q(m)`, `Q(m) = M'(m) + M'(-m)`, and
`C'(m) = Q(m) (h - h(m))`. So where `Q < 0` and h(m) rises, it falls up to the one m with `h(m) = h`, and rises from
there: m is the minimiser of that h alone. Where `Q < 0`, h(m) is below 1 exactly where `M'(m) < 0`: beyond the first m
where it is not h(m) leaves [0, 1], and C rises for every h.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property
from itertools import takewhile

import numpy as np
from sympy import Expr, Poly, exp
from sympy.polys.polyerrors import PolynomialError

from symloss.expr import M, sigmoid
from symloss.theory.certificate import Finding, proved, refuted, unknown
from symloss.theory.findings.guards import names_guards
from symloss.theory.findings.margin import Margin, saturating
from symloss.theory.findings.margin_shape import is_convex
from symloss.theory.functions.algebra import shorter, vanishes
from symloss.theory.functions.constants import number_sign
from symloss.theory.functions.curve import Curve
from symloss.theory.functions.exponentials import U, exponential_form, reduced
from symloss.theory.functions.points import Point
from symloss.theory.functions.probes import MARGINS

__all__ = ["link"]

_APART = 1e-6
"""Middles of enclosures farther apart than this stand for two probabilities."""


@names_guards
def link(view: Margin) -> Finding:
    """h(m) strictly increases, and m is the unique minimiser of the risk for every h in (0, 1)."""
    slopes = _Slopes(view)
    return (
        _refuted(slopes)
        or _proved(slopes)
        or unknown("whether h(m) = M'(-m)/(M'(m) + M'(-m)) is a link is open")
    )


@dataclass(frozen=True)
class _Slopes:
    """What the risk's slope is made of, for m > 0."""

    view: Margin

    @cached_property
    def here(self) -> Curve:
        """`M'(m)`."""
        return self.view.on_pairs(lambda here, there: _plain(here.diff(M)))

    @cached_property
    def there(self) -> Curve:
        """`M'(-m)`."""
        # d/dm M(-m) = -M'(-m).
        return self.view.on_pairs(lambda here, there: _plain(-there.diff(M)))

    @cached_property
    def spread(self) -> Curve:
        """`Q(m)`."""
        return self.view.on_pairs(_q)

    @cached_property
    def ratio(self) -> Curve | None:
        """`h(m)` up to where Q vanishes identically; None where it does from the start."""
        pieces = tuple(takewhile(lambda piece: _q(*piece.exprs) != 0, self.view.pieces))
        if not pieces:
            return None
        return Curve.of_pieces(M, pieces, lambda exprs: _plain(-exprs[1].diff(M) / _q(*exprs)))

    @cached_property
    def end(self) -> Point | None:
        """The first m from which `M'(m) >= 0` on; infinity where `M' < 0` throughout, None for anything else."""
        pattern = self.here.pattern
        signs = [span.sign for span in pattern]
        first = next((i for i, each in enumerate(signs) if each != -1), len(signs))
        if None in signs or -1 in signs[first:]:
            return None
        return pattern[first].left if first < len(signs) else pattern[-1].right


def _q(here: Expr, there: Expr) -> Expr:
    """`Q` from `M(m)` and `M(-m)`."""
    return _plain(here.diff(M) - there.diff(M))


def _plain(expr: Expr) -> Expr:
    """As a fraction in exponentials, cancelled, where it is one; a logistic curve as `sigmoid`."""
    form = exponential_form(expr, M)
    if form is None or form[0].has(M) or not form[0].is_rational_function(U):
        return saturating(shorter(expr))
    parts = reduced(form[0])
    if parts is None:
        return saturating(shorter(expr))
    top, bottom = parts
    try:
        upper, lower = Poly(top, U), Poly(bottom, U)
    except PolynomialError:
        return saturating(shorter(expr))
    power = upper.degree()
    if power > 0 and upper.is_monomial and lower == Poly(upper.LC() * (U**power + 1), U):
        return sigmoid(power * M / form[1])
    return (top / bottom).xreplace({U: exp(M / form[1])})


def _refuted(slopes: _Slopes) -> Finding | None:
    view = slopes.view
    low, first = view.total.extreme(-1), view.total.limit(0, -1)
    if low is not None and first is not None and low.value.hi < first.lo:
        m = low.where.middle
        where = f"m = {m:.6g} and m = {-m:.6g} are" if low.where.is_finite else "m -> oo and m -> -oo are"
        return refuted(
            f"at h = 1/2 both {where} better than 0: no m is the only minimiser", {"h": 0.5, "m": [m, -m]}
        )
    ratio = slopes.ratio
    if ratio is None:
        # At h = 1/2 the risk is then constant around 0: no m is the only minimiser.
        return refuted("M'(m) + M'(-m) = 0 from m = 0 on: h(m) is not defined there", {"h": 0.5, "m": [0.0]})
    for cell, expr in ratio.parts:
        middle = np.array([sum(cell.inner) / 2])
        value = ratio.at(middle)
        if expr.diff(M) == 0 and value.lo[0] > 0 and value.hi[0] < 1:
            h = float(value.lo[0] + value.hi[0]) / 2
            where = f"at m = {middle[0]:.6g} and around it"
            return refuted(
                f"h(m) is the constant {h:.6g} {where}: it does not increase", {"h": h, "m": list(cell.inner)}
            )
    return _kink(slopes) or _falls(slopes, ratio) or _too_narrow(slopes, ratio)


def _kink(slopes: _Slopes) -> Finding | None:
    """A kink of a convex loss is the minimiser of every h between two."""
    if not is_convex(slopes.view):
        return None
    pairs = zip(slopes.here.steps(), slopes.there.steps(), strict=False)
    if len(slopes.here.parts) != len(slopes.there.parts):
        return None
    for (left, right, point), (before, after, _) in pairs:
        if left is None or right is None or before is None or after is None or not right.lo > left.hi:
            continue
        with np.errstate(all="ignore"):
            # 0 lies between the one-sided slopes of the risk at m for all h between the two values, left and right, of
            # M'(-m)/(M'(m) + M'(-m)).
            ends = [np.float64(b.middle) / (a.middle + b.middle) for a, b in ((left, before), (right, after))]
        low, high = max(float(ends[0]), 0.0), min(float(ends[1]), 1.0)
        if all(map(math.isfinite, ends)) and low + _APART < high:
            return refuted(
                f"M has a kink at m = {point.middle:.6g}, which is the minimiser for every h between {low:.6g} and "
                f"{high:.6g}",
                {"m": point.middle, "h": [low, high]},
            )
    return None


def _falls(slopes: _Slopes, ratio: Curve) -> Finding | None:
    """A margin at which h(m) falls, or at which the risk is largest, not least."""
    q, h, rise = (curve.at(MARGINS) for curve in (slopes.spread, ratio, ratio.derivative))
    # At h = h(m) the risk is stationary, with C'' = -Q h'(m): m is its minimiser only where Q h' <= 0. So if not both
    # Q < 0 and h' > 0, then h(m) falls or m is a maximum.
    inside = (h.lo > 0) & (h.hi < 1) & (q.sign != 0)
    for i in np.flatnonzero(inside & ((rise.sign < 0) | ((q.sign > 0) & (rise.sign > 0)))):
        m, value = float(MARGINS[i]), float(h.lo[i] + h.hi[i]) / 2
        what = (
            f"h(m) = {value:.6g} falls"
            if rise.sign[i] < 0
            else f"the risk at h = {value:.6g} is largest, not least"
        )
        return refuted(f"at m = {m:g} {what}", {"m": m, "h": value})
    return None


def _too_narrow(slopes: _Slopes, ratio: Curve) -> Finding | None:
    """Probabilities that h(m) never comes to: for them the risk falls all the way."""
    top = ratio.limit(len(ratio.parts) - 1, 1)
    whole = not ratio.parts[-1][0].right.is_finite
    if top is None or not top.hi < 1 or not whole or not slopes.view.curve.is_continuous:
        return None
    # C' = Q (h - h(m)) < 0 for every m where h is above all h(m).
    if slopes.spread.signs != {-1} or ratio.derivative.signs != {1}:
        return None
    return refuted(
        f"h(m) stays below {top.hi:.6g}: for h beyond, the risk falls as m -> oo and has no minimiser",
        {"h": (1 + top.hi) / 2},
    )


def _proved(slopes: _Slopes) -> Finding | None:
    view, ratio, end = slopes.view, slopes.ratio, slopes.end
    # h(-m) = 1 - h(m), so m > 0 is enough; and Q(0) = 2 M'(0).
    start = None if view.start is None else number_sign(view.start)
    if (
        start != -1
        or ratio is None
        or end is None
        or not (view.slope.is_continuous and view.curve.is_continuous)
    ):
        return None
    if not _is_negative(slopes.spread):
        return None
    if any(span.left.hi < end.lo and span.sign != 1 for span in ratio.derivative.pattern):
        return None
    # Up to 1, or some h near 1 have no minimiser; where M' turns to 0 at a finite m it is 1 there.
    top = ratio.limit(len(ratio.parts) - 1, 1)
    if not end.is_finite and (top is None or not (top.lo >= 1 or top.exact == 1)):
        return None
    reason = "M'(m) + M'(-m) < 0, and h(m) = M'(-m)/(M'(m) + M'(-m)) strictly increases from 0 to 1"
    if end.is_finite:
        where = f"{end.middle:.6g}"
        reason += f" for m between -{where} and {where}, and leaves [0, 1] beyond"
    return proved(reason, _closed(ratio, end))


def _closed(ratio: Curve, end: Point) -> Expr | None:
    """The one formula of h from -end to end, symmetric as h is: `h(-m) = 1 - h(m)`; None where it takes several."""
    formulas = {expr for cell, expr in ratio.parts if cell.left.lo < end.lo}
    if len(formulas) > 1:
        return None
    (expr,) = formulas
    return expr if vanishes(expr + expr.subs(M, -M) - 1) else None


def _is_negative(curve: Curve) -> bool:
    """Whether a curve is negative on (0, oo), at the borders of its pieces too."""
    if curve.signs != {-1} or len(curve.pattern) != len(curve.parts):
        return False  # a border of spans within a piece is a root
    return all(
        left is not None and right is not None and left.hi < 0 and right.hi < 0
        for left, right, _ in curve.steps()
    )
