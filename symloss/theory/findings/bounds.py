"""Bounds of the instance loss `M1(p_t) + sum_j M0(p_j)` on the simplex."""

from __future__ import annotations

import math

import numpy as np
from sympy import Float, Integer, Rational

from symloss.expr import P
from symloss.theory.certificate import Finding, proved, refuted, unknown
from symloss.theory.findings.guards import names_guards
from symloss.theory.findings.profile import Profile
from symloss.theory.functions.algebra import shorter
from symloss.theory.functions.convexity import is_convex
from symloss.theory.functions.curve import Curve, Extreme
from symloss.theory.functions.pieces import Undecided, Undefined
from symloss.theory.functions.probes import UNIT_TO_THE_ENDS

__all__ = ["bounded"]

_WORDS = {-1: ("below", "falls"), 1: ("above", "grows")}


@names_guards
def bounded(profile: Profile, side: int) -> Finding:
    """Whether the instance loss has an infimum (`side` -1) or supremum (1), and which.

    One curve holds the extreme where `M0` is affine, convex or concave: then the other classes share the
    rest in any way, evenly, or all of it goes to one of them.
    """
    try:
        finding = _one_curve(profile, side)
        if finding is not None:
            curve, how = finding
            extreme = curve.extreme(side)
            if extreme is None:
                return unknown(f"the extreme of the loss {how} is not settled")
            return _verdict(profile, extreme, side, how)
        return _relaxed(profile, side)
    except (Undecided, Undefined) as error:
        return unknown(str(error))


def _verdict(profile: Profile, extreme: Extreme, side: int, how: str) -> Finding:
    where = extreme.where.middle
    if math.isinf(extreme.value.middle) and extreme.value.middle * side > 0:
        return refuted(
            f"{how}, the loss has no bound {_WORDS[side][0]} as p_t -> {where:.6g}",
            {
                "p_t": where,
                "diverges_to": side * math.inf,
                "along": "target",
                "rest": "one class" if "on one class" in how else "even",
            },
        )
    bound = extreme.value.lo if side < 0 else extreme.value.hi
    if extreme.value.exact is not None:
        return proved(f"{how}, the extreme lies at p_t = {where:.6g}", extreme.value.exact)
    return proved(f"{how}, the extreme lies at p_t = {where:.6g}", None, bound)


def _one_curve(profile: Profile, side: int) -> tuple[Curve, str] | None:
    rest = profile.classes - 1
    if rest == 1:
        return profile.spread, "as a function of p_t"
    line = profile.m0.line
    if line is not None:
        # With M0(p) = s p + b: sum_j M0(p_j) = s (1 - p_t) + (C-1) b over the others, and M1(p_t) = D(p_t) + s p_t + b.
        constant = line.slope + profile.classes * line.intercept
        curve = profile.difference.map(lambda e: shorter(e + constant))
        return curve, "as a function of p_t (M0 is affine)"
    # Jensen: at fixed p_t a sum of convex M0 is least on the even spread, of concave ones largest; the other extreme of
    # each lies at a corner, where one class has all that is left.
    if side < 0 and is_convex(profile.m0):
        return profile.spread, "with the rest spread evenly (M0 is convex)"
    concave = is_convex(profile.m0.map(lambda e: -e))
    if side > 0 and concave:
        return profile.spread, "with the rest spread evenly (M0 is concave)"
    if concave if side < 0 else is_convex(profile.m0):
        at_zero = profile.m0.limit(0, -1)
        if at_zero is not None and at_zero.exact is not None:
            shape = "concave" if concave else "convex"
            limit = at_zero.exact * (rest - 1)
            curve = profile.on(lambda r: profile.target(r, P) + profile.other(r, 1 - P) + limit)
            return curve, f"with the rest on one class (M0 is {shape})"
    return None


