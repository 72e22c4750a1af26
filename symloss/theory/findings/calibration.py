"""Classification calibration: is the most probable class on top at the minimum of the expected loss?

Exchange argument: let `q_i > q_j`. Swapping `p_i` and `p_j` changes the risk by
`(q_i - q_j) (D(p_j) - D(p_i))`, `D = M1 - M0`, and `p_i + p_j <= 1`. So if

    D(x) > D(y)   for all   x < y <= 1 - x,                                                  (1)

no minimiser has `p_i < p_j`; a tie at `x` is no minimum where `M1`, `M0` are smooth and `D'(x) < 0`. (Where `D'`
vanishes it can be one: `50*p**2 - y*(p - 1/3)**3` is least at 1/3 for all of three classes, always.) (1) holds
exactly when `D` falls on (0, 1/2] and `S(x) = D(x) - D(1-x) > 0` on (0, 1/2). As the class on top has at least
`1/C`, (1) is needed for `y >= 1/C` only: `D` may begin to fall at some `c <= 1/C`, if it is nowhere before as low as
from `1/C` on.
"""

from __future__ import annotations

import math
from itertools import pairwise

import numpy as np
from sympy import Rational

from symloss.errors import SymlossError
from symloss.expr import P
from symloss.theory.certificate import Finding, proved, refuted, unknown
from symloss.theory.findings.bottomless import bottomless
from symloss.theory.findings.guards import names_guards
from symloss.theory.findings.misrank import misranked
from symloss.theory.findings.posterior import closed_map, with_map
from symloss.theory.findings.profile import Profile
from symloss.theory.findings.start import slope_at
from symloss.theory.functions.constants import number_sign
from symloss.theory.functions.convexity import is_convex
from symloss.theory.functions.curve import Curve

__all__ = ["EXCHANGE", "classification_calibrated"]

_HALF = Rational(1, 2)
EXCHANGE = (
    "exchange argument: D = M1 - M0 falls on (0, 1/2] and D(x) > D(1-x), so swapping two probabilities"
    " into the posterior's order lowers the risk, and a tie is no minimum"
)
"""Why a loss is calibrated."""


@names_guards
def classification_calibrated(profile: Profile) -> Finding:
    """Whether every minimiser of the risk has the posterior's most probable class on top."""
    finding = _exchanged(profile)
    if finding.verdict != "proved":
        return finding
    try:
        return with_map(finding, closed_map(profile))
    except SymlossError:  # no formula is found for the map, and none is needed
        return finding


def _exchanged(profile: Profile) -> Finding:
    # (1) for y <= 1/2 says that D falls; for y > 1/2 it follows from x <= 1-y, D(x) >= D(1-y) and S(1-y) > 0. And (1)
    # at y = 1-x is S(x) > 0.
    mirror = profile.on(
        lambda r: (
            profile.target(r, P) - profile.other(r, P) - profile.target(r, 1 - P) + profile.other(r, 1 - P)
        ),
        _HALF,
    )
    falling = _signs_up_to_half(profile.difference.derivative)
    # Jumps of D are no business of its slope: without continuity D' = 0 does not say that D is constant.
    if profile.difference.is_continuous:
        if falling == {0} and mirror.signs == {0}:
            return _indifferent(profile)
        if falling <= {0, 1} and mirror.signs <= {0, -1}:
            return _reversed(profile)
    problem = _obstacle(profile, mirror)
    if not problem:
        return proved(EXCHANGE)
    finding = bottomless(profile) or _tied(profile) or _uniform(profile)
    if finding is not None:
        return finding
    found = misranked(profile)
    if found is not None:
        posterior, prediction, gain = found
        return refuted(
            f"under the posterior ({posterior[0]:.4g}, {posterior[1]:.4g}, ...) the prediction"
            f" ({prediction[0]:.4g}, {prediction[1]:.4g}, ...), with another class on top, has a risk at least"
            f" {gain:.3g} below every prediction with the first class on top",
            {"posterior": posterior, "prediction": prediction, "gain": gain},
        )
    return unknown(problem)


