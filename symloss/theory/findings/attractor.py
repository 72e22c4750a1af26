"""The confidence that a loss drives to, and the label smoothing that it amounts to.

`T(p) = M1(p) + (C-1) M0((1-p)/(C-1))` is the loss with the rest spread evenly. Gradient flow on the logits
from the null epoch keeps that symmetry and moves `p` downhill on `T`; the first place where `T'` vanishes or
changes sign is reached, if small asymmetries stay small (see `basin`). With `x = (1-p)/(C-1)`,

    T'(p) = M1'(p) - M0'(x),    dz_t/dt = -p (1-p) T',    dp/dt = -p**2 (1-p)**2 C/(C-1) T'(p).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import Enum

from sympy import Expr, Integer, Rational

from symloss.theory.certificate import Finding, proved, refuted, unknown
from symloss.theory.findings.basin import stays_even
from symloss.theory.findings.guards import names_guards
from symloss.theory.findings.profile import Profile
from symloss.theory.functions.algebra import shorter
from symloss.theory.functions.constants import number_sign
from symloss.theory.functions.curve import Curve, Extreme, Limit
from symloss.theory.functions.enclose import enclose_number
from symloss.theory.functions.pieces import Undecided
from symloss.theory.functions.points import Point, Span

__all__ = ["Flow", "attractor", "flow_from_start", "label_smoothing"]

_ABYSS = Limit(-math.inf, -math.inf)


class Flow(Enum):
    """How gradient flow leaves the null epoch."""

    RISES = 1
    RESTS = 0
    FALLS = -1


@dataclass(frozen=True)
class _Path:
    flow: Flow
    end: Point


def _spans(curve: Curve) -> list[Span]:
    return list(curve.derivative.pattern)


def flow_from_start(curve: Curve, classes: int) -> _Path:
    """Where `p` goes downhill on `curve` from `1/C`.

    Raises:
        Undecided: where that is not settled.
    """
    start = Rational(1, classes)
    at = enclose_number(start)
    spans = _spans(curve)
    borders = [cell.right for cell, _ in curve.parts[:-1]]
    # More than one where 1/C may lie on a border of the signs of T': at a minimum the flow rests, across a kink it goes
    # on.
    here = [i for i, s in enumerate(spans) if s.left.lo <= at.hi and at.lo <= s.right.hi]
    if any(spans[i].sign is None for i in here):
        raise Undecided("the sign of T' at the null epoch is not settled")
    if len(here) == 1:
        sign = spans[here[0]].sign
        if sign == 0:
            return _Path(Flow.RESTS, Point.at(start))
        return _follow(curve, spans, here[0], -(sign or 0), borders)
    left, right = spans[here[0]], spans[here[-1]]
    if len(here) == 2 and left.sign == -1 and right.sign == 1:
        return _Path(Flow.RESTS, Point.at(start))
    same = len(here) == 2 and left.sign == right.sign and left.right in borders
    if same and left.sign and curve.is_continuous_at(borders.index(left.right)):
        step = -left.sign
        return _follow(curve, spans, here[1] if step > 0 else here[0], step, borders)
    raise Undecided("T' vanishes or jumps at the null epoch, which is not a minimum of T")


def _follow(curve: Curve, spans: list[Span], i: int, step: int, borders: list[Point]) -> _Path:
    while True:
        end = spans[i].right if step > 0 else spans[i].left
        j = i + step
        if not 0 <= j < len(spans):
            # An end of (0, 1), at which dp/dt vanishes: it is approached, not passed.
            return _Path(Flow(step), end)
        if end in borders:
            smooth = curve.is_continuous_at(borders.index(end))
            # T falls to -oo on both sides of a pole: no flow leaves it.
            if curve.limit(borders.index(end), 1) == curve.limit(borders.index(end) + 1, -1) == _ABYSS:
                return _Path(Flow(step), end)
            if not smooth:
                raise Undecided(f"T is not proved continuous at p = {end.middle:.6g}")
        if spans[j].sign is None:
            raise Undecided(f"the sign of T' near p = {end.middle:.6g} is not settled")
        if spans[j].sign != spans[i].sign:
            return _Path(Flow(step), end)
        # The same sign on both sides: a stationary point of a smooth T stops the flow, a kink does not.
        if end not in borders:
            return _Path(Flow(step), end)
        slopes = [
            curve.derivative.limit(borders.index(end), 1),
            curve.derivative.limit(borders.index(end) + 1, -1),
        ]
        # A slope that tends to 0 at a border may stop the flow as a stationary point does.
        if any(s is None or s.lo <= 0 <= s.hi for s in slopes):
            raise Undecided(f"T' may vanish at p = {end.middle:.6g}")
        i = j


@names_guards
def attractor(profile: Profile) -> Finding:
    """The minimiser `p*` of `T` on [0, 1], established and reached from the null epoch."""
    curve = profile.spread
    lowest = curve.extreme(-1)
    if lowest is None:
        return unknown("the minimum of T is not settled")
    if curve.derivative.signs == {0} and curve.is_continuous:
        return refuted("T is constant: every confidence is as good as any other", {"T": lowest.value.middle})
    rival = _rival(curve, lowest)
    if rival is not None:
        return _several(curve, *sorted((lowest.where, rival.where), key=lambda point: point.middle))
    # Least and reached are two questions: descent stops at the first minimum on its way, and there may be a lower one
    # beyond a rise.
    path = flow_from_start(curve, profile.classes)
    how = stays_even(profile, path.end)
    if _meet(path.end, lowest.where):
        place = "a root of T' or a kink in closed form"
        if path.end.lo in (0.0, 1.0):
            place = "the end of (0, 1)"
        elif path.end.exact is None:
            place = "an interval Newton root of T'"
        way = "starts there" if path.flow is Flow.RESTS else f"falls from p = 1/{profile.classes} to it"
        value = None if path.end.exact is None else shorter(path.end.exact)
        reason = f"p* is {place}, the only minimum of T, and the flow on T {way}; {how}"
        return proved(reason, value, path.end.middle)
    return refuted(
        f"T is least at p = {lowest.where.middle:.6g}, but the flow from p = 1/{profile.classes} stops at"
        f" p = {path.end.middle:.6g}, where T' vanishes or changes sign",
        {"minimiser": lowest.where.middle, "stops_at": path.end.middle},
    )


def _rival(curve: Curve, lowest: Extreme) -> Extreme | None:
    """Another place where the curve is proved to be as low as at its lowest; None where it is proved to have none.

    Raises:
        Undecided: where enclosures overlap, and no formulas tell the values apart.
    """
    if curve.places is None:
        raise Undecided("T may have several minima")
    for place in curve.places:
        # The lowest place itself overlaps with its own bracket; a place that overlaps with it is the same one as far as
        # is known.
        apart = place.where.lo > lowest.where.hi or place.where.hi < lowest.where.lo
        if not apart or place.value.lo > lowest.value.hi:
            continue
        if place.value.lo == lowest.value.lo == -math.inf:
            return place
        if place.value.exact is None or lowest.value.exact is None:
            raise Undecided("two minima of T cannot be told apart")
        higher = number_sign(place.value.exact - lowest.value.exact)
        if higher == 0:
            return place
        if higher != 1:
            raise Undecided("two minima of T cannot be told apart")
    return None


def _several(curve: Curve, left: Point, right: Point) -> Finding:
    """The refutation by two places at which the curve is least, or by a stretch between them."""
    low, high = left.middle, right.middle
    if any(s.sign == 0 and _meet(s.left, left) and _meet(s.right, right) for s in _spans(curve)):
        return refuted(
            f"T is constant from p = {low:.6g} to p = {high:.6g}: no one confidence is the best",
            {"from": low, "to": high},
        )
    return refuted(
        f"T is least at p = {low:.6g} and as low at p = {high:.6g}: no one confidence is the best",
        {"minimisers": [low, high]},
    )


def _meet(a: Point, b: Point) -> bool:
    return a.lo <= b.hi and b.lo <= a.hi


def label_smoothing(profile: Profile, found: Finding) -> Finding:
    """`xi = (1 - p*) C/(C-1)`, the strength of the label smoothing that has the same attractor."""
    if found.verdict == "refuted" and found.witness.get("to") == 1.0:
        return refuted(
            "T is as low at p = 1 as anywhere: no confidence below it is preferred",
            found.witness,
            Integer(0),
            0.0,
        )
    if found.verdict != "proved" or found.numeric is None:
        return unknown("the attractor is not established")
    classes = profile.classes
    scale = Rational(classes, classes - 1)
    if found.numeric == 1.0:
        return refuted(
            "p* = 1: T falls all the way from the null epoch to p = 1", {"attractor": 1.0}, Integer(0), 0.0
        )
    numeric = (1 - found.numeric) * classes / (classes - 1)
    reason = "xi = (1 - p*) C/(C-1)"
    if numeric > 1:
        reason += "; xi > 1: the target ends below chance"
    value = shorter((1 - found.value) * scale) if isinstance(found.value, Expr) else None
    return proved(reason, value, numeric)