def _relaxed(profile: Profile, side: int) -> Finding:
    """A bound by Lagrange's relaxation of `sum p = 1`, or a direction in which there is none."""
    m1, m0, classes = profile.m1, profile.m0, profile.classes
    ends = {"M1": m1.extreme(side), "M0": m0.extreme(side)}
    for name, extreme in ends.items():
        if extreme is None:
            return unknown(f"the extreme of {name} is not settled")
        if math.isinf(extreme.value.middle) and extreme.value.middle * side > 0:
            return _unbounded(profile, name, extreme, side)
    grid = UNIT_TO_THE_ENDS
    target, other = (side * _mid(curve, grid) for curve in (m1, m0))

    def relaxation(slope: float) -> float:
        # L = (M1(p_t) - l p_t) + sum_j (M0(p_j) - l p_j) + l for every number l, as the p sum to 1; so L is at most the
        # sum of the suprema plus l. Any l gives a bound: a grid finds a good one.
        return float(max(target - slope * grid) + (classes - 1) * max(other - slope * grid) + slope)

    slope = _least(relaxation)
    # Six digits are an exact float, so that the formula and the bound speak of one number.
    weight = Rational(Float(side * slope, 6))
    parts = [curve.map(lambda e: e - weight * P).extreme(side) for curve in (m1, m0)]
    if parts[0] is None or parts[1] is None:
        return unknown("the extreme of the relaxed loss is not settled")
    tops = [p.value.hi if side > 0 else p.value.lo for p in parts if p is not None]
    bound = tops[0] + (classes - 1) * tops[1] + float(weight)
    # A few roundings of 1.1e-16 of each summand, those of `C - 1` equal ones in a product included.
    bound += side * 1e-14 * (abs(tops[0]) + (classes - 1) * abs(tops[1]) + abs(float(weight)) + 1)
    return proved(
        f"M1(p) and M0(p) less {float(weight):.4g} p have the extremes {tops[0]:.6g} and {tops[1]:.6g}; probabilities"
        f" sum to 1 (Lagrange's relaxation; the bound need not be attained)",
        None,
        bound,
    )


def _mid(curve: Curve, grid: np.ndarray) -> np.ndarray:
    box = curve.at(grid)
    middle = (box.lo + box.hi) / 2
    middle[~np.isfinite(middle)] = np.nan
    fill = np.nanmean(middle) if np.any(np.isfinite(middle)) else 0.0
    return np.where(np.isnan(middle), fill, middle)


def _least(function: object) -> float:
    """A slope at which a convex function is nearly least, by golden section."""
    low, high = -1e3, 1e3
    ratio = (math.sqrt(5) - 1) / 2
    for _ in range(80):
        a, b = high - ratio * (high - low), low + ratio * (high - low)
        if function(a) <= function(b):  # type: ignore[operator]
            high = b
        else:
            low = a
    return (low + high) / 2


def _unbounded(profile: Profile, name: str, extreme: Extreme, side: int) -> Finding:
    where = extreme.where.middle
    word = f"{name} diverges as p -> {where:.6g}"
    along = "target" if name == "M1" else "other"
    # As p -> 1 all others vanish, and their terms may diverge against it; anywhere else they can be kept inside (0, 1).
    if where < 1:
        return refuted(
            f"{word}, while the other probabilities may stay where the loss is finite",
            {"p_t" if name == "M1" else "p_other": where, "diverges_to": side * math.inf, "along": along},
        )
    if name == "M1":
        # The target takes all, or one other class does, and the rest is spread evenly.
        limit = profile.spread.limit(len(profile.spread.parts) - 1, 1)
    else:
        rest = Integer(profile.classes - 1)
        curve = profile.on(
            lambda r: (
                profile.other(r, 1 - P)
                + profile.target(r, P / rest)
                + (rest - 1) * profile.other(r, P / rest)
            )
        )
        limit = curve.limit(0, -1)
    if limit is not None and limit.lo == limit.hi == side * math.inf:
        return refuted(
            f"{word}, and so does the loss with the rest spread evenly",
            {"p_t" if name == "M1" else "p_other": where, "diverges_to": side * math.inf, "along": along},
        )
    return unknown(f"{word}, where other terms may make up for it")