def _tied(profile: Profile) -> Finding | None:
    """The refutation by a loss of the target alone whose least value two classes can have at once."""
    if profile.m0.line is None:
        return None
    where = _least_below_half(profile)
    if where is None:
        return None
    first, second = where
    if profile.classes == 2 and first + second < 1:
        return None
    # With M0 affine the risk is sum_i q_i D(p_i) and a constant, here at least min D: two classes at the least
    # value attain it, and a third of probability 0 under the posterior may have whatever is left.
    rest = (1 - first - second) / max(profile.classes - 2, 1)
    return refuted(
        f"M1 - M0 is least at p = {first:.6g} and p = {second:.6g}, and M0 is affine: under the posterior"
        " (0.6, 0.4, 0, ...) no prediction is better than these two for the first two classes",
        {"posterior": profile.listed([0.6, 0.4], 0.0), "tie": profile.listed([first, second], rest)},
    )


def _uniform(profile: Profile) -> Finding | None:
    """The refutation by convex `M1` and `M0` with one slope at `1/C`: the uniform prediction is always least."""
    point = Rational(1, profile.classes)
    slopes = slope_at(profile.m1, point), slope_at(profile.m0, point)
    if slopes[0] is None or slopes[1] is None or number_sign(slopes[0] - slopes[1]) != 0:
        return None
    # Both lie above their tangents at 1/C, of one slope g: the risk is at least that of the uniform prediction plus g
    # sum_i (p_i - 1/C), and that sum is 0.
    if not (is_convex(profile.m1) and is_convex(profile.m0)):
        return None
    return refuted(
        f"M1 and M0 are convex and have one slope at p = 1/{profile.classes}: under every posterior no prediction is"
        " better than the uniform one",
        {"posterior": _example(profile), "tie": profile.listed([], 1 / profile.classes)},
    )


def _least_below_half(profile: Profile) -> tuple[float, float] | None:
    """Two probabilities, the second not smaller, that sum to at most 1 and at which `M1 - M0` is least."""
    curve = profile.difference
    signs = [span.sign for span in curve.derivative.pattern]
    # D falls and then rests: it is least from there on, so that p and 1-p both have the least value for p between that
    # place and 1/2.
    if -1 in signs and signs == sorted(signs, key=lambda s: s == 0) and set(signs) == {-1, 0}:
        flat = next(span for span in curve.derivative.pattern if span.sign == 0)
        if curve.is_continuous and flat.left.hi < 0.5:
            first = (flat.left.hi + 0.5) / 2
            return first, 1 - first
    lowest = curve.extreme(-1)
    if lowest is None or not (lowest.inside and lowest.value.is_finite):
        return None
    where = lowest.where
    return (where.middle, where.middle) if where.lo > 0 and where.hi < 0.5 else None


def _signs_up_to_half(slope: Curve) -> set[int | None]:
    return {span.sign for span in slope.pattern if span.left.lo < 0.5}


def _example(profile: Profile) -> list[float]:
    return profile.listed([0.6], 0.4 / (profile.classes - 1))


def _indifferent(profile: Profile) -> Finding:
    return refuted(
        "M1 - M0 is constant, so swapping two probabilities never changes the risk: no order is preferred",
        {"posterior": _example(profile), "exchange": 0},
    )


def _reversed(profile: Profile) -> Finding:
    return refuted(
        "exchange argument: M1 - M0 does not fall, so no prediction with the most probable class alone on top"
        " is better than with that class swapped below another",
        {"posterior": _example(profile), "exchange": 1},
    )


def _obstacle(profile: Profile, mirror: Curve) -> str:
    """What keeps the exchange argument from applying, or `""`."""
    start = _falls_from(profile) if profile.classes > 2 else 0.0
    if start is None:
        return "M1 - M0 does not fall on (0, 1/2]"
    edge = mirror.limit(0, -1)
    if not _is_positive(mirror) or edge is None or edge.lo <= 0:
        return "M1(x) - M0(x) is not above M1(1-x) - M0(1-x) on [0, 1/2)"
    for name, curve in (("M1", profile.m1), ("M0", profile.m0)):
        lowest = curve.extreme(-1)
        if lowest is None or math.isinf(lowest.value.lo):
            return f"{name} is not bounded below, so the risk need not have a minimum"
        if not curve.is_continuous:
            return f"{name} is not proved continuous"
        if not _kinks_give_way(curve, start):
            return f"{name} has a kink on (0, 1/2] that can hold two classes in a tie"
    # A tie at 1/2 is no pair to swap: the slope there must break it.
    if not _falls_at_half(profile.difference.derivative):
        return "the slope of M1 - M0 at 1/2 is not proved negative"
    return _stationary(profile)


