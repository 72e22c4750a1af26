"""Findings about multilabel losses: each entry is a target of its own, with `p` a sigmoid."""

from __future__ import annotations

import math

from sympy import Rational

from symloss.expr import P
from symloss.theory.certificate import Finding, proved, refuted, unknown
from symloss.theory.findings.guards import names_guards
from symloss.theory.findings.profile import Profile
from symloss.theory.functions.algebra import shorter
from symloss.theory.functions.constants import number_sign
from symloss.theory.functions.probes import UNIT_FEW

__all__ = ["entry_bounded", "entry_proper", "entry_trainable"]


@names_guards
def entry_trainable(profile: Profile) -> Finding:
    """`M1' < 0 < M0'` at `p = 1/2`."""
    # sigmoid(0). An entry is its own problem: those with y = 1 must rise and those with y = 0 fall, whatever the rest
    # do.
    half = Rational(1, 2)
    parts = [curve.derivative.part_at(half) for curve in (profile.m1, profile.m0)]
    if None in parts:
        return unknown("a kink lies at the start, p = 1/2")
    slopes = [shorter(part.subs(P, half)) for part in parts if part is not None]
    signs = [number_sign(slope) for slope in slopes]
    if None in signs:
        return unknown("the sign of a slope at p = 1/2 is open")
    words = f"at p = 1/2, M1' = {slopes[0]} and M0' = {slopes[1]}"
    if signs == [-1, 1]:
        return proved(words)
    return refuted(words, {"p": 0.5, "slopes": [float(slope) for slope in slopes]})


@names_guards
def entry_proper(profile: Profile) -> Finding:
    """`q M1'(p) + (1 - q) M0'(p)` vanishes at `p = q` alone, and `q` is the minimum.

    With `h(p) = p M1' + (1 - p) M0'` identically zero it is `M1'(p) (q - p)/(1 - p)`, which has the right
    signs if and only if `M1' < 0`.
    """
    h = profile.pick(lambda m1, m0: shorter(P * m1.diff(P) + (1 - P) * m0.diff(P)))
    line = h.line
    if line is not None and number_sign(line.slope) == number_sign(line.intercept) == 0:
        if not (profile.m1.is_continuous and profile.m0.is_continuous):
            return unknown("p M1' + (1 - p) M0' = 0, but M1 and M0 are not proved continuous")
        # M0' = -p M1'/(1-p) is then positive, and the expected loss falls up to q and rises from there.
        if profile.m1.derivative.signs <= {-1}:
            return proved("p M1' + (1 - p) M0' = 0 by algebra, and M1' < 0 on (0, 1)")
        return unknown("p M1' + (1 - p) M0' = 0, but the sign of M1' is not proved negative")
    # The slope of q M1(p) + (1-q) M0(p) at p = q is h(q).
    value = h.at(UNIT_FEW)
    for point, sign in zip(UNIT_FEW, value.sign, strict=True):
        if sign:
            q = float(point)
            return refuted(
                f"for a label of probability q = {q:g} the expected loss is not stationary at p = q", {"q": q}
            )
    return unknown("whether the expected loss is stationary at p = q is open")


@names_guards
def entry_bounded(profile: Profile, side: int) -> Finding:
    """The bound of one entry, and so of their mean."""
    # Targets and probabilities of entries are free of each other, so the extreme of their mean is that of one entry.
    ends = [curve.extreme(side) for curve in (profile.m1, profile.m0)]
    if any(end is None for end in ends):
        return unknown("an extreme of M1 or M0 is not settled")
    known = [end for end in ends if end is not None]
    best = max(known, key=lambda end: side * (end.value.hi if side > 0 else end.value.lo))
    if math.isinf(best.value.lo) and math.isinf(best.value.hi):
        name = "M1" if best is known[0] else "M0"
        return refuted(f"{name} is unbounded as p -> {best.where.middle:g}", {"p": best.where.middle})
    if math.isinf(best.value.lo) or math.isinf(best.value.hi):
        return unknown("the bound is not enclosed")
    reason = "the extreme of M1 and M0 over (0, 1)"
    if best.value.exact is not None:
        return proved(reason, best.value.exact)
    return proved(reason, None, best.value.hi if side > 0 else best.value.lo)
