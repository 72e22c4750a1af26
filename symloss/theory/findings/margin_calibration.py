"""Does the minimum of a margin loss have the sign of the likelier label? (Bartlett, Jordan, McAuliffe 2006.)

With `h = 1/2 + e` the probability of the label +1, the risk at a margin k is `h M(k) + (1 - h) M(-k)`, that is
`S(k)/2 - e D(k)` with `S(k) = M(k) + M(-k)` even and `D(k) = M(-k) - M(k)` odd: at `-k` it is `S(k)/2 + e D(k)`. A grid
over h can prove nothing near 1/2; these two conditions hold for every h at once.

(A) With `k0` where S is least on [0, oo), the risk over m <= 0 is at least `S(k0)/2 + e inf D`, and at `k0` it is
`S(k0)/2 - e D(k0)`: the gap is at least `e (inf D + D(k0))`.

(B) Where `D > 0` on (0, oo) and above a positive number far out, `k` is better than `-k` by a gap wherever the risk
over m <= 0 comes near its infimum, but at 0, where the risk falls if `M'(0) < 0`. S is bounded below, or both would be
`-oo`. D may also be 0 where `S > S(0)`: there the risk at `-k` is at least `S(k)/2`, more than at 0.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from symloss.expr import M
from symloss.theory.certificate import Finding, proved, refuted, unknown
from symloss.theory.findings.guards import names_guards
from symloss.theory.findings.margin import Margin
from symloss.theory.findings.margin_shape import is_convex
from symloss.theory.functions.constants import number_sign
from symloss.theory.functions.curve import Curve, Extreme, Limit
from symloss.theory.functions.enclose import enclose
from symloss.theory.functions.points import Point
from symloss.theory.functions.probes import MARGINS_FAR, SHARES_OF_ONE

__all__ = ["margin_calibrated"]


@names_guards
def margin_calibrated(view: Margin) -> Finding:
    """For every h > 1/2 the infimum of the risk over m <= 0 is above that over all m, and mirrored."""
    if is_convex(view):
        return _of_convex(view)
    if not view.curve.is_continuous:
        return _misled(view) or unknown("M is not convex, and a jump or a singular point is not excluded")
    return (
        _where_even(view)
        or _misled(view)
        or unknown(
            "neither of the two conditions for losses that are not convex is settled, nor is a counterexample found"
        )
    )


def _of_convex(view: Margin) -> Finding:
    """Of a convex loss: exactly where `M'(0)` exists and is negative."""
    # The risk is convex with the slope (2 h - 1) M'(0) at 0: for h > 1/2 it falls to the right of 0 where M'(0) < 0,
    # and is least over m > 0 at 0 itself elsewhere.
    if view.start is not None:
        direction = number_sign(view.start)
        if direction is None:
            return unknown("M is convex, and the sign of M'(0) is open")
        words = f"M is convex and M'(0) = {view.start}"
        if direction < 0:
            return proved(f"{words} < 0")
        return refuted(f"{words}: at h = 3/4 no m > 0 is better than m = 0", {"h": 0.75, "m": 0.0})
    slopes = _slopes_at_start(view)
    if slopes is None:
        return unknown("M is convex, and whether it has a kink at m = 0 is open")
    left, right = slopes
    # With slopes s- < s+ < 0 the risk has the slope h s+ - (1-h) s- to the right of 0, which is at least 0 up to
    # h = s-/(s- + s+) > 1/2. Half way from 1/2 to that, of the ends of the enclosures that make it smallest.
    if left.hi < right.lo < 0:
        h = 0.5 + (left.hi / (left.hi + right.lo) - 0.5) / 2
        return refuted(
            f"M is convex with a kink at m = 0, slopes {left.middle:.6g} and {right.middle:.6g}: at h = {h:.4g} no "
            "m > 0 is better than m = 0",
            {"h": h, "m": 0.0},
        )
    # s- <= s+, so at h = 3/4 the slope is at least s+/2 >= 0.
    if right.lo >= 0:
        return refuted(
            "M is convex and does not fall from m = 0: no m > 0 is better at h = 3/4", {"h": 0.75, "m": 0.0}
        )
    return unknown("M is convex, and whether it has a kink at m = 0 is open")


def _slopes_at_start(view: Margin) -> tuple[Limit, Limit] | None:
    """The slopes on both sides of a border at 0."""
    for i, (cell, _) in enumerate(view.curve.parts[:-1]):
        if cell.right.exact == 0:
            left, right = view.slope.limit(i, 1), view.slope.limit(i + 1, -1)
            return None if left is None or right is None else (left, right)
    return None


def _where_even(view: Margin) -> Finding | None:
    """Conditions (A) and (B)."""
    worst = view.gain.extreme(-1)
    low = view.total.extreme(-1)
    if worst is None or low is None or not math.isfinite(low.value.lo):
        return None
    # D(0) = 0 counts: the curve is on m > 0 alone, the infimum over m >= 0.
    least = min(worst.value.lo, 0.0)
    found = _best_gain(view, low)
    if found is not None:
        gain, where = found
        if math.isfinite(least) and least + gain > 0:
            more = f"{gain:.6g}" if math.isfinite(gain) else "no bound"
            inside = f"at m = {where:.6g}" if math.isfinite(where) else "as m -> oo"
            return proved(
                f"S = M(m) + M(-m) is least {inside}, where D = M(-m) - M(m) is {more}, and inf D = {least:.6g}: the "
                "gap at h = 1/2 + e is at least e times their sum (A)"
            )
    start = None if view.start is None else number_sign(view.start)
    if start != -1:
        return None
    told = _wins(view)
    return proved(f"{told}, and M'(0) < 0 (B)") if told else None


def _wins(view: Margin) -> str:
    """That D is positive wherever it matters, in words; `""` where that is not shown."""
    gain, total = view.gain, view.total
    first, far = total.limit(0, -1), gain.limit(len(gain.parts) - 1, 1)
    if first is None or not gain.signs <= {0, 1}:
        return ""
    # Where D is not shown to be positive: stretches, single points, and far out.
    places = [(span.left.lo, span.right.hi) for span in gain.pattern if span.sign == 0]
    places += [
        (span.left.lo, span.left.hi) for span in gain.pattern[1:] if not _is_positive_at(gain, span.left)
    ]
    if far is None or not far.lo > 0:
        places.append((math.inf, math.inf))
    if not places:
        return "D = M(-m) - M(m) is positive for m > 0 and stays away from 0 far out"
    if total.places is not None and all(_least(total, low, high) > first.hi for low, high in places):
        return "D = M(-m) - M(m) is positive for m > 0 but where S = M(m) + M(-m) is above 2 M(0)"
    return ""


def _is_positive_at(curve: Curve, where: Point) -> bool:
    for cell, expr in curve.parts:
        if cell.left.lo <= where.hi and where.lo <= cell.right.hi:
            value, _ = enclose(expr, M, where.box)
            if not value.lo > 0:
                return False
    return True


def _least(curve: Curve, low: float, high: float) -> float:
    """A lower bound of a continuous curve on a stretch: between its places it is monotone."""
    bounds = [
        place.value.lo for place in curve.places or () if place.where.hi >= low and place.where.lo <= high
    ]
    for end in (low, high):
        if math.isfinite(end):
            box = Point(end, end).box
            for cell, expr in curve.parts:
                if cell.left.lo <= end <= cell.right.hi:
                    value, _ = enclose(expr, M, box)
                    bounds.append(float(value.lo))
    return min(bounds, default=-math.inf)


def _best_gain(view: Margin, low: Extreme) -> tuple[float, float] | None:
    """A lower bound of D where S is least, and where that is; of several such places the best.

    A place that enclosures cannot tell from the least one may be it: then the smallest D of them counts.
    """
    line = view.total.line
    if line is not None and number_sign(line.slope) == 0:
        best = view.gain.extreme(1)
        return None if best is None else (best.value.lo, best.where.middle)
    if view.total.places is None:
        return None
    # Any of them may be where S is least, so the worst D counts, unless their values are proved equal: then every one
    # is a minimiser, and the best may be chosen.
    rivals = [place for place in view.total.places if place.value.lo <= low.value.hi]
    gains = [
        (gain, place.where.middle) for place in rivals if (gain := _gain_at(view, place.where)) is not None
    ]
    if not rivals or len(gains) < len(rivals):
        return None
    return (max if _are_equal(rivals) else min)(gains)


def _are_equal(places: Sequence[Extreme]) -> bool:
    """Whether all have one value by algebra: then S is least at each of them."""
    values = [place.value.exact for place in places]
    return all(
        value is not None and values[0] is not None and number_sign(value - values[0]) == 0
        for value in values
    )


def _gain_at(view: Margin, where: Point) -> float | None:
    """A lower bound of D at a point of [0, oo]."""
    if not where.is_finite:
        limit = view.gain.limit(len(view.gain.parts) - 1, 1)
        return None if limit is None else limit.lo
    if where.exact == 0:
        return 0.0
    bounds = []
    for cell, expr in view.gain.parts:
        if cell.left.lo <= where.hi and where.lo <= cell.right.hi:
            value, _ = enclose(expr, M, where.box)
            bounds.append(float(value.lo))
    return min(bounds, default=None) if all(map(math.isfinite, bounds)) else None


def _misled(view: Margin) -> Finding | None:
    """A probability and a margin on the wrong side that no margin on the right side is better than."""
    line = view.gain.line
    if line is not None and number_sign(line.slope) == 0 and number_sign(line.intercept) == 0:
        return refuted(
            "M(-m) = M(m), by algebra: the risk is as low at -m as at m", {"h": 0.75, "even": True}
        )
    for h in SHARES_OF_ONE:
        # At -m the risk of h is (1-h) M(m) + h M(-m), the risk of 1-h at m.
        right, wrong = view.risk(h), view.risk(1 - h)
        least = right.extreme(-1)
        if least is None or not math.isfinite(least.value.lo):
            continue
        found = _below(wrong, least.value.lo)
        if found is not None:
            m, value = found
            return refuted(
                f"at h = {h} the risk at m = {-m:.6g} is {value:.6g}, and at no m > 0 below {least.value.lo:.6g}",
                {"h": float(h), "m": -m, "risk": value, "least": least.value.lo},
            )
    return None


def _below(wrong: Curve, least: float) -> tuple[float, float] | None:
    """The point of the grid, and of the stationary ones, at which a curve is lowest, if it is at or below a number."""
    places = wrong.places or ()
    points = np.unique(
        np.append(MARGINS_FAR, [each.where.middle for each in places if each.inside and each.where.is_finite])
    )
    top = wrong.at(points).hi
    best = int(np.argmin(top))
    # At or below the infimum over m > 0 is enough: the infimum over m <= 0 is then no higher than that over all m.
    return (float(points[best]), float(top[best])) if top[best] <= least else None