def _is_positive(curve: Curve, low: float = 0.0) -> bool:
    """Whether a curve is above 0 from `low` on, the places between stretches of one sign included."""
    spans = [span for span in curve.pattern if span.right.hi > low]
    return {span.sign for span in spans} <= {1} and all(
        any(curve.parts[i][0].right == span.right for i in range(len(curve.parts) - 1)) for span in spans[:-1]
    ) and all(
        limit is not None and limit.lo > 0
        for left, right, point in curve.steps() if point.hi > low
        for limit in (left, right)
    )  # fmt: skip


def _falls_at_half(slope: Curve) -> bool:
    """Whether the slope at 1/2, from one side at least, is negative."""
    if slope.at(np.array([0.5])).hi[0] < 0:
        return True
    limits = [limit for *sides, point in slope.steps() if point.lo <= 0.5 <= point.hi for limit in sides]
    return any(limit is not None and limit.hi < 0 for limit in limits)


def _stationary(profile: Profile) -> str:
    """Where `M1 - M0` may be stationary while it falls, so that two classes in a tie gain nothing by leaving it."""
    slope = profile.difference.derivative
    for before, after in pairwise(slope.pattern):
        where = before.right
        if where.hi < 1 / profile.classes or where.lo > 0.5:
            continue
        joints = [i for i, (cell, _) in enumerate(slope.parts[:-1]) if cell.right == where]
        limits = [limit for i in joints for limit in (slope.limit(i, 1), slope.limit(i + 1, -1))]
        # A border between two stretches on which D falls: D' may be 0 there, unless a limit from one side, across a
        # border of pieces, shows that it is not.
        if before.sign == after.sign == -1 and not any(
            limit is not None and limit.hi < 0 for limit in limits
        ):
            return f"M1 - M0 may be stationary at p = {where.middle:.6g}, where two classes can be in a tie"
    return ""


def _falls_from(profile: Profile) -> float | None:
    """Where `M1 - M0` begins to fall as far as 1/2; None where that is beyond `1/C`, or where it was as low before."""
    curve = profile.difference
    spans = [span for span in curve.derivative.pattern if span.left.lo < 0.5]
    start = next((i for i in range(len(spans)) if {s.sign for s in spans[i:]} == {-1}), None)
    if start is None:
        return None
    if not start:
        return 0.0
    begin = spans[start].left.hi
    if begin > 1 / profile.classes or curve.places is None:
        return None
    # Before `begin` D is at least its lowest place there; from 1/C on it must lie below that. Then (1) holds for all
    # x < begin and y >= 1/C, and from `begin` on D falls.
    floor = min(place.value.lo for place in curve.places if place.where.lo <= begin)
    if not math.isfinite(floor):
        return None
    above = curve.map(lambda e: Rational(floor) - e)
    return begin if _is_positive(above, 1 / profile.classes) else None


def _kinks_give_way(curve: Curve, start: float) -> bool:
    """Whether at every kink from `start` to 1/2 the slope falls or stays: a tie there can be left at a gain."""
    for i, (cell, _) in enumerate(curve.parts[:-1]):
        if cell.right.lo > 0.5 or cell.right.hi < start:
            continue
        before, after = curve.derivative.limit(i, 1), curve.derivative.limit(i + 1, -1)
        if before is None or after is None:
            return False
        # Moving a tie apart by e changes the risk to first order by e times the jump of q_j M1' + (1-q_j) M0', which is
        # at most 0 where no slope rises, and by (q_i - q_j) D'(x+) e < 0: it can be left. A rising slope would hold it.
        if after.hi <= before.lo or (before.exact is not None and before.exact == after.exact):
            continue
        return False
    return True
